"""``python -m tests.servers.fault_s3 --port N``: prints its URL, and serves until SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import msgspec

from tests.servers.fault_s3.server import fault_s3


def main() -> None:
    """Serve. Nothing outlives the process but, where asked for, what it held at its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.fault_s3")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--bucket", default="bucket")
    parser.add_argument("--plain", action="store_true", help="no Object Lock and no versions")
    parser.add_argument("--state", type=Path, help="file to write GET /-/state to, at the end")
    options = parser.parse_args()
    # Held back from every thread, so that it waits for the line below and is never lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    kept = not options.plain
    with fault_s3(bucket=options.bucket, versioned=kept, locked=kept, port=options.port) as running:
        sys.stdout.write(f"{running.url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        if options.state is not None:
            options.state.write_bytes(msgspec.json.encode(running.state()))


if __name__ == "__main__":
    main()
