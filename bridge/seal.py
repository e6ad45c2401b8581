"""Steps 5 and 6 as functions: fix a record's bytes, and put them where they stay.

There is no loop here. The triage and the writer call these; so does recovery, since whatever
state a crash left, the next step is the same as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge import deadlines, keys
from bridge.canonical import CaptureTool, Leaf, MediaCopy, RecordFrame, record_bytes
from bridge.errors import CanonicalError, ObjectStoreUnavailableError
from bridge.lifecycle import seal_trigger
from bridge.model import (
    Attachment,
    Digest,
    Event,
    EventKind,
    Outcome,
    SealedRecord,
    SpooledFile,
    Stream,
    Verdict,
)
from bridge.protocols import (
    Clock,
    DownloadState,
    Entry,
    Journal,
    MediaState,
    ObjectBody,
    ObjectStore,
    Sealing,
    Spool,
    StoredProof,
)

ARRIVED = frozenset({DownloadState.SPOOLED, DownloadState.STORED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long objects are kept, by area. None: no retention is asked of the store."""

    records: timedelta | None
    review: timedelta | None

    def until(self, area: str, *, received_at: datetime, now: datetime) -> datetime | None:
        """The date for an object in ``area``: the same at every try, and never in the past.

        A store that took an earlier try keeps the date of that one; a later date asked by the
        next try would look as if the store had not kept it.
        """
        length = self.review if area == keys.REVIEW else self.records
        return None if length is None else fixed_date(received_at + length, now=now)


def fixed_date(date: datetime, *, now: datetime) -> datetime:
    """``date``, or the end of tomorrow where it has passed: a lock in the past is refused."""
    if date > now + timedelta(hours=1):
        return date
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=2)


async def media_of(journal: Journal, entry: Entry) -> tuple[MediaState, ...]:
    """The attachments an entry carries; most have none and cost no query."""
    if not entry.event.attachments and entry.event.kind is not EventKind.MEDIA:
        return ()
    return await journal.media(entry.seq)


def area_of(verdict: Verdict) -> str:
    """The area a verdict puts a record in. Discards get the one they would be promoted to."""
    return keys.REVIEW if verdict.outcome is Outcome.REVIEW else keys.RECORDS


class Sealer:
    """Step 5. ``random_bytes`` draws salts; ``version`` is ours, for the record."""

    def __init__(
        self,
        *,
        journal: Journal,
        blind_key: bytes,
        random_bytes: Callable[[int], bytes],
        clock: Clock,
        version: str,
    ) -> None:
        self._journal = journal
        self._blind_key = blind_key
        self._random = random_bytes
        self._clock = clock
        self._version = version

    async def sealing(self, entry: Entry) -> Sealing:
        """The seal of a judged entry: exact bytes, digest, key and seen leaf."""
        verdict = entry.verdict
        if verdict is None:
            raise RuntimeError("only judged entries are sealed")
        name = self._name(entry)
        media = await media_of(self._journal, entry)
        copies = tuple(_copy(name, item) for item in media)
        body = await self._record(entry, copies)
        digest = Digest.of(body)
        return Sealing(
            seq=entry.seq,
            trigger=seal_trigger(verdict),
            record=SealedRecord(body=body, digest=digest, key=name.record(area_of(verdict))),
            leaf=Leaf.seen(
                at=self._clock.now(),
                stream=entry.stream.id,
                n=entry.n,
                digest=digest,
                verdict=verdict,
            ),
            media=sum(copy.object_name is not None for copy in copies),
        )

    def _name(self, entry: Entry) -> keys.RecordName:
        event = entry.event
        ident = keys.identity(self._blind_key, entry.stream.id, event.upstream_id, event.revision)
        return keys.RecordName(
            platform=entry.stream.platform,
            gid=entry.stream.gid,
            filed_at=keys.filed_at(sent_at=event.sent_at, observed_at=event.observed_at),
            n=entry.n,
            id16=ident[:8].hex(),
        )

    async def _record(self, entry: Entry, media: tuple[MediaCopy, ...]) -> bytes:
        frame = RecordFrame(
            salt=self._random(32),
            stream=entry.stream.id,
            n=entry.n,
            platform=entry.stream.platform,
            group_name=entry.stream.group_name,
            target_n=await self._target(entry),
            roster_n=await self._journal.roster_before(entry.stream.id, entry.n),
            media=media,
            tool=CaptureTool(connector=entry.stream.connector, version=self._version),
        )
        try:
            return record_bytes(entry.event, frame)
        except CanonicalError:
            # The media are put all the same, and only what a record names may stand in the store.
            bare = tuple(replace(copy, attachment=Attachment(url="")) for copy in media)
            return record_bytes(_bare(entry.event), replace(frame, media=bare))

    async def _target(self, entry: Entry) -> int | None:
        relation = entry.event.relates_to
        if relation is None:
            return None
        target = await self._journal.find(entry.stream.id, relation.upstream_id)
        return target.n if target is not None else None


