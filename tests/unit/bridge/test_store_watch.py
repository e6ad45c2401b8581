"""The store is looked at before recording begins and daily, and never holds recording up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.errors import ConfigError, ObjectStoreUnavailableError
from bridge.protocols.probe import Enforcement
from bridge.store_watch import FILE, StoreWatch, keep, read
from bridge.store_watch.verdicts import DOCTOR_COUNTS, Kept
from bridge.store_watch.watch import AGAIN_SECONDS, CANARY, DAY_SECONDS
from tests.fakes.clock import FakeClock
from tests.fakes.store_probe import STORE, FakeStoreProbe, found
from tests.unit.bridge.house import stopped, until

YES, NO = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
UNKNOWN = Enforcement.CANNOT_TELL
DOWN = ObjectStoreUnavailableError("the store does not answer")


class Post:
    """A watch over a store in a folder of its own."""

    def __init__(self, folder: Path, says: Enforcement = YES) -> None:
        self.file = folder / FILE
        self.clock = FakeClock()
        self.probe = FakeStoreProbe(self.clock, says)
        self.lock_mode = "governance"
        self.watch = self.another()

    def another(self, *, start_seconds: float = 10.0) -> StoreWatch:
        """What the next process has."""
        self.watch = StoreWatch(
            probe=self.probe,
            store=STORE,
            lock_mode=self.lock_mode,
            file=self.file,
            clock=self.clock,
            start_seconds=start_seconds,
        )
        return self.watch

    async def doctor(self, says: Enforcement) -> None:
        """Somebody runs doctor, with more rights."""
        findings = found(self.clock, says)
        await asyncio.to_thread(lambda: keep(self.file, findings, by="doctor"))


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """A store that enforces."""
    return Post(tmp_path)


async def test_an_enforcing_store_is_no_news(post: Post) -> None:
    """The verdict is there, with who gave it and when, and there is no alarm."""
    await post.watch.begin()
    verdict = post.watch.verdict
    assert verdict is not None
    assert (verdict.retention, verdict.by, verdict.at) == (YES, "run", post.clock.now())
    assert post.watch.troubles == ()


async def test_a_store_that_does_not_enforce_is_refused(post: Post) -> None:
    """The start ends with the field, the fact and the remedy."""
    post.probe.says = NO
    with pytest.raises(ConfigError, match=r"\[store\] lock_mode.*delete_version is not") as refusal:
        await post.watch.begin()
    assert 'lock_mode = "none"' in refusal.value.hint


async def test_what_cannot_be_told_is_an_alarm(post: Post) -> None:
    """The recorder starts, and says what would settle it."""
    post.probe.says = UNKNOWN
    await post.watch.begin()
    (trouble,) = post.watch.troubles
    assert "cannot be told" in trouble
    assert "--probe-credentials" in trouble


async def test_without_a_lock_mode_nothing_is_asked(post: Post) -> None:
    """Then nothing is relied on: it is a fact, no alarm, and no refusal."""
    post.lock_mode = "none"
    post.probe.error = DOWN
    watch = post.another()
    await watch.begin()
    assert await watch.round()
    assert watch.verdict is not None
    assert watch.verdict.retention is NO
    assert (watch.troubles, post.probe.asked) == ((), 0)


async def test_a_store_that_is_away_does_not_stop_the_start(post: Post) -> None:
    """It is asked again soon, and the alarm goes with the answer."""
    post.probe.error = DOWN
    await post.watch.begin()
    assert "does not answer" in post.watch.troubles[0]
    assert not await post.watch.round()
    post.probe.error = None
    assert await post.watch.round()
    assert post.watch.troubles == ()


async def test_a_store_that_hangs_holds_the_start_up_for_a_moment(post: Post) -> None:
    """The time for the answer is bounded."""
    post.probe.gate = asyncio.Event()
    watch = post.another(start_seconds=0.01)
    await watch.begin()
    assert "no answer within" in watch.troubles[0]


async def test_what_is_found_while_recording_does_not_stop_it(post: Post) -> None:
    """A store that answers late and enforces nothing is an alarm; the next start is refused."""
    post.probe.error = DOWN
    await post.watch.begin()
    post.probe.error, post.probe.says = None, NO
    assert await post.watch.round()
    assert "does not enforce" in post.watch.troubles[0]
    with pytest.raises(ConfigError):
        await post.another().begin()


async def test_the_loop_looks_daily_and_sooner_while_nobody_answers(post: Post) -> None:
    """A day between answers, a minute between silences."""
    await post.watch.begin()
    looking = asyncio.create_task(post.watch.run())
    await until(lambda: len(post.clock.slept) > 1)
    post.probe.error = DOWN
    seen = len(post.clock.slept)
    await until(lambda: AGAIN_SECONDS in post.clock.slept[seen:])
    await stopped(looking)
    assert set(post.clock.slept[:2]) == {DAY_SECONDS}
    assert post.probe.asked >= 2


async def test_yesterdays_canary_is_looked_at(post: Post) -> None:
    """Each day another canary is planted, and the one before is read again, also after a start."""
    await post.watch.begin()
    await post.watch.round()
    assert [each.until for each in post.probe.planted] == [post.clock.now() + CANARY]
    post.clock.advance(DAY_SECONDS)
    watch = post.another()
    await watch.begin()
    await watch.round()
    assert post.probe.looked_at == post.probe.planted[:1]
    assert len(post.probe.planted) == 2


async def test_a_canary_that_lost_its_lock_is_an_alarm(post: Post) -> None:
    """What was locked yesterday and is not today is told."""
    await post.watch.begin()
    await post.watch.round()
    post.probe.what_changed = "probe/0 has no lock any more."
    await post.watch.round()
    assert post.watch.troubles == ("probe/0 has no lock any more.",)


async def test_a_canary_whose_lock_is_over_is_not_asked_for(post: Post) -> None:
    """A recorder that was down for long finds nothing wrong in that."""
    await post.watch.begin()
    await post.watch.round()
    post.clock.advance(CANARY.total_seconds() + 1)
    await post.watch.round()
    assert post.probe.looked_at == []


async def test_a_canary_of_another_lock_mode_is_not_looked_at(post: Post) -> None:
    """Who sets another mode is not told that yesterday's canary has the old one."""
    await post.watch.begin()
    await post.watch.round()
    post.lock_mode = "compliance"
    watch = post.another()
    await watch.begin()
    await watch.round()
    assert post.probe.looked_at == []
    assert len(post.probe.planted) == 2
    post.clock.advance(DAY_SECONDS)
    await watch.round()
    assert post.probe.looked_at == post.probe.planted[1:2]


