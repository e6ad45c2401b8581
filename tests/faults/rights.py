"""Tests that need the rights of root: to mount a disk, or to make a network."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--net", "--")


def as_root(test: Callable[..., object]) -> Callable[..., object]:
    """The test itself if we are root; else one that runs it in namespaces in which we are.

    Where the machine allows neither, the test is skipped; on CI it fails.
    """
    if os.geteuid() == 0:
        return test

    def in_namespaces() -> None:
        allowed = subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False)
        if allowed.returncode:
            _miss(allowed.stderr.decode().strip())
        node = f"{inspect.getfile(test)}::{test.__name__}"
        command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node)
        run = subprocess.run([*_NAMESPACES, *command], capture_output=True, check=False)
        assert run.returncode == 0, run.stdout.decode()[-4000:]

    in_namespaces.__name__, in_namespaces.__doc__ = test.__name__, test.__doc__
    return in_namespaces


def _miss(why: str) -> None:
    missing = f"needs root, or namespaces of a user's own: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
