"""Outside proofs of the log: witnesses co-sign its checkpoints, an authority dates them.

Nothing waits for them: recording, storing and the log go on while they are slow or dead, and they
are asked again. What they gave is queued in the journal, put into the store for good, and named by
an ``anchor`` leaf in the next checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bridge import keys
from bridge.canonical import AnchorLeaf, Leaf, read_anchor, rfc3339, written_at
from bridge.errors import (
    AnchorError,
    AnchorRejectedError,
    MunimentError,
    ObjectConflictError,
)
from bridge.model import Digest
from bridge.protocols import (
    Anchor,
    Clock,
    Head,
    Journal,
    ObjectBody,
    ObjectStore,
    Published,
    TimestampAuthority,
    Voucher,
    Witness,
)
from bridge.seal import fixed_date

log = structlog.get_logger(__name__)

ASK_SECONDS = 600.0
"""Between two rounds in which somebody outside is asked."""

STAMP_SECONDS = 3600.0
CLOCKS_APART = timedelta(minutes=5)
"""A proof whose time is further from ours than that says that one of two clocks is wrong."""

ROUND_SECONDS = 5.0
PLACED_AT_ONCE = 50
LEAVES_AT_ONCE = 1000
"""Leaves that are read at a time to find out what was anchored before this start."""

_TYPES = {"note": "text/plain; charset=utf-8", "tsr": "application/timestamp-reply"}


class Anchoring:
    """Asks witnesses and an authority about published heads, and keeps what they answer."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        clock: Clock,
        tenant: str,
        retention_days: int | None,
        published: Callable[[], Published | None],
        witnesses: Sequence[Witness] = (),
        quorum: int = 1,
        authority: TimestampAuthority | None = None,
        shard: str = "0",
    ) -> None:
        """``retention_days``: the longest of all classes; None asks no retention."""
        self._journal = journal
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._retention_days = retention_days
        self._published = published
        self._witnesses = tuple(witnesses)
        self._quorum = quorum
        self._authority = authority
        self._shard = shard
        self._covered = dict.fromkeys((witness.name for witness in witnesses), 0)
        self._noted = self._stamped = 0
        self._asked_at = self._stamped_at = clock.monotonic() - STAMP_SECONDS
        self._vouchers = {name: Voucher(kind="witness", name=name) for name in self._covered}
        self._stamping = Voucher(kind="timestamp", name=authority.name if authority else "")
        self._recalled = False
        self._trouble = ""

    @property
    def vouchers(self) -> tuple[Voucher, ...]:
        """Who vouches, since when, and what is in the way."""
        stamping = (self._stamping,) if self._authority is not None else ()
        return (*self._vouchers.values(), *stamping)

    @property
    def witnessing(self) -> str:
        """What is wrong with the witnesses, once fewer answer well than the quorum asks for."""
        troubles = [each.trouble for each in self._vouchers.values() if each.trouble]
        good = len(self._vouchers) - len(troubles)
        if not troubles or good >= self._quorum:
            return ""
        return f"{good} of {len(self._vouchers)} witnesses co-sign the log: {' '.join(troubles)}"

    @property
    def stamping(self) -> str:
        """What is wrong with the time-stamping authority."""
        return self._stamping.trouble

    @property
    def placing(self) -> str:
        """Why what was given cannot be kept."""
        return self._trouble

    async def run(self) -> None:
        """Ask and keep until cancelled. There MUST be a published log, or none yet."""
        while True:
            await self.round()
            await self._clock.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """One round: keep what was given before, ask, keep what was given."""
        trouble = ""
        try:
            if not self._recalled:
                await self._recall()
            await self._place()
            if await self._ask():
                await self._place()
        except MunimentError as error:
            trouble = str(error)
            if self._trouble != trouble:
                log.warning("not_anchoring", what=trouble, hint=error.hint)
        self._trouble = trouble

    async def _recall(self) -> None:
        """Find out what was anchored before this start, from the leaves and the store."""
        waiting = await self._journal.anchors(limit=LEAVES_AT_ONCE)
        for anchor in waiting:
            self._remember(anchor.key, anchor.size, anchor.body, anchor.at)
        stop = await self._journal.leaf_count()
        since = self._clock.now() - timedelta(seconds=STAMP_SECONDS)
        while stop:
            start = max(stop - LEAVES_AT_ONCE, 0)
            leaves = await self._journal.leaves(start, stop - start)
            for line in filter(None, map(read_anchor, leaves)):
                await self._recall_one(line)
            # What was anchored before that is due again as soon as there is news.
            stop = start if written_at(leaves[0]) > since else 0
        self._recalled = True

    async def _recall_one(self, anchor: AnchorLeaf) -> None:
        stamp, note = self._key(anchor.size, "tsr"), self._key(anchor.size, "note")
        if anchor.place == self._place_of(stamp):
            self._remember(stamp, anchor.size, b"", anchor.at)
        elif anchor.place == self._place_of(note):
            body = await self._store.get(note)
            self._remember(note, anchor.size, body or b"", anchor.at)

    def _remember(self, key: str, size: int, body: bytes, at: datetime) -> None:
        age = max((self._clock.now() - at).total_seconds(), 0.0)
        monotonic = self._clock.monotonic() - age
        self._asked_at = max(self._asked_at, monotonic)
        if key == self._key(size, "tsr"):
            self._stamped = max(self._stamped, size)
            self._stamped_at = max(self._stamped_at, monotonic)
            self._stamping = replace(self._stamping, at=_later(self._stamping.at, at))
            return
        self._noted = max(self._noted, size)
        for witness in self._witnesses:
            if size > self._covered[witness.name] and witness.cosigned(body):
                self._covered[witness.name] = size
                self._vouchers[witness.name] = replace(self._vouchers[witness.name], at=at)

    async def _ask(self) -> bool:
        """Ask whoever has not vouched for the log's newest content. True: somebody answered.

        The note waits for all who were asked, for as long as one request may take: it can be put
        once only. Crash before the first queueing: they are asked again. Crash between note and
        token: the note is kept, and the authority is asked again about the head of then.
        """
        published, now = self._published(), self._clock.monotonic()
        if published is None or published.handing_over or now - self._asked_at < ASK_SECONDS:
            return False
        head, content = published.head, published.content_size
        if head.size <= self._noted:
            return False  # its note is fixed; the next head covers as much
        witnesses = [each for each in self._witnesses if self._covered[each.name] < content]
        authority = self._authority if self._stamped < content else None
        if now - self._stamped_at < STAMP_SECONDS:
            authority = None
        if not witnesses and authority is None:
            return False
        self._asked_at = now
        *lines, token = await asyncio.gather(
            *(self._cosigned(witness, head) for witness in witnesses),
            self._token(authority, head),
        )
        given = [(witness, line) for witness, line in zip(witnesses, lines, strict=True) if line]
        if given or token:
            note = head.note + b"".join(line for _, line in given)
            await self._queue("note", head, note)
            self._noted = head.size
        for witness, _ in given:
            self._covered[witness.name] = head.size
        if token:
            await self._queue("tsr", head, token)
            self._stamped, self._stamped_at = head.size, now
        return bool(given or token)

    async def _cosigned(self, witness: Witness, head: Head) -> bytes:
        """The witness's line, or nothing."""
        voucher = self._vouchers[witness.name]
        try:
            cosignature = await witness.cosign(head)
        except AnchorError as error:
            self._vouchers[witness.name] = _in_trouble(voucher, error)
            return b""
        self._vouchers[witness.name] = self._answered(voucher, cosignature.at)
        log.info("witnessed", witness=witness.name, size=head.size)
        return cosignature.line

    async def _token(self, authority: TimestampAuthority | None, head: Head) -> bytes:
        """The authority's token, or nothing."""
        if authority is None:
            return b""
        try:
            stamp = await authority.stamp(head.note)
        except AnchorError as error:
            self._stamping = _in_trouble(self._stamping, error)
            return b""
        self._stamping = self._answered(self._stamping, stamp.at)
        log.info("timestamped", authority=authority.name, size=head.size, checked=stamp.trusted)
        return stamp.token

    def _answered(self, voucher: Voucher, at: datetime) -> Voucher:
        """After a proof with this time. One of another time than ours is kept too, and told."""
        vouched = replace(voucher, at=at, trouble="")
        if abs(at - self._clock.now()) <= CLOCKS_APART:
            return vouched
        return _in_trouble(replace(vouched, trouble=voucher.trouble), _clocks_apart(vouched, at))

    async def _queue(self, kind: str, head: Head, body: bytes) -> None:
        key, now = self._key(head.size, kind), self._clock.now()
        await self._journal.queue_anchor(Anchor(key=key, size=head.size, body=body, at=now))

    def _key(self, size: int, kind: str) -> str:
        return keys.anchor_key(self._shard, size, kind)

    def _place_of(self, key: str) -> str:
        return Digest.of(keys.absolute(self._tenant, key).encode()).hex

    async def _place(self) -> None:
        """Put what is queued, then write its leaf.

        Crash before the put: it is still queued. Crash after: the same bytes are put again, which
        changes nothing, and the leaf follows.
        """
        while waiting := await self._journal.anchors(limit=PLACED_AT_ONCE):
            for anchor in waiting:
                await self._place_one(anchor)

    async def _place_one(self, anchor: Anchor) -> None:
        body: bytes | None = anchor.body
        try:
            await self._store.put(
                anchor.key,
                ObjectBody.of(anchor.body),
                retain_until=self._retain_until(anchor.at),
                content_type=_TYPES[anchor.key.rpartition(".")[2]],
            )
        except ObjectConflictError:
            body = await self._standing(anchor)
        leaf = None
        if body is not None:
            leaf = Leaf.anchor(
                at=self._clock.now(),
                size=anchor.size,
                key=keys.absolute(self._tenant, anchor.key),
                digest=Digest.of(body),
            )
        await self._journal.anchored(anchor.key, leaf=leaf)

    async def _standing(self, anchor: Anchor) -> bytes | None:
        """Another proof of this size, which an earlier life of this log left without its leaf.

        It is named instead of ours, if it is of this head. Anything else there is not our work,
        and no leaf of ours vouches for it.
        """
        theirs = await self._store.get(anchor.key) or b""
        if anchor.key.endswith(".note"):
            text = anchor.body.partition(b"\n\n")[0] + b"\n\n"
            ours = theirs.startswith(text)
        else:
            note = await self._store.get(self._key(anchor.size, "note")) or b""
            text, blank, lines = note.partition(b"\n\n")
            head = text + blank + lines[: lines.find(b"\n") + 1]
            ours = Digest.of(head).value in theirs
        if ours:
            return theirs
        log.error("anchor_place_taken", key=anchor.key)
        return None

    def _retain_until(self, at: datetime) -> datetime | None:
        if self._retention_days is None:
            return None
        return fixed_date(at + timedelta(days=self._retention_days), now=self._clock.now())


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _clocks_apart(voucher: Voucher, at: datetime) -> AnchorError:
    return AnchorRejectedError(
        f"The {voucher.kind} {voucher.name} says {rfc3339(at)}, which is not the time here.",
        hint="Set this machine's clock; if it is right, tell who runs the other one.",
    )


def _in_trouble(voucher: Voucher, error: AnchorError) -> Voucher:
    if voucher.trouble != str(error):
        log.warning(
            "not_vouched",
            by=voucher.name,
            kind=voucher.kind,
            what=str(error),
            hint=error.hint,
        )
    return replace(voucher, trouble=str(error))
