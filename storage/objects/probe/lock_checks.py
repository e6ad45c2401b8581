"""Whether a bucket's locks hold. A refusal counts only for whom the control has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bridge.protocols.probe import Enforcement, Result, StoreCheck
from storage.objects.probe.bench import LOCKED, Bench, check
from storage.objects.probe.hands import Answer, Hands, Lock, Said, Shown
from storage.objects.s3_values import whole_second

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(seconds=2)
"""The shortest lock, for a control in a bucket that locks everything: it is waited for."""

TOLERANCE = timedelta(seconds=1)
_ENFORCED, _NOT = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
_UNKNOWN, _NA = Enforcement.CANNOT_TELL, Enforcement.NOT_APPLICABLE
_UNLOCKED = "Use a bucket with Object Lock, in a store that enforces it, or set lock_mode none."
_PROBE = (
    "Give --probe-credentials FILE of an identity that may also delete versions and lengthen"
    " retentions, so that a refusal to it says something."
)


def default_retention(bench: Bench) -> StoreCheck:
    """Whether the bucket locks by itself what is put without a lock. Warned of."""
    if not bench.default_lock:
        return check("default_retention", _NA, "The bucket locks nothing by itself.")
    fact = (
        f"The bucket locks by itself whatever is put into it: {bench.default_lock}. Each version of"
        " the log's checkpoint and each partial tile is kept as long."
    )
    remedy = "Remove the bucket's default retention: the recorder locks each object itself."
    return check("default_retention", _NOT, fact, remedy)


def control(bench: Bench) -> StoreCheck:
    """Who can delete a version that nothing locks: what is refused to them later is the lock's."""
    said = []
    for identity in bench.identities:
        lock = _for_a_moment(bench)
        canary = bench.put("control", b"control", lock=lock)
        if not canary.done:
            return check("control", _UNKNOWN, f"The canary's PUT is answered {canary.words}.")
        _wait_for_the_end(bench, lock)
        answer = identity.delete(bench.name("control"), canary.version)
        if answer.done and not bench.stands("control", canary.version):
            bench.deleter = identity
            bench.forget("control", canary.version)
            who = bench.called(identity).capitalize()
            return check("control", _ENFORCED, f"{who} deleted an unlocked canary.")
        said.append(f"{bench.called(identity)} {answer.words}")
    fact = f"An unlocked canary was not deleted by {' nor by '.join(said)}."
    return check("control", _UNKNOWN, fact, _PROBE)


def _for_a_moment(bench: Bench) -> Lock | None:
    if not bench.default_lock:
        return None
    return Lock(mode="GOVERNANCE", until=whole_second(bench.server_now() + MOMENT))


def _wait_for_the_end(bench: Bench, lock: Lock | None) -> None:
    """A second more than the lock lasts: the store's clock is known to half a second."""
    if lock is not None:
        left = lock.until + TOLERANCE - bench.server_now()
        bench.pause(max(left.total_seconds(), 0.0))


def lock_kept(bench: Bench) -> StoreCheck:
    """Whether a retention that is sent with an object is shown afterwards."""
    asked = Lock(mode=bench.mode, until=bench.server_now() + LOCKED)
    made = bench.put("lock", b"locked", lock=asked)
    if made.is_denial or made.said is Said.UNSETTLED:
        fact = f"A PUT with a {bench.lock_mode} lock is answered {made.words}."
        found = check("lock_kept", _UNKNOWN, fact, "Give the writer s3:PutObjectRetention.")
        # Nothing could be stored like this, whatever the store enforces.
        return replace(found, result=Result.FAIL) if made.is_denial else found
    if not made.done:
        fact = f"The bucket takes no {bench.lock_mode} lock: {made.words}."
        return check("lock_kept", _NOT, fact, _UNLOCKED, needed=True)
    shown = bench.writer.look(bench.name("lock"), made.version)
    bench.lock_shown = is_kept(shown, asked)
    if bench.lock_shown:
        fact = f"A {bench.lock_mode} lock is shown as it was asked for."
        return check("lock_kept", _ENFORCED, fact)
    has = _words(shown)
    fact = f"A {bench.lock_mode} lock was answered {made.words}, and the store shows {has}."
    return check("lock_kept", _NOT, fact, _UNLOCKED, needed=True)


def delete_version(bench: Bench) -> StoreCheck:
    """Whether a locked version can be deleted by whom nothing but the lock hinders."""
    if not bench.lock_shown:
        return _no_lock("delete_version")
    made = bench.put("delete", b"locked", lock=_lock(bench))
    who = bench.deleter or bench.writer
    answer = who.delete(bench.name("delete"), made.version)
    if not bench.stands("delete", made.version):
        fact = f"{bench.called(who).capitalize()} deleted a locked version before its time."
        return check("delete_version", _NOT, fact, _UNLOCKED, needed=True)
    if bench.deleter is None:
        fact = (
            f"Deleting a locked version is answered {answer.words} to {bench.called(who)}, to whom"
            " deleting an unlocked one is refused as well."
        )
        return check("delete_version", _UNKNOWN, fact, _PROBE)
    if answer.said is Said.UNSETTLED:
        fact = f"Deleting a locked version is answered {answer.words}."
        return check("delete_version", _UNKNOWN, fact)
    how = "without effect" if answer.done else f"refused: {answer.words}"
    fact = f"Deleting a locked version is {how}; {bench.called(who)} can delete unlocked ones."
    return check("delete_version", _ENFORCED, fact)


