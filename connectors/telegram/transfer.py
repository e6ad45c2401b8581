"""Files on their way: over a link that expires, or from the disk of an own Bot API server."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path

import httpx

from bridge.errors import ConnectorUnavailableError
from connectors.telegram.exact import SECONDS, unavailable

LINK_SECONDS = 3600.0
"""So long a link holds at least; a transfer that takes longer is begun anew with a new one."""

CHUNK = 256 * 1024


class FileStream:
    """A file over HTTP; see :class:`bridge.protocols.Download`."""

    def __init__(self, response: httpx.Response, base: str) -> None:
        self._response = response
        self._base = base
        self._end = asyncio.get_running_loop().time() + LINK_SECONDS
        self.size = _length(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order."""
        parts = self._response.aiter_bytes()
        while True:
            part = await self._next(parts)
            if part is None:
                return
            yield part

    async def aclose(self) -> None:
        """Give up the transfer; a connection with bytes left in it is not used again."""
        await self._response.aclose()

    async def _next(self, parts: AsyncIterator[bytes]) -> bytes | None:
        until = min(asyncio.get_running_loop().time() + SECONDS, self._end)
        try:
            async with asyncio.timeout_at(until):
                return await anext(parts, None)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            failure = unavailable(self._base, error)
        raise failure


class LocalFile:
    """A file that an own Bot API server put on a disk we can read."""

    def __init__(self, file: FileIO, size: int) -> None:
        self._file = file
        self.size: int | None = size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order."""
        while True:
            try:
                part = await asyncio.to_thread(self._file.read, CHUNK)
            except (OSError, ValueError) as error:
                raise _unreadable(error) from None
            if not part:
                return
            yield part

    async def aclose(self) -> None:
        """Close the file, read or not."""
        await asyncio.to_thread(self._file.close)


async def open_local(path: str, root: Path) -> LocalFile:
    """Open a file under ``root``. MUST NOT open any other, whatever the server says.

    Raises:
        ConnectorUnavailableError: it is not there, cannot be read, or stands elsewhere.
    """
    # Without its name: an own server's folders are called by the tokens of its bots.
    try:
        file, size = await asyncio.to_thread(_opened, path, root)
    except (OSError, ValueError) as error:
        failure = _unreadable(error)
    else:
        return LocalFile(file, size)
    raise failure


def _opened(path: str, root: Path) -> tuple[FileIO, int]:
    real = Path(path).resolve(strict=True)
    if not real.is_relative_to(root.resolve()):
        raise PermissionError("outside")
    # Whatever it is, opening it must not block; a link put in its place meanwhile is refused.
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = FileIO(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise PermissionError("no file")
    return file, found.st_size


def _unreadable(error: Exception) -> ConnectorUnavailableError:
    return ConnectorUnavailableError(
        f"A file of the own Bot API server cannot be read ({type(error).__name__}).",
        hint="Let the recorder's account read the folder that [[telegram]] local_files names;"
        " it must be the one in which the server (--local) keeps its files.",
    )


def _length(response: httpx.Response) -> int | None:
    """As declared; of a compressed transfer that is another size than that of the file."""
    declared = response.headers.get("Content-Length", "")
    packed = "Content-Encoding" in response.headers
    return None if packed or not declared.isdecimal() else int(declared)
