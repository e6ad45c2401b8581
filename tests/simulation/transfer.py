"""An attachment on its way to the recorder."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bridge.errors import ConnectorUnavailableError
from bridge.protocols import Clock, Download


class SimDownload:
    """A transfer in two pieces, which may break between them."""

    def __init__(self, data: bytes, *, breaks: bool, clock: Clock, random: Random) -> None:
        half = len(data) // 2
        self._pieces = [data[:half], data[half:]]
        self._breaks = breaks
        self._clock = clock
        self._draw = random
        self.size: int | None = random.choice((None, len(data)))

    def chunks(self) -> SimDownload:
        """The clear bytes in order."""
        return self

    def __aiter__(self) -> SimDownload:
        return self

    async def __anext__(self) -> bytes:
        await self._clock.sleep(self._draw.uniform(0.001, 0.3))
        if not self._pieces:
            raise StopAsyncIteration
        if self._breaks and len(self._pieces) == 1:
            raise ConnectorUnavailableError("The transfer broke.")
        return self._pieces.pop(0)

    async def aclose(self) -> None:
        """Give up the transfer."""
        self._pieces.clear()


if TYPE_CHECKING:
    _download: type[Download] = SimDownload
