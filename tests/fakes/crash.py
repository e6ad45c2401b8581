"""What happens at a chosen point: before or after an effect, at its first or a later time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bridge.canonical import Leaf
from bridge.errors import (
    ConnectorUnavailableError,
    JournalUnavailableError,
    LogUnavailableError,
    ObjectStoreUnavailableError,
    SpoolError,
)
from bridge.model import (
    Batch,
    EventKind,
    Group,
    Loss,
    NoticeState,
    ObjectReceipt,
    Outcome,
    SpooledFile,
    Verdict,
)
from bridge.protocols import (
    Appended,
    Clock,
    DecisionOrder,
    Decryption,
    DownloadOrder,
    Entry,
    Head,
    ManifestPlace,
    ObjectBody,
    PersonDecision,
    Placement,
    Saying,
    Sealing,
    StoredProof,
    ToDevice,
)
from storage.journal import SqliteJournal
from tests.fakes.decrypter import ScriptedDecrypter
from tests.fakes.log import FakeCheckpointPlace, FakeCheckpointStore
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.spool import MemorySpool


class Crash:
    """Cancels whoever reaches ``point`` for the ``nth`` time, once. ``reached`` counts all."""

    def __init__(self, point: str = "", nth: int = 1) -> None:
        self.point = point
        self.nth = nth
        self.happened = False
        self.reached: Counter[str] = Counter()

    def at(self, point: str) -> None:
        """The process is here."""
        self.reached[point] += 1
        if not self.happened and point == self.point and self.reached[point] == self.nth:
            self.happened = True
            self.strike(point)

    def strike(self, point: str) -> None:
        """What happens then."""
        raise asyncio.CancelledError(point)


class Failure(Crash):
    """The effect fails as its adapter would say it; after the effect, though it happened."""

    def strike(self, point: str) -> None:
        """The error of the adapter whose effect this is."""
        effect = point.partition(" ")[2]
        if effect in {"swap", "shown"}:
            raise LogUnavailableError(f"log.db does not answer ({point}).")
        if effect.startswith("put ") or effect == "publish":
            raise ObjectStoreUnavailableError(f"The store does not answer ({point}).")
        if effect == "take":
            raise ConnectorUnavailableError(f"The store of keys does not answer ({point}).")
        if effect == "remove":
            raise SpoolError(f"The spool does not answer ({point}).")
        raise JournalUnavailableError(f"The journal does not answer ({point}).")


class Kill(Crash):
    """The process is gone: no handler, no ``finally``, no flush."""

    def strike(self, point: str) -> None:
        """SIGKILL to ourselves."""
        os.kill(os.getpid(), signal.SIGKILL)


class CrashingJournal(SqliteJournal):
    """The journal of a process that dies around one of its commits."""

    crash = Crash()

    async def append(self, batch: Batch) -> Appended:
        """Step 2."""
        self.crash.at("before append")
        appended = await super().append(batch)
        self.crash.at("after append")
        return appended

    async def judge(
        self,
        verdicts: Sequence[tuple[int, Verdict]],
        *,
        kinds: Mapping[int, EventKind] | None = None,
    ) -> None:
        """Step 4."""
        self.crash.at("before judge")
        await super().judge(verdicts, kinds=kinds)
        self.crash.at("after judge")

    async def take_act(self, act: Placement, *, number: int) -> None:
        """A hold or a release comes in."""
        self.crash.at("before take act")
        await super().take_act(act, number=number)
        self.crash.at("after take act")

    async def take_orders(self, orders: Sequence[DecisionOrder]) -> tuple[int, ...]:
        """A person's decisions come in."""
        self.crash.at("before take orders")
        unknown = await super().take_orders(orders)
        self.crash.at("after take orders")
        return unknown

    async def decide(
        self,
        id_: int,
        verdict: Verdict,
        *,
        act: Placement,
        key: str | None = None,
        safe_by: datetime | None = None,
    ) -> bool:
        """A person's decision is carried out."""
        self.crash.at("before decide")
        done = await super().decide(id_, verdict, act=act, key=key, safe_by=safe_by)
        self.crash.at("after decide")
        return done

    async def note_commands(self, seqs: Sequence[int]) -> None:
        """A group asks something."""
        self.crash.at("before note")
        await super().note_commands(seqs)
        self.crash.at("after note")

    async def answered(
        self,
        seq: int,
        *,
        decisions: Sequence[PersonDecision] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """It is dealt with."""
        self.crash.at("before answer")
        await super().answered(seq, decisions=decisions, sayings=sayings)
        self.crash.at("after answer")

    async def seal(self, sealings: Sequence[Sealing]) -> None:
        """Step 5."""
        self.crash.at("before seal")
        await super().seal(sealings)
        self.crash.at("after seal")

    async def promote(
        self, seq: int, verdict: Verdict, *, key: str, safe_by: datetime, leaf: Leaf
    ) -> bool:
        """Step 5, for what a later message leans on."""
        self.crash.at("before promote")
        done = await super().promote(seq, verdict, key=key, safe_by=safe_by, leaf=leaf)
        self.crash.at("after promote")
        return done

    async def finalise(self, seqs: Sequence[int]) -> None:
        """Discards that were judged once more."""
        self.crash.at("before finalise")
        await super().finalise(seqs)
        self.crash.at("after finalise")

    async def store(self, proofs: Sequence[StoredProof]) -> None:
        """Step 6, the receipt."""
        self.crash.at("before store")
        await super().store(proofs)
        self.crash.at("after store")

    async def downloaded(self, order: DownloadOrder, file: SpooledFile, *, at: datetime) -> bool:
        """A medium is in the spool."""
        self.crash.at("before downloaded")
        wanted = await super().downloaded(order, file, at=at)
        self.crash.at("after downloaded")
        return wanted

    async def media_stored(self, seq: int) -> tuple[str, ...]:
        """Step 6, after the receipt."""
        self.crash.at("before media_stored")
        names = await super().media_stored(seq)
        self.crash.at("after media_stored")
        return names

    async def manifest_due(self, place: ManifestPlace, *, limit: int) -> tuple[Entry, ...]:
        """Rows are opened for a manifest part."""
        self.crash.at("manifest_due")
        return await super().manifest_due(place, limit=limit)

    async def queue(
        self, placement: Placement, *, rows: Sequence[tuple[int, Outcome]] = ()
    ) -> None:
        """A manifest part is fixed."""
        self.crash.at("before queue")
        await super().queue(placement, rows=rows)
        self.crash.at("after queue")

    async def number(self, placement: Placement, *, after: int | None = None) -> Placement:
        """A document has its number."""
        self.crash.at("before number")
        numbered = await super().number(placement, after=after)
        self.crash.at("after number")
        return numbered

    async def place(self, placement: Placement, *, leaf: Leaf) -> None:
        """A document has its place."""
        self.crash.at("before place")
        await super().place(placement, leaf=leaf)
        self.crash.at("after place")

    async def set_group(
        self,
        group: Group,
        *,
        expect: Group | None,
        acts: Sequence[Placement] = (),
        office_step: int | None = None,
    ) -> bool:
        """A group moves."""
        self.crash.at("before set_group")
        done = await super().set_group(group, expect=expect, acts=acts, office_step=office_step)
        self.crash.at("after set_group")
        return done

    async def to_device(self, connector: str, *, after: int, limit: int) -> tuple[ToDevice, ...]:
        """Messages to our device are given."""
        found = await super().to_device(connector, after=after, limit=limit)
        if found:
            self.crash.at("after give")
        return found

    async def resume_to_device(self, connector: str, *, taken: int) -> None:
        """The decrypter goes on with this journal."""
        self.crash.at("before resume")
        await super().resume_to_device(connector, taken=taken)
        self.crash.at("after resume")

    async def drop_to_device(self, connector: str, *, through: int) -> None:
        """They are taken."""
        self.crash.at("before drop")
        await super().drop_to_device(connector, through=through)
        self.crash.at("after drop")

    async def decrypted(self, decryptions: Sequence[Decryption]) -> tuple[int, ...]:
        """Encrypted entries get their content."""
        self.crash.at("before decrypted")
        busy = await super().decrypted(decryptions)
        self.crash.at("after decrypted")
        return busy

    async def not_opened(
        self, reasons: Sequence[tuple[int, str]], *, final: Collection[int] = ()
    ) -> None:
        """Or what is in the way."""
        self.crash.at("before not_opened")
        await super().not_opened(reasons, final=final)
        self.crash.at("after not_opened")

    async def give_up_unopened(
        self, connector: str, *, received_before: datetime, limit: int
    ) -> int:
        """Or a gap."""
        self.crash.at("before give_up")
        count = await super().give_up_unopened(
            connector, received_before=received_before, limit=limit
        )
        self.crash.at("after give_up")
        return count

    async def heard(
        self,
        connector: str,
        *,
        at: datetime,
        losses: Sequence[Loss] = (),
        sayings: Sequence[Saying] = (),
    ) -> None:
        """Step 2, what was not delivered for a while."""
        self.crash.at("before heard")
        await super().heard(connector, at=at, losses=losses, sayings=sayings)
        self.crash.at("after heard")

    async def said(self, saying: Saying) -> None:
        """A group was told."""
        self.crash.at("before said")
        await super().said(saying)
        self.crash.at("after said")

    async def close_stream(self, group: Group, *, at: datetime) -> None:
        """A stream ends."""
        self.crash.at("before close_stream")
        await super().close_stream(group, at=at)
        self.crash.at("after close_stream")

    async def settle_notice(
        self,
        group: Group,
        *,
        notice: NoticeState,
        note: str,
        act: Placement,
        version: str | None = None,
        said_at: datetime | None = None,
    ) -> None:
        """The group was told, or could not be."""
        self.crash.at("before settle_notice")
        await super().settle_notice(
            group, notice=notice, note=note, act=act, version=version, said_at=said_at
        )
        self.crash.at("after settle_notice")

    async def forget(
        self, *, discarded_before: datetime, limit: int, only: Sequence[int] | None = None
    ) -> tuple[str, ...]:
        """Step 9."""
        self.crash.at("before forget")
        names = await super().forget(discarded_before=discarded_before, limit=limit, only=only)
        self.crash.at("after forget")
        return names


class CrashingDecrypter(ScriptedDecrypter):
    """The keys of a process that dies around taking a message."""

    def __init__(self, kept: ScriptedDecrypter | None = None) -> None:
        super().__init__(kept)
        self.crash = Crash()

    async def take(self, messages: Sequence[ToDevice]) -> None:
        """One transaction."""
        self.crash.at("before take")
        await super().take(messages)
        self.crash.at("after take")


class CrashingStore(FakeObjectStore):
    """The store as a process sees it that dies around one of its puts."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.crash = Crash()

    async def put(
        self,
        key: str,
        body: ObjectBody,
        *,
        retain_until: datetime | None,
        content_type: str = "application/json",
    ) -> ObjectReceipt:
        """Points are named after what is put: media, records, review, manifests or acts."""
        what = "media" if "/media/" in key else key.partition("/")[0]
        self.crash.at(f"before put {what}")
        receipt = await super().put(key, body, retain_until=retain_until, content_type=content_type)
        self.crash.at(f"after put {what}")
        return receipt


class CrashingHeads(FakeCheckpointStore):
    """``log.db`` as a process sees it that dies around a swap."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = Crash()

    async def swap(self, head: Head, *, expect: Head | None) -> bool:
        """Step 7, whoever swaps it may publish it."""
        self.crash.at("before swap")
        swapped = await super().swap(head, expect=expect)
        self.crash.at("after swap")
        return swapped

    async def published(self, head: Head) -> None:
        """Step 7, all is done."""
        self.crash.at("before shown")
        await super().published(head)
        self.crash.at("after shown")


class CrashingPlace(FakeCheckpointPlace):
    """The checkpoint as a process sees it that dies around a publication."""

    def __init__(self, store: FakeObjectStore, clock: Clock) -> None:
        super().__init__(store, clock)
        self.crash = Crash()

    async def publish(self, note: bytes, *, instead_of: bytes | None) -> None:
        """Step 7, what the world sees."""
        self.crash.at("before publish")
        await super().publish(note, instead_of=instead_of)
        self.crash.at("after publish")


class CrashingSpool(MemorySpool):
    """The spool of a process that dies around a removal."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = Crash()

    async def remove(self, names: frozenset[str]) -> None:
        """Files that are no longer needed."""
        self.crash.at("before remove")
        await super().remove(names)
        self.crash.at("after remove")
