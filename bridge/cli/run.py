"""``muniment run``: the bridge, until a signal stops it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack

import structlog

from bridge import app
from bridge.app import Bridge, Settings, read_settings, running
from bridge.cli.ending import Workers


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser(
        "run",
        parents=[everywhere],
        help="record, until stopped",
        description="Records the approved groups until Ctrl-C or SIGTERM; what is on its way is"
        " stored before it ends. JSON lines of the logging go to stdout, sentences for people to"
        " stderr.",
    )
    verb.add_argument(
        "--console", action="store_true", help="serve the pages for records managers too"
    )
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT, then drain."""
    configure_logging()
    settings = read_settings(options.config)
    if options.console:
        app.check_console(settings)  # loaded here: most recorders serve no pages
    return asyncio.run(_run(settings, with_console=options.console))


def configure_logging() -> None:
    """JSON lines on stdout; libraries only from warnings on, since they log addresses and ids."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s %(levelname)s")


def alarm(what: str) -> None:
    """One line for whoever watches the terminal."""
    print(f"muniment: ALARM {what}", file=sys.stderr)


def say(what: str) -> None:
    """A sentence for whoever watches the terminal."""
    print(f"muniment: {what}", file=sys.stderr)


async def _run(settings: Settings, *, with_console: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Workers(thread_name_prefix="worker"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pages: asyncio.Task[None] | None = None
    async with AsyncExitStack() as stack:
        starting = stack.enter_async_context(running(settings, tell=alarm, say=say))
        bridge = await _started(starting, stop)
        if bridge is not None:
            groups = "1 group" if len(settings.groups) == 1 else f"{len(settings.groups)} groups"
            print(f"muniment: recording; {groups} listed.", file=sys.stderr)
            if with_console:
                beside = app.serve_beside(settings, stop=stop, trouble=bridge.console_trouble)
                pages = asyncio.create_task(beside)
            await stop.wait()
        print("muniment: stopping; what is on its way is stored first.", file=sys.stderr)
    # It saw the same stop: its last answers went out while the bridge drained.
    if pages is not None:
        await pages
    return 0


async def _started(starting: Coroutine[None, None, Bridge], stop: asyncio.Event) -> Bridge | None:
    """The bridge, if it started before a signal came.

    A first sign-in may hang for as long as the homeserver likes. Nothing is lost by giving it up:
    nothing has been received yet, and what a start changes is a transaction of the journal.
    """
    start = asyncio.create_task(starting)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({start, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not start.done():
        print("muniment: stopping before the start was complete.", file=sys.stderr)
        start.cancel()
        await asyncio.wait({start})
    return None if start.cancelled() else start.result()
