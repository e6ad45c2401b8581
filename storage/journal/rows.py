"""The shapes of rows, and the way between them and the values everyone speaks in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from bridge.lifecycle import EntryState
from bridge.model import (
    Attachment,
    Digest,
    Event,
    Reason,
    SealedRecord,
    SpooledFile,
    Stream,
    Verdict,
)
from bridge.protocols import DownloadOrder, DownloadState, Entry, MediaState, UnopenedGroup
from storage.journal.cipher import JournalCipher

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(value: int) -> datetime:
    """The moment ``value`` milliseconds after 1970."""
    return EPOCH + value * _MILLISECOND


def filed(key: str) -> str:
    """The place of a record's key: ``<gid>/<YYYY>/<MM>/<DD>``."""
    return "/".join(key.split("/")[2:6])


def sayable(text: str) -> str:
    """``text`` as SQL can hold it: platforms send lone surrogates, UTF-8 has none."""
    return text.encode("utf-8", "replace").decode()


class MembershipRow(msgspec.Struct, array_like=True, frozen=True):
    """That somebody came, went or was called otherwise."""

    ident: bytes
    payload: bytes
    received_at: int


class StreamRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``stream`` with what the register adds."""

    sid: int
    id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    name: str | None
    capture_all: int
    retention: str | None

    def stream(self) -> Stream:
        """The row as a value."""
        return Stream(
            id=self.id,
            gid=self.gid,
            connector=self.connector,
            platform=self.platform,
            group_id=self.group_id,
            group_name=self.name,
            capture_all=bool(self.capture_all),
            retention=self.retention,
        )


class EntryRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``entry``, with its stream, as ``entry_some`` gives it."""

    seq: int
    sid: int
    n: int
    state: str
    safe_by: int
    expires_at: int | None
    payload: bytes | None
    verdict: bytes | None
    record: bytes | None
    digest: bytes | None
    key: str | None
    seen_leaf: int | None
    attempts: int
    ident: bytes
    stored_at: int | None
    opened_at: int | None
    stream_id: str
    gid: str
    connector: str
    platform: str
    group_id: str
    group_name: str | None
    capture_all: int
    retention: str | None

    def entry(self, cipher: JournalCipher) -> Entry | None:
        """The row as a value, or None once its content was destroyed."""
        if self.payload is None:
            return None
        return Entry(
            seq=self.seq,
            n=self.n,
            stream=self._stream(),
            event=cipher.open(self.payload, Event, column="payload", row=self.ident),
            state=EntryState(self.state),
            safe_by=from_ms(self.safe_by),
            expires_at=None if self.expires_at is None else from_ms(self.expires_at),
            verdict=self._verdict(cipher),
            record=self._record(cipher),
            seen_leaf=self.seen_leaf,
            attempts=self.attempts,
            stored_at=None if self.stored_at is None else from_ms(self.stored_at),
            opened_at=None if self.opened_at is None else from_ms(self.opened_at),
        )

    def _stream(self) -> Stream:
        return Stream(
            id=self.stream_id,
            gid=self.gid,
            connector=self.connector,
            platform=self.platform,
            group_id=self.group_id,
            group_name=self.group_name,
            capture_all=bool(self.capture_all),
            retention=self.retention,
        )

    def _verdict(self, cipher: JournalCipher) -> Verdict | None:
        if self.verdict is None:
            return None
        return cipher.open(self.verdict, Verdict, column="verdict", row=self.ident)

    def _record(self, cipher: JournalCipher) -> SealedRecord | None:
        if self.record is None or self.digest is None or self.key is None:
            return None
        return SealedRecord(
            body=cipher.open_bytes(self.record, column="record", row=self.ident),
            digest=Digest(value=self.digest),
            key=self.key,
        )


class VerdictRow(msgspec.Struct, array_like=True, frozen=True):
    """A verdict with the row it is bound to."""

    verdict: bytes | None
    ident: bytes

    def value(self, cipher: JournalCipher) -> Verdict | None:
        """The verdict, or None where nothing was judged yet."""
        if self.verdict is None:
            return None
        return cipher.open(self.verdict, Verdict, column="verdict", row=self.ident)

    def wordless(self, cipher: JournalCipher) -> bytes | None:
        """The verdict, sealed again, without anything that came from a message."""
        verdict = self.value(cipher)
        if verdict is None:
            return None
        reasons = tuple(Reason(code=reason.code, rule=reason.rule) for reason in verdict.reasons)
        bare = replace(verdict, reasons=reasons, markings=(), context=())
        return cipher.seal(bare, column="verdict", row=self.ident)


class DueDownloadRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``download_due``."""

    id: int
    seq: int
    i: int
    due: int
    attempts: int
    attachment: bytes
    connector: str
    group_id: str
    ident: bytes

    def order(self, cipher: JournalCipher) -> DownloadOrder:
        """The row as a value."""
        return DownloadOrder(
            id=self.id,
            seq=self.seq,
            i=self.i,
            connector=self.connector,
            group_id=self.group_id,
            attachment=cipher.open(
                self.attachment, Attachment, column="attachment", row=self.ident
            ),
            due=from_ms(self.due),
            attempts=self.attempts,
        )


class MediaRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``download_of``."""

    id: int
    i: int
    state: str
    attachment: bytes
    file: bytes | None
    ident: bytes

    def media(self, cipher: JournalCipher) -> MediaState:
        """The row as a value."""
        return MediaState(
            order_id=self.id,
            i=self.i,
            attachment=cipher.open(
                self.attachment, Attachment, column="attachment", row=self.ident
            ),
            state=DownloadState(self.state),
            file=self.spooled(cipher),
        )

    def spooled(self, cipher: JournalCipher) -> SpooledFile | None:
        """The file in the spool, if it came."""
        if self.file is None:
            return None
        return cipher.open(self.file, SpooledFile, column="file", row=self.ident)


class FileRow(msgspec.Struct, array_like=True, frozen=True):
    """A spool file with the row it is bound to."""

    file: bytes
    ident: bytes

    def name(self, cipher: JournalCipher) -> str:
        """The file's name in the spool."""
        return cipher.open(self.file, SpooledFile, column="file", row=self.ident).name


class PlacementRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``placement_waiting``."""

    id: int
    kind: str
    folder: str
    number: int | None
    body: bytes
    connector: str
    group_id: str
    at: int
    stream: str | None
    total: int | None


class PlacementAt(msgspec.Struct, array_like=True, frozen=True):
    """How far a document came."""

    series: str
    number: int | None
    placed: int


class EntryPlace(msgspec.Struct, array_like=True, frozen=True):
    """Where an entry stands, without its content."""

    seq: int
    sid: int
    n: int
    state: str
    payload: bytes | None
    ident: bytes
    closed: int


class TallyRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``tally_entries``."""

    connector: str
    group_id: str
    state: str
    outcome: str | None
    count: int
    last: int
    late: int
    stored: int


class UnopenedTallyRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``tally_unopened``."""

    connector: str
    group_id: str
    why: str
    count: int
    oldest: int

    def group(self) -> UnopenedGroup:
        """The row as a value."""
        return UnopenedGroup(
            connector=self.connector,
            group_id=self.group_id,
            why=self.why,
            count=self.count,
            oldest=from_ms(self.oldest),
        )
