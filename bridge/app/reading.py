"""The settings file, read; what is wrong with it told as an error of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from config.errors import SettingsError

if TYPE_CHECKING:
    from config.settings import Settings

VERSION = installed_version("muniment")


@contextmanager
def as_config_error() -> Iterator[None]:
    """Turns what ``config`` raises into ours: ``config`` imports nothing of ours."""
    try:
        yield
    except SettingsError as error:
        raise ConfigError(f"{error.field} {error.fact}.", hint=f"{error.remedy}.") from None


def read_settings(path: Path) -> Settings:
    """The settings at ``path``, overridden by the environment.

    Raises:
        ConfigError: naming the field, the fact and the remedy.
    """
    # Imported here: who reads no settings does not wait for their tables.
    from config.settings import load

    with as_config_error():
        return load(path, os.environ)
