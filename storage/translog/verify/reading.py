"""Reading objects: several at once, given out in order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from bridge.protocols.evidence import Evidence, StoredVersion

READ_SIZE = 1 << 20
_T = TypeVar("_T")
_R = TypeVar("_R")


def in_order(
    pool: ThreadPoolExecutor | None, work: Callable[[_T], _R], items: Iterable[_T], *, window: int
) -> Iterator[_R]:
    """What ``work`` makes of each item, in their order; at most ``window`` are under way.

    Without a pool it is done here.
    """
    if pool is None:
        yield from map(work, items)
        return
    under_way: deque[Future[_R]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= window:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


def body_of(evidence: Evidence, found: StoredVersion) -> bytes:
    """All the bytes of a version."""
    if found.version is None and (body := evidence.read(found.key)) is not None:
        return body
    with evidence.open(found) as source:
        return source.read()


def digest_of(evidence: Evidence, found: StoredVersion) -> tuple[bytes, int]:
    """SHA-256 and length of a version's bytes, of whatever length."""
    if found.size <= READ_SIZE:
        body = body_of(evidence, found)
        return hashlib.sha256(body).digest(), len(body)
    digest, length = hashlib.sha256(), 0
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    with evidence.open(found) as source:
        while count := source.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(view[:count])
            length += count
    return digest.digest(), length
