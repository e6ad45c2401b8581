"""Where people read: standard error."""

from __future__ import annotations

from rich.console import Console

_LOG_WIDTH = 1000


def standard_error() -> Console:
    """Standard error, unwrapped where it is no terminal: a search finds whole sentences."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=_LOG_WIDTH)
