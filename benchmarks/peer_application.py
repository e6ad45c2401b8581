"""A plain python-telegram-bot Application, as most bots are: what Muniment is measured against.

It polls, and appends every message its handler is called for to a file, one JSON line
{"body", "sent", "seen"} with times in seconds, forced to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


def listen(settings: argparse.Namespace) -> None:
    """Poll until a signal."""
    ready: Path = settings.folder / "ready"
    with (settings.folder / "seen.jsonl").open("a", encoding="utf-8") as seen:

        async def keep(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
            message = update.effective_message
            if message is None:
                return
            await asyncio.sleep(settings.handler_delay)
            sent = message.date.timestamp()
            line = {"body": message.text, "sent": sent, "seen": time.time()}
            seen.write(json.dumps(line) + "\n")
            seen.flush()
            os.fsync(seen.fileno())

        async def begun(_application: object) -> None:
            # What is sent from here on waits at the server until it is polled for.
            await asyncio.to_thread(ready.touch)

        application = (
            Application.builder()
            .token(settings.token_file.read_text(encoding="utf-8").strip())
            .base_url(f"{settings.api}/bot")
            .post_init(begun)
            .build()
        )
        application.add_handler(MessageHandler(filters.TEXT, keep))
        application.run_polling()


def main() -> None:
    """Read the arguments and listen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True, help="address of the Bot API")
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--handler-delay", type=float, default=0.0)
    listen(parser.parse_args())


if __name__ == "__main__":
    main()
