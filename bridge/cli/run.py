"""``muniment run``: the bridge, until a signal stops it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import sys

import structlog

from bridge.app import Settings, read_settings, running


def add(verbs: argparse._SubParsersAction, everywhere: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    """Declare the verb."""
    verb = verbs.add_parser("run", parents=[everywhere], help="record, until stopped")
    verb.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT, then drain."""
    configure_logging()
    no_core_dumps()
    settings = read_settings(options.config)
    return asyncio.run(_run(settings))


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


def no_core_dumps() -> None:
    """What is in memory must not end up in a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def alarm(what: str) -> None:
    """One line for whoever watches the terminal."""
    print(f"muniment: ALARM {what}", file=sys.stderr)


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, tell=alarm):
        print(f"muniment: recording; {len(settings.groups)} groups listed.", file=sys.stderr)
        await stop.wait()
        print("muniment: stopping; what is on its way is stored first.", file=sys.stderr)
    return 0
