"""The reconciler in a running recorder: a look before recording, then what people ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.errors import JournalUnavailableError
from bridge.protocols import KeyTransfer, Request, RequestKind
from bridge.reconcile import (
    FILE,
    FIXITY_FILE,
    Advance,
    Answer,
    Answering,
    Progress,
    Reconciliation,
    Report,
    read_fixity,
    read_progress,
)
from bridge.reconcile.lineage import SeenStream
from bridge.reconcile.loop import (
    AGAIN_SECONDS,
    REMEMBERED,
    SAID_SECONDS,
    START_SECONDS,
    unable,
)
from bridge.reconcile.unclaimed import FILE as UNCLAIMED_FILE
from bridge.reconcile.unclaimed import read_unclaimed, write_unclaimed
from tests.fakes import samples
from tests.fakes.clock import START
from tests.fakes.office import FakeOffice
from tests.unit.bridge.house import House, stopped, until
from tests.unit.bridge.reconcile.scene import add, key_of, lose_journal, reconciler_of


@pytest.fixture
async def house(house: House) -> House:
    """One record stands in the store."""
    await house.admit()
    await house.hear(samples.event("$1"))
    await house.settle()
    return house


OTHER = "!other:example.org"


class StumblingOffice(FakeOffice):
    """An office on a full disk: the first question is not answered."""

    stumbles = 1

    async def requests(self, after: int) -> tuple[Request, ...]:
        """The requests, from the second question on."""
        if self.stumbles:
            self.stumbles -= 1
            raise JournalUnavailableError("office.db cannot be used")
        return await super().requests(after)


def _loop(
    house: House,
    *,
    start_seconds: float = START_SECONDS,
    file: Path | None = None,
    wait: Callable[[], bool] = lambda: False,
    answering: Answering = unable,
) -> Reconciliation:
    return Reconciliation(
        reconciler=reconciler_of(house, wait=wait),
        journal=house.journal,
        office=house.office,
        file=file or house.path.with_name(FILE),
        clock=house.clock,
        start_seconds=start_seconds,
        answering=answering,
    )


async def _ask(house: House, kind: RequestKind = RequestKind.RECONCILE) -> int:
    return await house.office.ask(Request(kind=kind, by="tester", at=house.clock.now()))


async def _ask_for_keys(house: House) -> int:
    keys = KeyTransfer(connector="matrix", file=Path("/k"), passphrase_file=Path("/p"))
    kind = RequestKind.KEYS_EXPORT
    return await house.office.ask(Request(kind=kind, by="tester", at=house.clock.now(), keys=keys))


async def _said(house: House) -> Progress:
    found = await asyncio.to_thread(read_progress, house.path.with_name(FILE))
    assert found is not None
    return found


async def test_requests_are_done_in_order_and_once(house: House) -> None:
    """The report of the last one stands in the file; each is remembered as done."""
    taker = _loop(house)
    await taker.begin()
    first = await _ask(house)
    second = await _ask(house, RequestKind.RECONCILE_SOURCE)
    await taker.round()
    said = await _said(house)
    assert (said.number, said.finished) == (second, True)
    assert said.report is not None
    assert (said.report.subject, said.report.fits) == ("source", True)
    assert await house.journal.requests_taken() == second == first + 1
    await house.restart()
    again = _loop(house)
    await again.round()
    assert await _said(house) == said


async def test_all_kinds_of_requests_are_done_in_one_order(house: House) -> None:
    """One begins when the one before it ended; whoever asked first still reads how it ended."""
    order: list[str] = []

    async def answering(request: Request, advance: Advance) -> Answer:
        advance.begin("exporting keys")
        while (shown := await _said(house)).number != request.number:
            pass  # what is shown of it is written beside, by a thread
        order.append(f"{request.by}: after {[each.number for each in shown.earlier]}")
        return Answer(done=True, sentence="4 keys.")

    since = house.clock.now().isoformat()
    first = await _ask(house)
    second = await _ask_for_keys(house)
    third = await _ask(house, RequestKind.RECONCILE_SOURCE)
    taker = _loop(house, answering=answering)
    await taker.begin()
    await taker.round()
    assert order == [f"tester: after {[first]}"]
    said = await _said(house)
    ends = [said.of(number, since=since) for number in (first, second, third)]
    outcomes = [end and (end.report or end.answer) for end in ends]
    assert isinstance(outcomes[0], Report)
    assert outcomes[1] == Answer(done=True, sentence="4 keys.")
    assert isinstance(outcomes[2], Report)
    assert said.of(third + 1, since=since) is None
    assert said.of(first, since=house.clock.now().isoformat() + "1") is None


async def test_only_the_last_ends_are_kept(house: House) -> None:
    """The file does not grow with the requests."""
    for _ in range(REMEMBERED + 3):
        await _ask_for_keys(house)
    await _loop(house).round()
    said = await _said(house)
    assert len(said.earlier) == REMEMBERED
    assert all(each.earlier == () for each in said.earlier)
    assert said.answer is not None
    assert not said.answer.done


async def test_a_store_that_did_not_fit_is_remembered_until_it_does(house: House) -> None:
    """Whatever else was asked for since, and after a restart too."""
    file = house.path.with_name(FIXITY_FILE)
    foreign = f"{key_of(house, 'records')}x"
    add(house, foreign)
    await _ask(house)
    await _loop(house).round()
    found = await asyncio.to_thread(read_fixity, file)
    assert found is not None
    assert not found.fits
    await house.restart()
    for _ in range(REMEMBERED + 2):
        await _ask_for_keys(house)
    await _ask(house, RequestKind.RECONCILE_SOURCE)
    again = _loop(house)
    await again.round()
    assert await asyncio.to_thread(read_fixity, file) == found
    del house.store.objects[foreign]
    await _ask(house)
    await again.round()
    mended = await asyncio.to_thread(read_fixity, file)
    assert mended is not None
    assert mended.fits


async def test_a_transfer_that_fails_unexpectedly_is_not_repeated(house: House) -> None:
    """Its name alone is told, and whoever asked reads it."""

    async def broken(_request: Request, _advance: Advance) -> Answer:
        raise ZeroDivisionError("secret")

    number = await _ask_for_keys(house)
    await _loop(house, answering=broken).round()
    answer = (await _said(house)).answer
    assert answer is not None
    assert (answer.done, answer.sentence) == (False, "It failed (ZeroDivisionError).")
    assert await house.journal.requests_taken() == number


async def test_a_request_survives_the_process(house: House) -> None:
    """It was asked while nobody ran: the next process does it."""
    number = await _ask(house)
    await house.restart()
    running = house.start(_loop(house).run)
    while not await house.journal.requests_taken():  # noqa: ASYNC110 - no event is set by it
        await asyncio.sleep(0)
    await stopped(running)
    assert (await _said(house)).number == number


async def test_progress_is_shown_while_it_lasts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phase and counts, and no report until the end."""
    gate = asyncio.Event()
    head = house.store.head
    asked: list[str] = []

    async def held(key: str) -> object:
        asked.append(key)
        await gate.wait()
        return await head(key)

    monkeypatch.setattr(house.store, "head", held)
    number = await _ask(house)
    taker = _loop(house)
    running = asyncio.create_task(taker.round())
    await until(lambda: bool(asked))
    shown = await _said(house)
    while shown.phase != "records":
        await asyncio.sleep(0)
        shown = await _said(house)
    assert (shown.number, shown.total, shown.finished, shown.report) == (number, 1, False, None)
    gate.set()
    await running
    assert (await _said(house)).finished


