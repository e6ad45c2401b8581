"""The command line. The only place that prints or chooses an exit code.

Human output goes to stderr; ``--json`` prints one document to stdout. Exit 2 is for what waiting
cannot mend, with one sentence that names the fact and one that names the remedy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bridge.cli.arguments import parse
from bridge.cli.ending import leave
from bridge.errors import MunimentError
from bridge.secrecy import no_core_dumps

__all__ = ["EXIT_CANNOT", "leave", "main"]

EXIT_CANNOT = 2


def main(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit code."""
    # First: most verbs hold keys or plain text, and settings name secrets.
    no_core_dumps()
    options = parse(arguments)
    try:
        code: int = options.command(options)
    except MunimentError as error:
        print(f"muniment: {error}\n  {error.hint}", file=sys.stderr)
        return EXIT_CANNOT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return code
