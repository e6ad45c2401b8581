"""``python -m tests.servers.bot_api --port N``: prints its URL, and serves until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from tests.servers.bot_api.clock import Clock, HandClock, WallClock
from tests.servers.bot_api.server import bot_api


async def serve(*, port: int, local: Path | None, clock: Clock) -> None:
    """Serve. Nothing outlives the process but the files of a local server."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with bot_api(clock=clock, port=port, local=local) as api:
        sys.stdout.write(f"{api.url}\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.bot_api")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--local", type=Path, help="be a local server with its files here")
    parser.add_argument("--hand-clock", action="store_true", help="a clock moved by orders")
    options = parser.parse_args()
    clock = HandClock(time.time()) if options.hand_clock else WallClock()
    asyncio.run(serve(port=options.port, local=options.local, clock=clock))


if __name__ == "__main__":
    main()
