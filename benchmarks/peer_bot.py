"""A plain matrix-nio bot, as most recording bots are written: what Muniment is measured against.

It stores its sync tokens through nio and appends every message it is called back for to a file,
one JSON line {"body", "sent", "seen"} with times in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from nio import AsyncClient, AsyncClientConfig, MatrixRoom, RoomMessageText, SyncResponse
from nio.crypto import ENCRYPTION_ENABLED


async def listen(settings: argparse.Namespace) -> None:
    """Sync forever; only a signal ends it."""
    client = AsyncClient(
        settings.homeserver,
        settings.user,
        device_id=settings.device,
        store_path=str(settings.folder),
        config=AsyncClientConfig(store_sync_tokens=True),
    )
    client.restore_login(
        settings.user, settings.device, settings.token_file.read_text(encoding="utf-8").strip()
    )
    wanted = {"room": {"timeline": {"limit": settings.timeline}}} if settings.timeline else None
    ready: Path = settings.folder / "ready"
    with (settings.folder / "seen.jsonl").open("a", encoding="utf-8") as seen:

        async def keep(_room: MatrixRoom, event: RoomMessageText) -> None:
            await asyncio.sleep(settings.handler_delay)
            line = {
                "body": event.body,
                "sent": event.server_timestamp / 1000,
                "seen": time.time(),
            }
            seen.write(json.dumps(line) + "\n")
            seen.flush()

        async def begun(_response: SyncResponse) -> None:
            await asyncio.to_thread(ready.touch)

        client.add_event_callback(keep, RoomMessageText)
        client.add_response_callback(begun, SyncResponse)
        try:
            await client.sync_forever(timeout=30000, full_state=True, sync_filter=wanted)
        finally:
            await client.close()


def main() -> None:
    """Read the arguments and listen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homeserver", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--handler-delay", type=float, default=0.0)
    parser.add_argument("--timeline", type=int, default=0)
    settings = parser.parse_args()
    if not ENCRYPTION_ENABLED:
        raise SystemExit("nio keeps sync tokens only with its store: install matrix-nio[e2e]")
    asyncio.run(listen(settings))


if __name__ == "__main__":
    main()
