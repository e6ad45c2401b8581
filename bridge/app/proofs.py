"""What the log proves of one record: ``verify --record`` for whoever asks often and waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from bridge.app.testimony import Testimonies
from bridge.app.verification import Asked, _prepared
from bridge.canonical import dumps
from bridge.canonical.json import Json
from bridge.errors import ConfigError, ObjectStoreUnavailableError
from bridge.protocols import Clock
from bridge.protocols.evidence import Evidence, KeptUntil, StoredVersion
from bridge.protocols.proof import LeafProof, Pin, Proof, Proofs, Remark, Standing
from config.settings import Settings
from storage.translog.checkpoint import Checkpoint
from storage.translog.malformed import MalformedError
from storage.translog.note import Note
from storage.translog.proof import TlogProof
from storage.translog.tiles import WIDTH, Bundle, entries_of
from storage.translog.verify.codes import Code
from storage.translog.verify.engine import Question
from storage.translog.verify.lines import matched, milliseconds
from storage.translog.verify.names import record_of_media
from storage.translog.verify.one import verify_one
from storage.translog.verify.report import Finding, Report
from storage.translog.verify.retentions import moment

LARGEST_READ = 4 << 20
"""Bytes of an attachment that is read whenever its record is looked at."""

MOST_KEPT = 512
"""Pieces of the log that a pin keeps: those of a million leaves that lie together."""

AREAS = ("records/", "review/")
"""Where the folders of days are."""

MOST_DAYS = 16
"""Folders of days whose listings a pin keeps."""

Opened = tuple[Question, Evidence]


def proofs_of(settings: Settings, clock: Clock) -> LogProofs:
    """The proofs of the store that the settings name. Nothing is read yet."""
    asked = Asked(
        witness_keys=tuple(each.public_key_file for each in settings.all_witnesses()),
        tsa_ca=settings.timestamp.ca_file,
    )
    return LogProofs(lambda: _prepared(asked, lambda: settings, lambda *_: None), clock)


class LogProofs:
    """Keeps the promises of :class:`bridge.protocols.proof.Proofs` over :func:`verify_one`."""

    def __init__(self, opened: Callable[[], Opened], clock: Clock) -> None:
        """``opened`` blocks and is called once, in a thread, when something is asked first."""
        self._open = opened
        self._clock = clock
        self._opened: Opened | None = None
        self._testimonies: Testimonies | None = None
        self._opening = threading.Lock()

    async def verifier(self) -> str:
        """The log's verifier keys."""
        question, _ = await asyncio.to_thread(self._ready)
        return "".join(f"{key.line}\n" for key in question.keys)

    async def of(self, key: str, *, near: int = 0, pin: Pin | None = None) -> Proof:
        """What the log proves of a record."""
        return await asyncio.to_thread(self._of, key, near, pin)

    async def pin(self) -> Pin | None:
        """The checkpoint that stands now."""
        return await asyncio.to_thread(self._pin)

    async def aclose(self) -> None:
        """Give up connections."""
        if self._opened is not None:
            await asyncio.to_thread(self._opened[1].close)

    def _ready(self) -> Opened:
        with self._opening:
            if self._opened is None:
                try:
                    self._opened = self._open()
                except ConfigError as error:
                    raise ObjectStoreUnavailableError(str(error), hint=error.hint) from None
            return self._opened

    def _pin(self) -> Pin | None:
        question, evidence = self._ready()
        note = evidence.read(f"log/{question.shard}/checkpoint")
        return None if note is None else Pin(checkpoint=note)

    def _of(self, key: str, near: int, pin: Pin | None) -> Proof:
        question, whole = self._ready()
        question = replace(question, now=self._clock.now())
        evidence = Focused(whole, key, near=near, pin=pin, shard=question.shard)
        try:
            report, leaves = verify_one(evidence, question, key)
        except ConfigError as error:
            finding = Remark(code=Code.OBJECT_MISSING.value, what=str(error))
            return Proof(
                key=key,
                standing=Standing.UNPROVED,
                origin=question.keys[0].name,
                store=whole.place,
                findings=(finding,),
            )
        bodies = [(each.kind, each.leaf, each.body) for each in leaves]
        proof = _told(key, report, bodies, evidence, question)
        if pin is not None or not proof.leaves:
            return proof
        return self._with_testimonies(proof, question, whole)

    def _with_testimonies(self, proof: Proof, question: Question, whole: Evidence) -> Proof:
        """Who else says so, and when the last leaf under the checkpoint was written."""
        with self._opening:
            if self._testimonies is None:
                self._testimonies = Testimonies(whole, question)
            testimonies = self._testimonies
        last = proof.leaves[-1]
        head = Checkpoint.parse(Note.parse(TlogProof.parse(last.body).checkpoint).text)
        covered = max(each.leaf for each in proof.leaves) + 1
        return replace(
            proof,
            newest_at=_newest(whole, f"log/{question.shard}/", head.size),
            testimonies=testimonies.of(covered, head, now=question.now),
        )