async def test_a_rest_is_shown(house: House) -> None:
    """Whoever asked reads that the recorder has too much to do."""
    shown: list[bool] = []
    released = asyncio.Event()

    def wait() -> bool:
        return not released.is_set()

    number = await _ask(house)
    taker = _loop(house, wait=wait)
    running = asyncio.create_task(taker.round())
    while True not in shown:
        await asyncio.sleep(0)
        found = await asyncio.to_thread(read_progress, house.path.with_name(FILE))
        shown.append(found is not None and found.resting)
    released.set()
    await running
    said = await _said(house)
    assert (said.number, said.finished, said.resting) == (number, True, False)


async def test_a_cancelled_request_is_done_by_the_next_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop ends it at once, and it is not remembered as done."""
    asked = asyncio.Event()

    async def held(_key: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(house.store, "head", held)
    await _ask(house)
    running = house.start(_loop(house).run)
    await asked.wait()
    await stopped(running)
    assert await house.journal.requests_taken() == 0
    assert not (await _said(house)).finished


async def test_what_nobody_expected_is_reported_and_not_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that fails must not come back for ever."""

    async def broken(_key: str) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(house.store, "head", broken)
    number = await _ask(house)
    await _loop(house).round()
    report = (await _said(house)).report
    assert report is not None
    assert (report.fits, report.complete) == (False, False)
    assert "ZeroDivisionError" in report.trouble
    assert await house.journal.requests_taken() == number


