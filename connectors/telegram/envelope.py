"""Splits what the Bot API sends into the exact bytes of its updates. Nothing is re-serialised.

The fast way is msgspec; where it refuses, the quotes and brackets alone give the same byte
ranges, so that one hostile update never costs its neighbours. Of duplicate keys the last one
holds, either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from bridge.errors import EnvelopeError
from bridge.rawjson.scan import ScanError, elements, members

_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)
_HIGHEST = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class RawUpdate:
    """One update. ``update_id`` is None where it cannot be told."""

    update_id: int | None
    raw: bytes = field(repr=False)


class _Answer(msgspec.Struct):
    ok: bool
    result: list[msgspec.Raw]


class _Head(msgspec.Struct):
    update_id: int


_ANSWER = msgspec.json.Decoder(_Answer)
_HEAD = msgspec.json.Decoder(_Head)
_VALUE = msgspec.json.Decoder(int)


def split_updates(body: bytes) -> tuple[RawUpdate, ...]:
    """The updates in the answer to ``getUpdates``, in its order.

    Raises:
        EnvelopeError: it is no answer with updates, or they cannot be told apart.
    """
    try:
        answer = _ANSWER.decode(body)
    except _REFUSALS:
        updates = _scanned(body)
    else:
        if not answer.ok:
            raise EnvelopeError("The answer with updates cannot be split: not ok.", body=body)
        updates = tuple(map(bytes, answer.result))
    return tuple(RawUpdate(update_id=update_id_of(raw), raw=raw) for raw in updates)


def split_webhook(body: bytes) -> RawUpdate:
    """The one update that a webhook was called with; its bytes are all of the body.

    Raises:
        EnvelopeError: it is no object, or its members cannot be told apart.
    """
    update_id = update_id_of(body)
    if update_id is None:
        try:
            for _ in members(body):
                pass
        except ScanError as error:
            raise EnvelopeError(f"The update cannot be split: {error}.", body=body) from None
    return RawUpdate(update_id=update_id, raw=body)


def update_id_of(raw: bytes) -> int | None:
    """The id of an update, or None. MUST NOT raise.

    A negative one is none: as an offset it would make the Bot API forget what it still holds.
    """
    try:
        return _usable(_HEAD.decode(raw).update_id)
    except _REFUSALS:
        pass
    found: bytes | None = None
    try:
        for key, value in members(raw):
            found = value if key == "update_id" else found
        return None if found is None else _usable(_VALUE.decode(found))
    except _REFUSALS:
        return None


def offset_after(updates: Iterable[RawUpdate]) -> int | None:
    """The ``offset`` that acknowledges ``updates`` and nothing newer; None where none tells it."""
    known = [update.update_id for update in updates if update.update_id is not None]
    return max(known) + 1 if known else None


def _usable(update_id: int) -> int | None:
    return update_id if 0 <= update_id < _HIGHEST else None


def _scanned(body: bytes) -> tuple[bytes, ...]:
    try:
        return tuple(elements(_result(body)))
    except ScanError as error:
        raise EnvelopeError(
            f"The answer with updates cannot be split: {error}.", body=body
        ) from None


def _result(body: bytes) -> bytes:
    ok, result = b"", None
    for key, value in members(body):
        ok = value if key == "ok" else ok
        result = value if key == "result" else result
    if ok != b"true" or result is None:
        raise ScanError("it has no result")
    return result