def _told(
    key: str,
    report: Report,
    leaves: list[tuple[str, int, bytes]],
    evidence: Focused,
    question: Question,
) -> Proof:
    """The report and the leaves as the protocol has them."""
    findings = tuple(_remark(each) for each in report.findings if each.key not in evidence.unread)
    told = tuple(_remark(each) for each in report.listed)
    proofs = tuple(_leaf(*each) for each in leaves)
    stored = next((each for each in proofs if each.kind == "stored"), None)
    fields = {} if stored is None else matched(stored.line)[1]
    standing = Standing.UNPROVED
    gone = any(each.code == Code.ABSENT_IN_ORDER and each.key == key for each in report.listed)
    if not findings and not gone:
        standing = Standing.UNLOGGED if stored is None else Standing.PROVED
    signers: tuple[str, ...] = ()
    if proofs:
        note = Note.parse(TlogProof.parse(proofs[0].body).checkpoint)
        signers = tuple(
            f"{one.name}+{one.key_hash:08x}"
            for one in note.signatures
            if any(one.claims(each) for each in question.keys)
        )
    return Proof(
        key=key,
        standing=standing,
        origin=report.origin,
        store=report.store,
        digest=fields["o"].decode() if fields else None,
        place=fields["p"].decode() if fields else None,
        retain_until=_moment(fields.get("ret")),
        stored_at=_moment(fields.get("t")),
        size=report.checkpoint.size if report.checkpoint else None,
        root=report.checkpoint.root if report.checkpoint else None,
        signers=signers,
        leaves=proofs,
        findings=findings,
        told=told,
        unread=tuple(evidence.unread),
    )


def _remark(finding: Finding) -> Remark:
    return Remark(code=finding.code, what=finding.what)


def _leaf(kind: str, leaf: int, body: bytes) -> LeafProof:
    return LeafProof(kind=kind, leaf=leaf, line=TlogProof.parse(body).extra or b"", body=body)


def _moment(text: bytes | None) -> datetime | None:
    return None if text is None else moment(milliseconds(text))


def _newest(evidence: Evidence, base: str, size: int) -> datetime | None:
    """When the last of so many leaves was written; None where that cannot be read."""
    block = (size - 1) // WIDTH
    bundle = evidence.read(base + Bundle(block, size - block * WIDTH).path)
    with suppress(MalformedError):
        if bundle is not None:
            return _moment(matched(entries_of(bundle)[-1])[1]["t"])
    return None


class Focused:
    """Evidence for one record: as it is, but for three things that only cost time.

    In place of the day's manifest parts stands an index of one row, since all that is asked of
    them is where to begin to look. Large attachments are passed over, and remembered. With a pin
    the log's checkpoint is that one, and its pieces and the folders of days are read once.
    """

    def __init__(
        self, evidence: Evidence, key: str, *, near: int, pin: Pin | None, shard: str
    ) -> None:
        self._evidence = evidence
        self._pin = pin
        self._checkpoint = f"log/{shard}/checkpoint"
        self._log = f"log/{shard}/tile/"
        row: dict[str, Json] = {"key": key, "leaf": near, "n": 0, "outcome": "capture", "s": ""}
        self._index = dumps({"v": 1, "gid": "", "rows": [row]})
        self.unread: list[str] = []

    @property
    def place(self) -> str:
        """That of the store."""
        return self._evidence.place

    @property
    def keeps_retentions(self) -> bool:
        """As the store."""
        return self._evidence.keeps_retentions

    def walk(self, prefix: str = "") -> Iterator[StoredVersion]:
        """As the store, but for manifests and large attachments."""
        if prefix.startswith("manifests/"):
            at = moment(0)
            yield StoredVersion(key=prefix, size=len(self._index), modified_at=at)
            return
        is_listed = self._pin is not None and prefix.startswith(AREAS)
        found_there = self._listed(prefix) if is_listed else self._evidence.walk(prefix)
        for found in found_there:
            if found.size > LARGEST_READ and record_of_media(found.key) is not None:
                self.unread.append(found.key)
            yield found

    def _listed(self, key: str) -> Iterator[StoredVersion]:
        """What stands under exactly this key; a day's folder is listed once for all of it."""
        days = self._pin.days if self._pin is not None else {}
        folder = key.partition("/media/")[0] if "/media/" in key else key.rpartition("/")[0]
        day = days.get(folder)
        if day is None:
            day = {}
            for found in self._evidence.walk(f"{folder}/"):
                day.setdefault(found.key, []).append(found)
            if len(days) >= MOST_DAYS:
                days.clear()
            days[folder] = day
        yield from day.get(key, ())

    def open(self, found: StoredVersion) -> BinaryIO:
        """The bytes of a version."""
        if found.key.startswith("manifests/"):
            return BytesIO(self._index)
        if found.key in self.unread:
            return BytesIO()  # it does not fit then, which is said of no unread one
        return self._evidence.open(found)

    def read(self, key: str) -> bytes | None:
        """The bytes under a key; of the log, with a pin, those that were read before."""
        if self._pin is None or not key.startswith("log/"):
            return self._evidence.read(key)
        if key == self._checkpoint:
            return self._pin.checkpoint
        kept = self._pin.read.get(key)
        if kept is None:
            kept = self._evidence.read(key)
            if kept is not None and key.startswith(self._log):
                if len(self._pin.read) >= MOST_KEPT:
                    self._pin.read.clear()
                self._pin.read[key] = kept
        return kept

    def retention(self, found: StoredVersion) -> KeptUntil | None:
        """As the store."""
        return self._evidence.retention(found)

    def close(self) -> None:
        """Nothing: the store's is closed by who opened it."""


if TYPE_CHECKING:
    _: type[Proofs] = LogProofs
    __: type[Evidence] = Focused