def _bare(event: Event) -> Event:
    """The event without any text that JSON cannot carry; its raw bytes hold it all."""
    return replace(
        event,
        kind=EventKind.UNPARSED,
        body=None,
        sender=None,
        relates_to=None,
        attachments=(),
        upstream=(),
    )


def _copy(name: keys.RecordName, media: MediaState) -> MediaCopy:
    if media.file is None or media.state not in ARRIVED:
        return MediaCopy(attachment=media.attachment)
    return MediaCopy(
        attachment=media.attachment,
        object_name=keys.media_object(name.stem, media.i),
        digest=media.file.digest,
        size=media.file.size,
        sniffed_type=media.file.sniffed_type,
    )


class Keeper:
    """Step 6: the record's media, then the record, then the receipt in the journal."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: ObjectStore,
        spool: Spool,
        clock: Clock,
        tenant: str,
        retention: Callable[[Stream], Retention],
    ) -> None:
        """``retention`` gives that of a stream's group, as the register has it now."""
        self._journal = journal
        self._store = store
        self._spool = spool
        self._clock = clock
        self._tenant = tenant
        self._retention = retention

    async def keep(self, entry: Entry) -> StoredProof:
        """Put one sealed entry; the media of one that stood elsewhere before are copied from there.

        (6a) Media first: a crash leaves media that no record names, put again the same.
        (6b) The record: a crash leaves it stored without its leaf; the repeated PUT finds our
        own bytes. (6c) The receipt, by :meth:`settle`: from here on it is stored.

        Raises:
            ObjectStoreError: nothing is known to be stored; the same bytes are tried again.
        """
        record = entry.record
        if record is None or entry.seen_leaf is None:
            raise RuntimeError("only sealed entries are stored")
        area = record.key.partition("/")[0]
        retention = self._retention(entry.stream)
        until = retention.until(area, received_at=entry.event.observed_at, now=self._clock.now())
        await self._put_media(entry, record, until)
        receipt = await self._store.put(record.key, ObjectBody.of(record.body), retain_until=until)
        at = self._clock.now()
        late_ms = deadlines.lateness_ms(stored_at=at, expires_at=entry.expires_at)
        return StoredProof(
            seq=entry.seq,
            at=at,
            stored=Leaf.stored(
                at=at,
                ref=entry.seen_leaf,
                digest=receipt.digest,
                key=keys.absolute(self._tenant, record.key),
                retain_until=receipt.retain_until or until,
            ),
            late=Leaf.late(at=at, ref=entry.seen_leaf, late_ms=late_ms) if late_ms else None,
            late_ms=late_ms or None,
        )

    async def settle(self, entry: Entry, proof: StoredProof) -> None:
        """The receipt of a kept entry, in the order that leaves nothing behind.

        The media are marked first: a crash before the receipt puts only the record again. Then
        the receipt, then the spool files: a crash before they go leaves them to the next start,
        which removes what no entry needs.
        """
        names: tuple[str, ...] = ()
        if entry.event.attachments or entry.event.kind is EventKind.MEDIA:
            names = await self._journal.media_stored(entry.seq)
        await self._journal.store([proof])
        await self._spool.remove(frozenset(names))

    async def _put_media(self, entry: Entry, record: SealedRecord, until: datetime | None) -> None:
        for media in await media_of(self._journal, entry):
            body = await self._medium(entry, record, media)
            if body is not None:
                await self._store.put(
                    _media_key(record.key, media.i),
                    body,
                    retain_until=until,
                    content_type="application/octet-stream",
                )

    async def _medium(
        self, entry: Entry, record: SealedRecord, media: MediaState
    ) -> ObjectBody | None:
        """The bytes of a medium that must stand beside the record; None: there are none to put.

        What was put by an earlier try of this key is marked stored and stays as it is.
        """
        if media.file is None or media.state not in ARRIVED:
            return None
        if media.state is DownloadState.SPOOLED:
            return self._spool.body(media.file)
        if entry.stored_at is None:
            return None
        return await self._copy(record, media.i, media.file)

    async def _copy(self, record: SealedRecord, i: int, file: SpooledFile) -> ObjectBody:
        """The medium as it stands beside the record's first copy: the spool has it no more."""
        area, _, rest = record.key.partition("/")
        first = keys.REVIEW if area == keys.RECORDS else keys.RECORDS
        for key in (_media_key(f"{first}/{rest}", i), _media_key(record.key, i)):
            found = await self._store.body(key)
            if found is not None and found.digest == file.digest:
                return found
        raise ObjectStoreUnavailableError(
            f"Attachment {i} of {record.key} is not in the store as it was put there.",
            hint="Find out what removed or changed objects under review/; the record waits for it.",
        )


def _media_key(record_key: str, i: int) -> str:
    return keys.media_key(record_key, keys.media_object(keys.stem_of(record_key), i))
