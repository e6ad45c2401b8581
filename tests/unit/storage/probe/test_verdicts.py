"""Which verdict follows from what a store does: a refusal counts only with its control."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import ObjectStoreUnavailableError
from bridge.protocols.probe import Enforcement, Result, StoreCheck, StoreFindings
from storage.objects.probe.bench import LOCKED, Bench
from storage.objects.probe.examination import CHECKS, EVERYTHING, OLD, RETENTION, examine
from storage.objects.probe.hands import Lock
from storage.objects.s3_values import LockMode
from tests.fakes.clock import FakeClock
from tests.fakes.hands import EVERYTHING as ALL_RIGHTS
from tests.fakes.hands import FOLDER, FakeBucket, Quirk, Right

YES, NO = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
UNKNOWN, NA = Enforcement.CANNOT_TELL, Enforcement.NOT_APPLICABLE
WRITER = ALL_RIGHTS - {Right.DELETE, Right.BYPASS, Right.HOLD, Right.ASK}


class Trial:
    """One examination of one bucket."""

    def __init__(self, *quirks: Quirk, versioned: bool = True, locks: bool = True) -> None:
        self.clock = FakeClock()
        self.bucket = FakeBucket(self.clock, *quirks, versioned=versioned, locks=locks)

    def found(
        self,
        *,
        writer: frozenset[Right] = ALL_RIGHTS,
        other: frozenset[Right] | None = None,
        lock_mode: LockMode = "governance",
        brief: bool = False,
    ) -> StoreFindings:
        """What is found by these identities."""
        bench = Bench(
            writer=self.bucket.hands(writer),
            other=None if other is None else self.bucket.hands(other),
            lock_mode=lock_mode,
            clock=self.clock,
            pause=self.clock.advance,
            folder=f"{FOLDER}run/",
        )
        return examine(bench, "s3://bucket", RETENTION if brief else EVERYTHING)


def verdicts(findings: StoreFindings) -> dict[str, Enforcement]:
    """By check."""
    return {each.check: each.verdict for each in findings.checks}


def of(findings: StoreFindings, check: str) -> StoreCheck:
    """One check."""
    (found,) = [each for each in findings.checks if each.check == check]
    return found


def test_a_store_that_keeps_all_rules() -> None:
    """Everything is enforced; only the writer's own right to pass over locks is warned of."""
    found = Trial().found()
    assert found.retention is YES
    assert not found.failed
    wanted = dict.fromkeys(CHECKS, YES) | {"default_retention": NA, "bypass": NO}
    assert verdicts(found) == wanted
    assert found.of(Result.WARNING) == (of(found, "bypass"),)


def test_compliance_is_tried_as_such() -> None:
    """A compliance lock is neither shortened nor weakened, and nobody passes over it."""
    found = Trial().found(lock_mode="compliance")
    assert found.retention is YES
    assert of(found, "bypass").verdict is NA
    assert found.left == 3  # their locks end within minutes


@pytest.mark.parametrize("lock_mode", ["governance", "compliance"])
def test_a_dropped_lock(lock_mode: LockMode) -> None:
    """A lock that is accepted and not shown is not enforced; nothing else of it can be tried."""
    found = Trial(Quirk.DROPS_LOCKS).found(lock_mode=lock_mode)
    assert found.retention is NO
    assert found.failed
    assert of(found, "lock_kept").result is Result.FAIL
    assert of(found, "delete_version").verdict is NA


def test_a_lock_that_is_shown_and_hinders_nobody() -> None:
    """What is deleted in spite of its lock is not enforced, whatever the store shows."""
    found = Trial(Quirk.IDLE_LOCKS).found()
    assert found.retention is NO
    assert of(found, "lock_kept").verdict is YES
    assert of(found, "delete_version").result is Result.FAIL


def test_a_retention_that_can_be_shortened() -> None:
    """A lock that its writer can shorten keeps nothing, though deleting is refused."""
    found = Trial(Quirk.SHORTENS).found()
    assert (of(found, "delete_version").verdict, found.retention) == (YES, NO)
    assert of(found, "shorten_retention").result is Result.FAIL


def test_a_mode_that_can_be_weakened() -> None:
    """A compliance lock that becomes a governance lock is not enforced."""
    found = Trial(Quirk.WEAKENS).found(lock_mode="compliance")
    assert (of(found, "shorten_retention").verdict, found.retention) == (NO, NO)
    assert Trial(Quirk.WEAKENS).found().retention is YES  # there is nothing weaker


def test_a_refusal_that_is_called_done() -> None:
    """What counts is what stands, not what is answered."""
    found = Trial(Quirk.SAYS_DONE).found()
    assert found.retention is YES
    assert "without effect" in of(found, "delete_version").fact