async def test_a_canary_that_gets_no_lock_is_an_alarm(post: Post) -> None:
    """The store is told by it, also where it answered the examination well."""
    post.probe.keeps = False
    await post.watch.begin()
    assert await post.watch.round()
    assert post.watch.troubles == ("the canary has no lock",)


async def test_doctor_tells_what_run_cannot(post: Post) -> None:
    """What doctor found with another identity stands in, for a time."""
    await post.doctor(YES)
    post.probe.says = UNKNOWN
    await post.watch.begin()
    assert post.watch.verdict is not None
    assert (post.watch.verdict.retention, post.watch.verdict.by) == (YES, "doctor")
    assert post.watch.troubles == ()
    post.clock.advance(DOCTOR_COUNTS.total_seconds())
    watch = post.another()
    await watch.begin()
    assert "cannot be told" in watch.troubles[0]


async def test_doctor_found_a_fault_since(post: Post) -> None:
    """Each start that cannot tell by itself is refused, and says how the refusal ends."""
    post.probe.says = UNKNOWN
    await post.watch.begin()
    post.clock.advance(1)
    await post.doctor(NO)
    for _ in range(2):
        post.clock.advance(DOCTOR_COUNTS.total_seconds())
        with pytest.raises(ConfigError, match="Found by `muniment doctor` at") as refusal:
            await post.another().begin()
        assert "doctor --store --probe-credentials" in refusal.value.hint
        assert 'lock_mode = "none"' in refusal.value.hint


