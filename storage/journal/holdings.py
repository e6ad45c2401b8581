"""Verbs on what the journal holds: compared with the store, with the source, and with the clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge import keys
from bridge.model import Digest, Loss
from bridge.protocols import Entry, KeptObject
from storage.journal.committer import Transaction
from storage.journal.core import JournalCore, as_json
from storage.journal.placements import ACTS
from storage.journal.rows import from_ms, to_ms

_RECORD = re.compile(
    rf"(?:{keys.RECORDS}|{keys.REVIEW})/"
    r"(?P<rest>[a-z0-9._-]+/(?P<place>[0-9a-f]+/\d{4}/\d\d/\d\d))/"
    r"(?:(?P<stem>[0-9a-f-]+)\.json|media/(?P<of>[0-9a-f-]+)/\d+)",
    re.ASCII,
)
_PLACED = re.compile(
    rf"(?P<folder>(?:{keys.MANIFESTS}|{ACTS})/[a-z0-9/]+)/(?P<number>\d{{6,15}})\.json", re.ASCII
)
_NUMBERED = re.compile(r"\d{9}-(?P<n>\d{12})-[0-9a-f]{16}", re.ASCII)


class KeptRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``entry_kept``."""

    seq: int
    key: str
    digest: bytes


class KeptDocumentRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``placement_kept``."""

    id: int
    folder: str
    number: int
    digest: bytes | None
    body: bytes | None


class GapRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``gap_of``."""

    stream: str
    why: str
    since: int | None
    until: int | None
    detail: bytes


class HoldingVerbs(JournalCore):
    """See :class:`bridge.protocols.Journal`."""

    async def kept(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Records whose receipt is here."""
        rows = await self._rows("entry_kept", KeptRow, after, limit)
        return tuple(
            KeptObject(seq=row.seq, key=row.key, digest=Digest(value=row.digest)) for row in rows
        )

    async def kept_documents(self, *, after: int, limit: int) -> tuple[KeptObject, ...]:
        """Manifest parts and acts that were placed."""
        rows = await self._rows("placement_kept", KeptDocumentRow, after, limit)
        return tuple(
            KeptObject(
                seq=row.id, key=keys.placed_key(row.folder, row.number), digest=self._digest(row)
            )
            for row in rows
        )

    def _digest(self, row: KeptDocumentRow) -> Digest:
        if row.digest is not None:
            return Digest(value=row.digest)
        return Digest.of(self._cipher.open_bytes(row.body or b"", column="placement", row=b""))

    async def knows(self, keys_: Sequence[str]) -> frozenset[str]:
        """Which keys are ours. A medium is known by its record's key."""
        records = {key: found for key in keys_ if (found := _record(key)) is not None}
        placed = {key: at for key in keys_ if (at := _placed(key)) is not None}
        wanted = [(place, n) for place, n, _ in records.values()]
        filed = await self._rows("entry_filed", str, as_json(sorted(set(wanted))))
        rests = {key.partition("/")[2] for key in filed}
        series = [(_series(folder), number) for folder, number in placed.values()]
        numbers = set(
            await self._rows("placement_known", tuple[str, int], as_json(sorted(set(series))))
        )
        ours = {key for key, (_, _, rest) in records.items() if rest in rests}
        ours |= {key for key, at in placed.items() if at in numbers}
        proofs = [key for key in keys_ if key.startswith(f"{keys.ANCHORS}/")]
        return frozenset(ours.union(await self._rows("anchor_known", str, as_json(proofs))))

    async def has_seen(
        self, connector: str, group_id: str, upstream_ids: Sequence[str]
    ) -> frozenset[str]:
        """Which events were ever journalled; their identity depends on the stream."""
        streams = await self._rows("stream_ids_of", str, connector, group_id)
        idents = {
            keys.identity(self._blind_key, stream, upstream_id, None): upstream_id
            for stream in streams
            for upstream_id in upstream_ids
        }
        if not idents:
            return frozenset()
        wanted = as_json([ident.hex() for ident in idents])
        found = await self._rows("entry_seen", bytes, connector, group_id, wanted)
        return frozenset(idents[ident] for ident in found)

    async def gaps(self, connector: str, group_id: str) -> tuple[Loss, ...]:
        """The known losses of a group."""
        rows = await self._rows("gap_of", GapRow, connector, group_id)
        return tuple(
            Loss(
                group_id=group_id,
                why=row.why,
                since=None if row.since is None else from_ms(row.since),
                until=None if row.until is None else from_ms(row.until),
                detail=self._cipher.open(row.detail, str, column="detail", row=row.stream.encode()),
            )
            for row in rows
        )

    async def undecided(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Stored reviews that nobody decided. What does not open must not stand before others."""
        return await self._oldest("entry_undecided", received_before, limit)

    async def open_discards(self, *, received_before: datetime, limit: int) -> tuple[Entry, ...]:
        """Discards that are not final. What does not open must not stand before others."""
        return await self._oldest("entry_open_discards", received_before, limit)

    async def finalise(self, seqs: Sequence[int]) -> None:
        """Mark them. Crash before: they are judged once more again."""
        if not seqs:
            return

        async def work(transaction: Transaction) -> None:
            await transaction.run("entry_finalise", as_json(list(seqs)))

        await self._committer.run(work)

    async def _oldest(self, query: str, before: datetime, limit: int) -> tuple[Entry, ...]:
        seqs = await self._rows(query, int, to_ms(before), limit + len(self._damaged))
        chosen = [seq for seq in seqs if seq not in self._damaged][:limit]
        return await self._entries(chosen)


def _record(key: str) -> tuple[str, int, str] | None:
    """Place, number and area-less key of the record that ``key`` is, or is a medium of."""
    found = _RECORD.fullmatch(key)
    if found is None:
        return None
    stem = found["stem"] or found["of"]
    numbered = _NUMBERED.fullmatch(stem)
    if numbered is None:
        return None
    return found["place"], int(numbered["n"]), f"{found['rest']}/{stem}.json"


def _placed(key: str) -> tuple[str, int] | None:
    """Folder and number of a manifest part or an act."""
    found = _PLACED.fullmatch(key)
    if found is None:
        return None
    folder, number = found["folder"], int(found["number"])
    return (folder, number) if keys.placed_key(folder, number) == key else None


def _series(folder: str) -> str:
    return folder if folder.startswith(keys.MANIFESTS) else ACTS
