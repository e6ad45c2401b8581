"""What records, manifest parts and acts say, against the leaves that name them."""

from __future__ import annotations

import base64
import binascii
from binascii import unhexlify
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bridge.keys import filed_at, media_key, stream_id
from storage.translog.verify.codes import Code
from storage.translog.verify.documents import (
    Act,
    DocumentError,
    MediaCopy,
    Record,
    Row,
    read_act,
    read_manifest,
    read_record,
)
from storage.translog.verify.leaves import Leaves
from storage.translog.verify.names import is_act, manifest_gid, record_of_media, record_place, twin
from storage.translog.verify.report import Gathering
from storage.translog.verify.table import DIGEST, NONE, OUTCOMES, SEEN

EARLIEST = "1990-01-01T00:00:00.000Z"
"""As text: times of one form compare as they stand."""


@dataclass(frozen=True, slots=True)
class WantedMedia:
    """An attachment that a record names. ``row`` is the record's."""

    digest: bytes
    size: int | None
    row: int


class Contents:
    """Reads documents whose bytes are proved, in key order: acts come before what leans on them.

    ``media`` are the attachments named and not met yet; ``superseded`` the streams that an `open`
    act takes the place of; ``disposed`` the ranges of leaves that `dispose` acts cover;
    ``anchors`` the anchors with their rows.
    """

    def __init__(self, leaves: Leaves, found: Gathering, place: Callable[[str], bytes]) -> None:
        self._leaves = leaves
        self._found = found
        self._place = place
        self._gids: dict[str, tuple[str | None, str | None]] = {}
        self.media: dict[str, WantedMedia] = {}
        self.superseded: set[str] = set()
        self.disposed: list[tuple[int, int]] = []
        self.anchors: list[tuple[int, str, bytes]] = []

    def part(self, found: Gathering) -> Contents:
        """Another one for some records, which knows the acts of this one."""
        some = Contents(self._leaves, found, self._place)
        some._gids = self._gids
        return some

    def judge(self, key: str, row: int, body: bytes) -> None:
        """One object with the row of the leaf that names it."""
        kind = self._leaves.placed.kind_of(row)
        match kind:
            case "stored":
                self._record(key, row, body)
            case "manifest":
                self._manifest(key, row, body)
            case "anchor":
                self.anchors.append((row, key, body))
            case _:
                self._act(kind, key, row, body)

    def _tell(self, code: Code, key: str, row: int, why: str) -> None:
        leaf = self._leaves.placed.leaf[row]
        self._found.add(code, f"{key}, named by leaf {leaf}, {why}.", key=key, leaf=leaf)

    def _record(self, key: str, row: int, body: bytes) -> None:
        try:
            record = read_record(body)
        except DocumentError as error:
            self._tell(Code.RECORD_MALFORMED, key, row, f"is no record: {error}")
            return
        why = self._record_misfit(key, row, record)
        if why:
            self._tell(Code.RECORD_MISMATCH, key, row, why)
        for copy in record.media:
            if copy.object is not None:
                self._want(key, row, copy)

    def _want(self, key: str, row: int, copy: MediaCopy) -> None:
        named = media_key(key, copy.object or "")
        if record_of_media(named) != key:
            why = "names an attachment that does not stand beside it"
            self._tell(Code.RECORD_MISMATCH, key, row, why)
            return
        try:
            digest = unhexlify(copy.sha256 or "")
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) != DIGEST:
            self._tell(Code.RECORD_MALFORMED, key, row, "names an attachment without its digest")
            return
        self.media[named] = WantedMedia(digest, copy.size, row)

    def _record_misfit(self, key: str, row: int, record: Record) -> str:
        """Why a record does not belong to its leaf or its key; empty if it does."""
        leaves = self._leaves
        seen = leaves.placed.seen[row]
        if seen != NONE:
            stream = leaves.streams[leaves.seen.stream[seen]].id
            if record.stream != stream or record.n != leaves.seen.n[seen]:
                return f"says that it is number {record.n} of stream {record.stream}"
        place = record_place(key)
        if place is None:
            return "does not stand where records stand"
        _, platform, gid, day, clock, n = place
        if platform != record.platform or (day, f"{clock}-{n:012d}-") != _stem(record):
            return "stands under a key that does not follow from what it says"
        theirs = self._gids.get(record.stream)
        if theirs is not None and (
            theirs[0] not in {None, gid} or theirs[1] not in {None, platform}
        ):
            return "stands in the folder of another group than its stream's"
        return ""

    def _manifest(self, key: str, row: int, body: bytes) -> None:
        try:
            manifest = read_manifest(body)
        except DocumentError as error:
            self._tell(Code.MANIFEST_MALFORMED, key, row, f"is no manifest part: {error}")
            return
        if manifest.gid != manifest_gid(key):
            self._tell(Code.MANIFEST_MISMATCH, key, row, f"is one of group {manifest.gid}")
        before = self._leaves.placed.leaf[row]
        for each in manifest.rows:
            why = self._row_misfit(each, before)
            if why:
                what = f"says of number {each.n} of stream {each.s} {why}"
                self._tell(Code.MANIFEST_MISMATCH, key, row, what)

    def _row_misfit(self, row: Row, before: int) -> str:
        leaves = self._leaves
        if not 0 <= row.leaf < before or leaves.table.what[row.leaf] != SEEN:
            return f"that leaf {row.leaf} saw it"
        seen = leaves.table.rows[row.leaf]
        stream = leaves.streams[leaves.seen.stream[seen]].id
        if (row.s, row.n) != (stream, leaves.seen.n[seen]):
            return f"that leaf {row.leaf} saw it"
        if row.sha256 not in {None, leaves.seen.digest_of(seen).hex()}:
            return "another digest than its leaf"
        if not leaves.seen.held[seen] >> OUTCOMES.index(row.outcome) & 1:
            return f"the outcome {row.outcome}, which it never had"
        if row.key is not None and not self._is_of(row.key, seen):
            return "a key under which it was not stored"
        return ""

    def _is_of(self, key: str, seen: int) -> bool:
        """Whether what a seen leaf saw was stored under this key, or its twin, if at all."""
        at = self._leaves.seen.stored[seen]
        if at == NONE:
            return True
        placed = self._leaves.placed
        places = {self._place(key)}
        if (other := twin(key)) is not None:
            places.add(self._place(other))
        while at != NONE:
            if placed.place_of(at) in places:
                return True
            at = placed.before[at]
        return False

    def _act(self, kind: str, key: str, row: int, body: bytes) -> None:
        try:
            act = read_act(body)
        except DocumentError as error:
            self._tell(Code.ACT_MALFORMED, key, row, f"is no act: {error}")
            return
        why = "does not stand where acts stand" if not is_act(key) else ""
        why = why or self._act_misfit(kind, row, act)
        if why:
            self._tell(Code.ACT_MISMATCH, key, row, why)
        elif kind == "open" and act.stream is not None:
            self._gids[act.stream] = (act.gid, act.platform)
            if act.previous is not None:
                self.superseded.add(act.previous.stream)
        elif kind == "dispose":
            own = self._leaves.placed.leaf[row]
            self.disposed += [(first, last) for first, last in act.leaves if last < own]

    def _act_misfit(self, kind: str, row: int, act: Act) -> str:
        if act.kind != kind:
            return f"is of kind {act.kind}, not {kind}"
        stream, total = self._leaves.bounds.get(row, (act.stream, act.total))
        if act.stream != stream:
            return f"is of stream {act.stream}"
        if kind == "open" and act.stream != _stream_of(act):
            return "opens a stream that does not follow from its key and group"
        if kind == "close" and act.total != total:
            return f"has the total {act.total}"
        return ""


def _stream_of(act: Act) -> str | None:
    """The stream that an `open` act's key and group give."""
    if act.stream_key is None or act.platform is None or act.group is None:
        return None
    try:
        key = base64.urlsafe_b64decode(act.stream_key + "=" * (-len(act.stream_key) % 4))
    except ValueError:
        return None
    return stream_id(key, act.platform, act.group.id)


def _stem(record: Record) -> tuple[str, str]:
    """Day and beginning of the stem that a record's key must have; empty if it has no time."""
    at, seen = record.sent_at, record.observed_at
    if at is None or not EARLIEST <= at < seen:
        # Rarely: the time of sending is no help, or is only just not before that of receipt.
        try:
            sent = datetime.fromisoformat(at) if at is not None else None
            filed = filed_at(sent_at=sent, observed_at=datetime.fromisoformat(seen))
        except (ValueError, OverflowError):
            return "", ""
        at = at if at is not None and filed == sent else seen
    day = f"{at[:4]}/{at[5:7]}/{at[8:10]}"
    return day, f"{at[11:13]}{at[14:16]}{at[17:19]}{at[20:23]}-{record.n:012d}-"
