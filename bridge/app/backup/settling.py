"""What is put back is made fit to go on with, before anything of it is in its place.

It is of an earlier moment: it knows messages that were destroyed since, gives numbers that were
given since, and lacks holds that were ordered since. Each of these is settled here, by the same
parts that a running recorder uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bridge.app.adapters import (
    LOG_FILE,
    open_journal,
    open_office,
    open_spool,
    open_store,
)
from bridge.app.backup.ordered import ordered_since
from bridge.clock import SystemClock
from bridge.errors import ConfigError, ObjectStoreError
from bridge.forget import Forget
from bridge.protocols import Clock, Journal
from bridge.protocols.holds import Holds
from bridge.reconcile.lineage import Lineage, SeenStream
from bridge.reconcile.own import own_acts
from bridge.reconcile.unclaimed import FILE as UNCLAIMED
from bridge.reconcile.unclaimed import read_unclaimed, write_unclaimed
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.office.holds import SqliteHolds
from storage.translog.heads import SqliteCheckpointStore

STORE_SECONDS = 60.0
LEAVES = 2000
ANY_NUMBER = 2**53

UNKNOWN_HOLDS = (
    "It is not known which holds were ordered after the back-up: {} Place them again in the console"
    " before you start `muniment run`, which destroys what no hold covers."
)


class Elapsed:
    """The machine's clock, with a monotonic one that can be told how much time has passed."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.passed = 0.0

    def now(self) -> datetime:
        """The time in UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """What has passed."""
        return self.passed

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)


def _conforms(clock: Elapsed) -> Clock:
    return clock


async def settle(
    staged: Settings, *, office: Path, data_dir: Path, made_at: datetime, say: Callable[[str], None]
) -> list[str]:
    """Settle what stands in ``staged``; gives sentences on what an operator should know.

    ``staged`` are the settings with everything where it is now; ``office`` is the office that will
    be used. Nothing in ``data_dir`` is changed but that office, which may get holds.

    Raises:
        ConfigError, JournalError, LogError: a key does not fit, or a newer version wrote it.
    """
    async with AsyncExitStack() as stack:
        await _look_at_log(staged)
        clock = Elapsed()
        journal = await open_journal(staged, clock)
        stack.push_async_callback(journal.aclose)
        await _take_decisions(staged, office, journal)
        holds = await SqliteHolds.open(office)
        stack.push_async_callback(holds.aclose)
        say("looking for holds in the store")
        sentences, known = await _holds_since(staged, holds, made_at, clock)
        if known:
            say("destroying what was discarded")
            destroyed = await _forget(staged, journal, holds, clock, made_at)
            if destroyed:
                sentences.append(
                    f"{destroyed} discarded messages, whose time is over, were destroyed."
                )
        say("ending streams")
        streams = await _open_streams(journal)
        await asyncio.to_thread(_leave_word, staged, data_dir, streams)
    await asyncio.to_thread(_whole, staged.service.data_dir)
    return sentences


async def _look_at_log(staged: Settings) -> None:
    """That it can be read, by this version."""
    file = staged.service.data_dir / LOG_FILE
    if await asyncio.to_thread(file.exists):
        heads = SqliteCheckpointStore(file)
        try:
            await heads.last()
        finally:
            await heads.aclose()


async def _take_decisions(staged: Settings, office: Path, journal: SqliteJournal) -> None:
    """What a person wants kept MUST NOT be destroyed by what follows."""
    beside = staged.model_copy(
        update={"service": staged.service.model_copy(update={"data_dir": office.parent})}
    )
    inbox = await open_office(beside)
    try:
        orders = await inbox.decisions(await journal.orders_taken())
    finally:
        await inbox.aclose()
    if orders:
        await journal.take_orders(orders)


async def _holds_since(
    staged: Settings, holds: Holds, made_at: datetime, clock: Clock
) -> tuple[list[str], bool]:
    """Place again what the store's acts show and the office does not; whether all is known now.

    A release is not repeated: who may release is the office's to say, not the store's. So in
    doubt a hold stands.
    """
    store = await asyncio.to_thread(open_store, staged, clock)
    try:
        async with asyncio.timeout(STORE_SECONDS):
            ordered = await ordered_since(store, made_at, until=clock.now())
            known = {hold.number for hold in await holds.holds()}
            released = {release.hold for release in await holds.releases()}
            lost = [hold for hold in ordered.holds if hold.number not in known]
    except (ObjectStoreError, TimeoutError) as error:
        why = str(error) or "the store takes too long."
        return [UNKNOWN_HOLDS.format(why)], False
    finally:
        await store.aclose()
    sentences = []
    for hold in lost:
        number = await holds.place(hold)
        sentences.append(
            f"The hold of {hold.authority} ({hold.matter}), ordered after the back-up, stands"
            f" again, as number {number}."
        )
    again = sorted(ordered.released - released)
    if again:
        numbers = ", ".join(map(str, again))
        sentences.append(f"Released after the back-up, and standing again: hold {numbers}.")
    return sentences, True


async def _forget(
    staged: Settings, journal: SqliteJournal, holds: Holds, clock: Elapsed, made_at: datetime
) -> int:
    """Destroy what the lost recorder would have destroyed by now; gives how many that were.

    Forget does not believe a clock that jumped while nobody ran. Here a person restores, and the
    back-up says how long ago it was made: that time counts as if the recorder had run on. Should
    the clock be wrong all the same, the back-up still has what this destroys.
    """
    spool = await open_spool(staged)
    policy = staged.policy
    forget = Forget(
        journal=journal,
        spool=spool,
        holds=holds,
        clock=clock,
        discard_after=timedelta(days=policy.discard_after_days),
        context_window=timedelta(minutes=policy.context_minutes),
    )
    clock.passed = max(0.0, (clock.now() - made_at).total_seconds())
    first = before = await _discarded(journal, clock)
    while before:
        await forget.round()
        left = await _discarded(journal, clock)
        if left == before:
            break
        before = left
    return first - before


async def _discarded(journal: Journal, clock: Clock) -> int:
    """How many discarded messages are not destroyed."""
    tally = await journal.tally(now=clock.now())
    return dict(tally.entries_by_state).get("discarded", 0)


class _Seen(msgspec.Struct, frozen=True):
    k: str
    s: str = ""
    n: int = -1


async def _open_streams(journal: SqliteJournal) -> tuple[SeenStream, ...]:
    """The streams that the journal would go on with, each with the last number it gave."""
    lineage = Lineage()
    for act in (await own_acts(journal)).streams:
        lineage.take(act, own=True)
    found = {seen.stream: seen for seen in lineage.own_open()}
    for seen in found.values():
        for entry in await journal.recent(seen.stream, before=ANY_NUMBER, limit=1):
            seen.note(entry.n, None)
    # What was destroyed has no entry any more, but its leaf.
    wanted, end = set(found), await journal.leaf_count()
    while wanted and end > 0:
        start = max(0, end - LEAVES)
        for line in reversed(await journal.leaves(start, end - start)):
            leaf = msgspec.json.decode(line, type=_Seen)
            if leaf.k == "seen" and leaf.s in wanted:
                found[leaf.s].note(leaf.n, None)
                wanted.discard(leaf.s)
        end = start
    return tuple(found.values())


def _leave_word(staged: Settings, data_dir: Path, streams: tuple[SeenStream, ...]) -> None:
    """Have the next ``run`` replace these streams before it records, whatever the store shows.

    It takes the higher number where the store has seen more. Should the store not answer then, it
    replaces them by what is written here.
    """
    mine = {seen.stream for seen in streams}
    others = [seen for seen in read_unclaimed(data_dir / UNCLAIMED) if seen.stream not in mine]
    write_unclaimed(staged.service.data_dir / UNCLAIMED, (*others, *streams))


def _whole(stage: Path) -> None:
    """Of each database everything is in the one file that is moved."""
    for beside in (*stage.glob("*.db-wal"), *stage.glob("*.db-shm")):
        raise ConfigError(
            f"{beside} is in use.", hint="See that nobody else uses the folder, and repeat."
        )
