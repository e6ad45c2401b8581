"""``python -m bridge``: the same as ``muniment``."""

from __future__ import annotations

import sys

from bridge.cli import leave
from bridge.cli import main as run_command_line


def main() -> None:
    """Run the command line and exit with its code."""
    leave(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