def test_a_writer_that_may_not_delete() -> None:
    """Its refusal says nothing of the lock: the control is missing."""
    found = Trial().found(writer=WRITER)
    assert found.retention is UNKNOWN
    assert not found.failed
    assert of(found, "control").verdict is UNKNOWN
    assert of(found, "delete_version").verdict is UNKNOWN
    assert of(found, "shorten_retention").verdict is YES  # it can lengthen
    assert of(found, "bypass").verdict is YES
    assert "--probe-credentials" in of(found, "control").remedy
    assert found.left > 0


def test_the_probes_identity_makes_up_for_it() -> None:
    """An identity that can delete unlocked versions, and not locked ones, settles it."""
    found = Trial().found(writer=WRITER, other=ALL_RIGHTS)
    assert found.retention is YES
    assert "the probe's identity" in of(found, "delete_version").fact
    assert of(found, "bypass").verdict is YES  # it is the writer who must not


def test_the_probes_identity_shows_a_store_that_enforces_nothing() -> None:
    """A writer without rights hides an idle lock; the other identity does not."""
    assert Trial(Quirk.IDLE_LOCKS).found(writer=WRITER).retention is UNKNOWN
    assert Trial(Quirk.IDLE_LOCKS).found(writer=WRITER, other=ALL_RIGHTS).retention is NO


def test_who_cannot_lengthen_says_nothing_by_not_shortening() -> None:
    """Shortening has a control of its own."""
    no_retain = ALL_RIGHTS - {Right.RETAIN}
    trial = Trial()
    found = trial.found(writer=no_retain)
    assert found.retention is UNKNOWN
    assert of(found, "lock_kept").result is Result.FAIL  # nothing could be stored like this
    trial.bucket.busy.add("retain")
    assert of(trial.found(), "shorten_retention").verdict is UNKNOWN


def test_a_bucket_without_object_lock() -> None:
    """A lock that is refused for the bucket's sake is not enforced, and no question of rights."""
    found = Trial(versioned=False).found()
    assert found.retention is NO
    assert of(found, "lock_kept").fact.endswith("400 InvalidRequest.")
    assert {each.check for each in found.of(Result.FAIL)} == {
        "versioning", "overwrite", "lock_kept",
    }  # fmt: skip


def test_without_a_lock_mode_nothing_of_locks_is_asked() -> None:
    """Nothing is enforced, that is a fact and no failure."""
    trial = Trial(versioned=False)
    found = trial.found(lock_mode="none")
    assert found.retention is NO
    assert not found.failed
    assert of(found, "lock_kept").result is Result.NOT_APPLICABLE
    assert not {"retain", "hold"} & {what for what, _ in trial.bucket.asked}


def test_conditions_that_are_ignored_are_made_up_for_by_versions() -> None:
    """Of all versions the oldest counts: create-only holds, and the store's part is warned of."""
    found = Trial(Quirk.IGNORES_CONDITIONS).found()
    assert of(found, "create_only").verdict is YES
    assert "oldest" in of(found, "create_only").fact
    assert of(found, "conditional_put").result is Result.WARNING
    assert of(found, "if_match").result is Result.WARNING
    assert found.retention is YES


def test_conditions_that_are_ignored_without_versions() -> None:
    """Then the last of 16 creators wins, and nothing is created once."""
    found = Trial(Quirk.IGNORES_CONDITIONS, versioned=False).found(lock_mode="none")
    assert found.failed
    assert of(found, "create_only").result is Result.FAIL
    assert of(found, "conditional_put").result is Result.FAIL


def test_conditions_that_are_not_known() -> None:
    """A store that answers 501 to the header cannot be written to at all."""
    found = Trial(Quirk.KNOWS_NO_CONDITIONS).found()
    assert of(found, "create_only").result is Result.FAIL
    assert "501" in of(found, "create_only").fact
    assert of(found, "if_match").verdict is NO


def test_an_if_match_that_never_fits() -> None:
    """A store that refuses the right ETag is told from one that refuses a stale one."""
    found = Trial(Quirk.IF_MATCH_NEVER).found()
    assert of(found, "if_match").verdict is NO
    assert "right ETag" in of(found, "if_match").fact


def test_checksums_that_are_not_checked_are_warned_of() -> None:
    """Bodies are signed and read back anyway."""
    found = Trial(Quirk.CHECKS_NOTHING).found()
    assert of(found, "wrong_sha256").result is Result.WARNING
    assert of(found, "wrong_md5").result is Result.WARNING
    assert found.retention is YES


def test_a_legal_hold_that_hinders_nobody() -> None:
    """It is warned of; retention is another matter."""
    found = Trial(Quirk.IDLE_HOLDS).found()
    assert of(found, "legal_hold").result is Result.WARNING
    assert found.retention is YES


