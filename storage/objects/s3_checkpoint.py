"""The checkpoint in a bucket: the one object that is written again.

What stands is read and compared before each PUT. The PUT itself says what it may replace
(``If-Match``, ``If-None-Match``): where a store keeps that, of two writers one is refused. Where it
does not, another writer can slip past the comparison: with versions that is found right after it,
without them by the loser when it looks the next time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import ObjectConflictError, ObjectStoreUnavailableError
from bridge.model import Digest
from bridge.protocols import CheckpointPlace
from storage.objects.s3_bucket import Bucket
from storage.objects.s3_values import Rewritten

Running: TypeAlias = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class S3CheckpointPlace:
    """Keeps the promises of :class:`bridge.protocols.CheckpointPlace`."""

    bucket: Bucket
    name: str
    run: Running

    async def read(self) -> bytes | None:
        """The newest version; in a bucket with versions the older ones stay beneath it."""
        return await self.run(lambda: _data(self.bucket.newest(self.name)))

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Put it, if what stands is what it is to replace."""
        await self.run(lambda: self._publish(note, instead_of))

    def _publish(self, note: bytes, instead_of: bytes | None) -> None:
        standing = self.bucket.newest(self.name)
        if _data(standing) == note:
            return
        if _data(standing) != instead_of:
            raise self._conflict(standing)
        if self.bucket.rewrite(self.name, note, instead_of=standing) is not None:
            return
        # Refused: somebody was there in between, or our own PUT whose answer was lost, or nobody.
        after = self.bucket.newest(self.name)
        if _data(after) == note:
            return
        if after != standing:
            raise self._conflict(after)
        self._publish_bare(note, standing)

    def _publish_bare(self, note: bytes, standing: Rewritten | None) -> None:
        """The store refuses, and yet nothing has changed: some never keep a condition on versions.

        Then the versions themselves tell afterwards who came in between.
        """
        where = f"{self.name} in {self.bucket.where}"
        if standing is None or not self.bucket.is_versioned():
            raise ObjectStoreUnavailableError(f"{where}: refused, though nothing was there before")
        made = self.bucket.rewrite(self.name, note, instead_of=standing, bare=True)
        versions = self.bucket.history(self.name).versions
        if made not in versions:
            raise ObjectStoreUnavailableError(f"{where} was put and is not there when asked for")
        if versions[versions.index(made) + 1 :][:1] != (standing.version,):
            raise ObjectConflictError(f"{where}: another version came in between", found=None)

    def _conflict(self, standing: Rewritten | None) -> ObjectConflictError:
        found = None if standing is None else Digest.of(standing.data).hex
        where = f"{self.name} in {self.bucket.where}"
        return ObjectConflictError(f"{where} is not what we left there", found=found)


def _data(standing: Rewritten | None) -> bytes | None:
    return None if standing is None else standing.data


if TYPE_CHECKING:
    _: type[CheckpointPlace] = S3CheckpointPlace
