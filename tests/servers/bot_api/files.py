"""Files that people send.

Documentation: ``File`` (at most 20 MB to download, a link valid for an hour at least; here for
exactly an hour), ``getFile``, "Using a Local Bot API Server" (no limit; ``file_path`` is an
absolute path), and ``file_id``/``file_unique_id`` ("can't be used by other bots" and the same for
all of them).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.servers.bot_api.accounts import Bot
from tests.servers.bot_api.clock import Clock
from tests.servers.bot_api.refusals import bad_request, not_found
from tests.servers.bot_api.wire import JsonObject

DOWNLOAD_LIMIT = 20 * 1024 * 1024
LINK_LASTS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What somebody sends. With ``size`` beyond the bytes, zeros make up the rest."""

    data: bytes
    name: str = "file.bin"
    mime: str = "application/octet-stream"
    size: int | None = None

    @property
    def length(self) -> int:
        """The size of the whole."""
        return len(self.data) if self.size is None else self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file on the shelf."""

    key: str
    upload: Upload
    folder: str

    @property
    def unique_id(self) -> str:
        """``file_unique_id``: the same for every bot."""
        return f"AgAD{self.key}"

    @property
    def path(self) -> str:
        """Where it stands under the root, or behind the link."""
        return f"{self.folder}/file_{self.key}{Path(self.upload.name).suffix}"


class FileShelf:
    """All files, their identifiers for each bot, and the links that were given out."""

    def __init__(self, clock: Clock, local: Path | None) -> None:
        self._clock = clock
        self._local = local
        self._files: dict[str, StoredFile] = {}
        self._links: dict[tuple[int, str], float] = {}

    def put(self, upload: Upload, folder: str) -> StoredFile:
        """Keep a file; in local mode it is on disk at once."""
        key = hashlib.sha256(f"{folder} {len(self._files)}".encode()).hexdigest()[:12]
        stored = StoredFile(key=key, upload=upload, folder=folder)
        self._files[key] = stored
        if self._local is not None:
            path = self._local / stored.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(upload.data)
                file.truncate(upload.length)
        return stored

    def lose(self, key: str) -> None:
        """The file is gone from the service."""
        del self._files[key]

    def id_for(self, bot: Bot, key: str) -> str:
        """The ``file_id`` by which this bot, and no other, asks for it."""
        proof = hashlib.sha256(f"{bot.id} {key}".encode()).hexdigest()[:24]
        return f"BQACAgIAAxkB{key}{proof}"

    def ask(self, bot: Bot, file_id: str) -> JsonObject:
        """What ``getFile`` returns.

        Raises:
            RefusalError: it is not this bot's identifier, or the file is too big to download.
        """
        stored = self._files.get(file_id[12:24])
        if stored is None or file_id != self.id_for(bot, stored.key):
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        length = stored.upload.length
        if self._local is None and length > DOWNLOAD_LIMIT:
            raise bad_request("file is too big")
        found: JsonObject = {
            "file_id": file_id,
            "file_unique_id": stored.unique_id,
            "file_size": length,
        }
        if self._local is not None:
            return found | {"file_path": str((self._local / stored.path).absolute())}
        self._links[bot.id, stored.path] = self._clock.now() + LINK_LASTS
        return found | {"file_path": stored.path}

    def download(self, bot: Bot, path: str) -> bytes:
        """The bytes behind a link.

        Raises:
            RefusalError: no such link, or not any more.
        """
        if self._links.get((bot.id, path), float("-inf")) <= self._clock.now():
            raise not_found()
        found = next((each for each in self._files.values() if each.path == path), None)
        if found is None:
            raise not_found()
        return found.upload.data.ljust(found.upload.length, b"\0")