def test_a_bucket_that_locks_by_itself_is_warned_of() -> None:
    """The control waits for a short lock to end, and no canary gets the bucket's long one."""
    trial = Trial()
    trial.bucket.default_lock = ("GOVERNANCE", timedelta(days=30))
    found = trial.found()
    assert found.retention is YES
    assert of(found, "default_retention").result is Result.WARNING
    locks = [each.lock for kept in trial.bucket.names.values() for each in kept]
    assert all(lock is None or lock.until < trial.clock.now() + 2 * LOCKED for lock in locks)


def test_a_bucket_that_locks_by_itself_shows_it_on_the_first_canary() -> None:
    """Also to a writer that is not told the bucket's rule."""
    trial = Trial()
    trial.bucket.default_lock = ("GOVERNANCE", timedelta(days=30))
    found = trial.found(writer=WRITER, other=ALL_RIGHTS)
    assert of(found, "default_retention").result is Result.WARNING
    assert found.retention is YES


def test_clocks_that_differ() -> None:
    """Locks are tried by the store's time, and a difference of a minute is a failure."""
    trial = Trial()
    trial.bucket.skew = timedelta(minutes=-20)
    found = trial.found()
    assert found.retention is YES
    assert of(found, "clock").result is Result.FAIL
    assert "-1200 s" in of(found, "clock").fact


def test_a_store_that_never_answers() -> None:
    """Nothing at all is known of it."""
    trial = Trial()
    trial.bucket.silent_after = 0
    with pytest.raises(ObjectStoreUnavailableError):
        trial.found()


def test_a_store_that_falls_silent() -> None:
    """What was found stands; the rest cannot be told, and is not waited for one by one."""
    trial = Trial()
    trial.bucket.silent_after = 6
    found = trial.found()
    assert found.retention is UNKNOWN
    assert not found.failed
    assert of(found, "canary").verdict is YES
    assert of(found, "clock").verdict is UNKNOWN
    assert len(trial.bucket.asked) < 30


@pytest.mark.parametrize("operation", ["delete", "retain", "hold"])
def test_a_busy_answer_settles_nothing(operation: str) -> None:
    """A 503 is neither a refusal nor a success."""
    trial = Trial()
    trial.bucket.busy.add(operation)
    found = trial.found()
    assert not found.failed
    assert found.retention is (YES if operation == "hold" else UNKNOWN)


def test_a_writer_that_may_do_nothing() -> None:
    """The first PUT fails; nothing else is tried, and nothing said of the store."""
    trial = Trial()
    found = trial.found(writer=frozenset())
    assert found.failed
    assert found.retention is UNKNOWN
    assert verdicts(found) == dict.fromkeys(CHECKS, UNKNOWN) | {"canary": NO, "clock": YES}


def test_a_writer_that_may_not_look_fails() -> None:
    """What cannot be read back counts as not stored."""
    found = Trial().found(writer=frozenset({Right.PUT}))
    assert of(found, "canary").result is Result.FAIL


def test_other_bytes_than_were_put_fail() -> None:
    """A store that gives out other bytes is no store."""
    assert of(Trial(Quirk.SHOWS_OTHERS).found(), "canary").result is Result.FAIL


def test_nothing_is_left_behind_where_it_may_be_removed() -> None:
    """Own canaries go at once, and those of earlier examinations whose locks are over."""
    trial = Trial()
    name = f"{FOLDER}earlier"
    late = Lock(mode="GOVERNANCE", until=trial.clock.now() + timedelta(minutes=5))
    trial.bucket.hands().put(name, b"x", lock=late)
    trial.clock.advance((OLD + timedelta(seconds=1)).total_seconds())
    assert trial.found().left == 0
    assert not any(trial.bucket.names.values())


def test_what_the_writer_may_not_remove_the_probes_identity_does() -> None:
    """Both try the control, under one name: only what is locked stays, and all of it is told."""
    trial = Trial()
    found = trial.found(writer=WRITER, other=ALL_RIGHTS)
    stand = [each for kept in trial.bucket.names.values() for each in kept]
    assert all(each.lock is not None for each in stand)
    assert found.left == len(stand) > 0


def test_the_brief_examination_gives_the_same_verdict() -> None:
    """What a start asks is a part of the whole, and ends with the same word."""
    for quirk in (Quirk.DROPS_LOCKS, Quirk.IDLE_LOCKS, Quirk.SHORTENS, Quirk.CHECKS_NOTHING):
        brief = Trial(quirk).found(brief=True)
        assert brief.retention is Trial(quirk).found().retention
        assert set(verdicts(brief)) < set(CHECKS)