async def test_a_file_that_cannot_be_written_stops_nothing(house: House) -> None:
    """The request is done all the same."""
    number = await _ask(house)
    await _loop(house, file=house.path.with_name("nowhere") / FILE).round()
    assert await house.journal.requests_taken() == number


async def test_the_look_comes_before_recording(house: House) -> None:
    """A lost journal is replaced at the start, said for a while, and not looked for again."""
    await lose_journal(house)
    await house.admit()
    taker = _loop(house)
    await taker.begin()
    assert "restored from a back-up" in taker.health
    assert len(await house.gaps()) == 1
    house.later(seconds=SAID_SECONDS + 1)
    await taker.round()
    assert taker.health == ""


async def test_a_store_that_is_down_does_not_keep_recording_waiting(house: House) -> None:
    """The look is made once the store is back, not more often than it makes sense."""
    await lose_journal(house)
    await house.admit()
    house.store.down = True
    taker = _loop(house)
    await taker.begin()
    assert "It is not known whether the store is ahead" in taker.health
    await taker.round()
    house.store.down = False
    await taker.round()
    assert await house.gaps() == []
    house.later(seconds=AGAIN_SECONDS)
    await taker.round()
    assert len(await house.gaps()) == 1


async def test_a_store_that_hangs_does_not_keep_recording_waiting(house: House) -> None:
    """After some seconds recording begins."""
    await lose_journal(house)
    await house.admit()
    taker = _loop(house, start_seconds=0.0)
    await taker.begin()
    assert "takes too long" in taker.health
    house.later(seconds=AGAIN_SECONDS)
    await taker.round()
    assert len(await house.gaps()) == 1


async def test_what_waits_for_a_group_survives_the_process(house: House) -> None:
    """The group comes into the register in a later process, whose look does not go back as far."""
    await lose_journal(house)
    await house.admit(samples.group(OTHER))
    first = _loop(house)
    await first.begin()
    assert await house.gaps() == []
    await house.journal.append(samples.batch(samples.event("$o", group_id=OTHER), cursor=None))
    await house.settle()
    house.later(days=9)
    later = samples.event("$p", group_id=OTHER, sent_at=house.clock.now())
    await house.journal.append(samples.batch(later, cursor=None))
    await house.settle()
    await house.restart()
    second = _loop(house)
    await second.begin()
    await house.admit()
    await second.round()
    assert len(await house.gaps()) == 1
    await house.restart()
    third = _loop(house)
    await third.begin()
    await third.round()
    assert third.health == ""
    assert len(await house.gaps()) == 1


async def test_what_waits_cannot_always_be_written_down(house: House) -> None:
    """A disk that is full does not keep anything from being recorded."""
    await lose_journal(house)
    taker = _loop(house, file=house.path.with_name("nowhere") / FILE)
    await taker.begin()
    assert taker.looked.is_set()


async def test_an_office_that_stumbles_is_asked_again(house: House) -> None:
    """The loop goes on, and the request is done in a later round."""
    house.office = StumblingOffice(house.inbox)
    number = await _ask(house)
    taker = _loop(house)
    await taker.round()
    assert await house.journal.requests_taken() == 0
    await taker.round()
    assert await house.journal.requests_taken() == number


def test_only_whole_files_are_read(tmp_path: Path) -> None:
    """What is not there, or is not of this format, is no progress, and nothing waits."""
    file = tmp_path / FILE
    assert read_progress(file) is None
    assert read_fixity(file) is None
    assert read_unclaimed(file) == ()
    for data in (b"", b"{", b"[{}]", b'{"number": "x"}', b"\xff"):
        file.write_bytes(data)
        assert read_progress(file) is None
        assert read_fixity(file) is None
        assert read_unclaimed(file) == ()


def test_what_waits_is_read_as_it_was_written(tmp_path: Path) -> None:
    """For its owner alone."""
    seen = SeenStream(stream="a" * 16, group_id="!é:example.org", opened_at=START, last_n=7)
    seen.note(9, START)
    file = tmp_path / UNCLAIMED_FILE
    for streams in ((seen,), (seen, SeenStream(stream="b"))):
        write_unclaimed(file, streams)
        assert read_unclaimed(file) == streams
        assert file.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        write_unclaimed(file, ())
        assert list(tmp_path.iterdir()) == []