async def test_a_fault_that_doctor_found_outlasts_the_daily_look(post: Post) -> None:
    """A look that cannot tell leaves the alarm and its remedy standing."""
    post.probe.says = UNKNOWN
    await post.watch.begin()
    await post.watch.round()
    post.clock.advance(1)
    await post.doctor(NO)
    post.clock.advance(DAY_SECONDS)
    await post.watch.round()
    (trouble,) = post.watch.troubles
    assert "does not enforce retention" in trouble
    assert "doctor --store --probe-credentials" in trouble


async def test_doctor_clears_the_fault_that_it_found(post: Post) -> None:
    """A doctor that cannot tell now clears nothing; one that finds the locks holding does."""
    post.probe.says = UNKNOWN
    await post.doctor(NO)
    post.clock.advance(1)
    await post.doctor(UNKNOWN)
    with pytest.raises(ConfigError):
        await post.another().begin()
    post.clock.advance(1)
    await post.doctor(YES)
    watch = post.another()
    await watch.begin()
    assert watch.troubles == ()


async def test_run_clears_the_fault_that_doctor_found(post: Post) -> None:
    """Once it tells by itself that locks hold, the fault does not come back when it cannot."""
    await post.doctor(NO)
    post.clock.advance(1)
    watch = post.another()
    await watch.begin()
    assert watch.troubles == ()
    post.clock.advance(1)
    post.probe.says = UNKNOWN
    watch = post.another()
    await watch.begin()
    assert "cannot be told" in watch.troubles[0]


async def test_what_doctor_found_of_another_store_says_nothing(post: Post) -> None:
    """A verdict belongs to a store and a lock mode."""
    findings = found(post.clock, YES, lock_mode="compliance")
    await asyncio.to_thread(lambda: keep(post.file, findings, by="doctor"))
    post.probe.says = UNKNOWN
    await post.watch.begin()
    assert "cannot be told" in post.watch.troubles[0]


async def test_warnings_are_kept_with_the_verdict(post: Post) -> None:
    """A bucket that locks by itself is warned of and hinders nothing."""
    post.probe.warnings = ("The bucket locks by itself.",)
    await post.watch.begin()
    assert post.watch.verdict is not None
    assert post.watch.verdict.warnings == ("The bucket locks by itself.",)
    assert post.watch.troubles == ()


async def test_a_folder_that_cannot_be_written_keeps_the_verdict_in_memory(
    post: Post, tmp_path: Path
) -> None:
    """A full disk is no reason not to look."""
    post.file = tmp_path / "missing" / FILE
    watch = post.another()
    await watch.begin()
    assert watch.verdict is not None
    assert watch.verdict.retention is YES
    assert await watch.round()


async def test_a_damaged_file_counts_as_none(post: Post) -> None:
    """It is written anew, for its owner alone."""
    await asyncio.to_thread(post.file.write_text, "not json")
    await post.watch.begin()
    kept = await asyncio.to_thread(read, post.file)
    assert kept.run is not None
    assert post.file.stat().st_mode & 0o777 == 0o600


async def test_times_without_a_zone_are_none_of_ours(post: Post) -> None:
    """They cannot be compared with any other: the file counts as damaged, and no start fails."""
    canary = '{"store":"s","name":"probe/daily","version":null,"until":"2026-01-01T00:00:00"}'
    await asyncio.to_thread(post.file.write_text, f'{{"canary":{canary}}}')
    assert await asyncio.to_thread(read, post.file) == Kept()