def shorten_retention(bench: Bench) -> StoreCheck:
    """Whether a retention can be shortened, or its mode weakened, by who can lengthen it."""
    if not bench.lock_shown:
        return _no_lock("shorten_retention")
    asked = _lock(bench)
    made = bench.put("shorten", b"locked", lock=asked)
    name, version = bench.name("shorten"), made.version
    longer = Lock(mode=asked.mode, until=asked.until + MINUTE)
    who, said = _lengthener(bench, name, version, longer)
    shorter = Lock(mode=asked.mode, until=bench.server_now() + MINUTE)
    attempts = [("shortening", shorter)]
    if bench.lock_mode == "compliance":
        attempts.append(("weakening", Lock(mode="GOVERNANCE", until=longer.until)))
    standing = longer if who is not None else asked
    for doing, weaker in attempts:
        said = (who or bench.writer).retain(name, version, weaker)
        if not is_kept(bench.writer.look(name, version), standing):
            fact = f"{doing.capitalize()} the retention of a locked version is taken."
            return check("shorten_retention", _NOT, fact, _UNLOCKED, needed=True)
    if who is None:
        fact = f"Lengthening a retention is not possible to us either: {said.words}."
        return check("shorten_retention", _UNKNOWN, fact, _PROBE)
    if said.said is Said.UNSETTLED:
        fact = f"Shortening a retention is answered {said.words}."
        return check("shorten_retention", _UNKNOWN, fact)
    how = "without effect" if said.done else f"refused: {said.words}"
    fact = f"Shortening a retention is {how}; {bench.called(who)} can lengthen it."
    return check("shorten_retention", _ENFORCED, fact)


def _lengthener(
    bench: Bench, name: str, version: str | None, longer: Lock
) -> tuple[Hands | None, Answer]:
    """The control of shortening: who can change this retention at all."""
    answer = Answer(said=Said.UNSETTLED)
    for identity in bench.identities:
        answer = identity.retain(name, version, longer)
        if answer.done and is_kept(bench.writer.look(name, version), longer):
            return identity, answer
    return None, answer


def bypass(bench: Bench) -> StoreCheck:
    """Whether the recorder's own identity may pass over a governance lock."""
    if not bench.lock_shown:
        return _no_lock("bypass")
    if bench.lock_mode == "compliance":
        return check("bypass", _NA, "Nobody can pass over a compliance lock.")
    made = bench.put("bypass", b"locked", lock=_lock(bench))
    answer = bench.writer.delete(bench.name("bypass"), made.version, bypass=True)
    if not bench.stands("bypass", made.version):
        bench.forget("bypass", made.version)
        bench.may_bypass = True
        fact = "The writer may pass over governance locks: who has its keys can delete records."
        remedy = "Take s3:BypassGovernanceRetention and s3:DeleteObjectVersion from the writer."
        return check("bypass", _NOT, fact, remedy)
    fact = f"The writer may not pass over governance locks: {answer.words}."
    return check("bypass", _ENFORCED, fact)


def legal_hold(bench: Bench) -> StoreCheck:
    """Whether a legal hold keeps a version that nothing else protects."""
    if not bench.lock_shown:
        return _no_lock("legal_hold")
    lock = _for_a_moment(bench)
    made = bench.put("hold", b"held", lock=lock)
    name, version = bench.name("hold"), made.version
    holder, said = _holder(bench, name, version)
    if holder is None:
        verdict = _UNKNOWN if said.is_denial or said.said is Said.UNSETTLED else _NOT
        fact = f"A legal hold is answered {said.words}, and not shown."
        remedy = "Holds are set with hold_credentials_file; probe with them as --probe-credentials."
        return check("legal_hold", verdict, fact, remedy)
    _wait_for_the_end(bench, lock)
    who = bench.deleter or bench.writer
    answer = who.delete(name, version)
    gone = not bench.stands("hold", version)
    holder.hold(name, version, on=False)
    if gone:
        fact = f"{bench.called(who).capitalize()} deleted a version under a legal hold."
        return check("legal_hold", _NOT, fact, "Use a store that enforces legal holds.")
    if bench.deleter is None or answer.said is Said.UNSETTLED:
        return check("legal_hold", _UNKNOWN, f"Deleting is answered {answer.words}.", _PROBE)
    fact = f"Deleting a version under a legal hold is refused: {answer.words}."
    return check("legal_hold", _ENFORCED, fact)


def _holder(bench: Bench, name: str, version: str | None) -> tuple[Hands | None, Answer]:
    answer = Answer(said=Said.UNSETTLED)
    for identity in bench.identities:
        answer = identity.hold(name, version, on=True)
        shown = bench.writer.look(name, version) if answer.done else None
        if shown is not None and shown.held:
            return identity, answer
    return None, answer


def _lock(bench: Bench) -> Lock:
    return Lock(mode=bench.mode, until=bench.server_now() + LOCKED)


def _no_lock(name: str) -> StoreCheck:
    return check(name, _NA, "No lock stands that could be tried.")


def is_kept(shown: Shown | None, asked: Lock) -> bool:
    """Whether a lock is shown that is as strong and as long as the one that was asked for."""
    if shown is None or shown.lock is None:
        return False
    strong = shown.lock.mode in {asked.mode, "COMPLIANCE"}
    return strong and shown.lock.until >= asked.until - TOLERANCE


def _words(shown: Shown | None) -> str:
    if shown is None:
        return "no such object"
    if shown.lock is None:
        return "no lock"
    return f"{shown.lock.mode} until {shown.lock.until:%Y-%m-%d %H:%M:%S} UTC"
