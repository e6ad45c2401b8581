"""Who sits at the terminal."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """The account's name, or its number where the machine knows no name for it."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.getuid())
