"""Whether a bucket keeps what it is given: bytes, names that are made once, checksums, time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bridge.protocols.probe import Enforcement, StoreCheck
from storage.objects.probe.bench import Bench, check
from storage.objects.probe.hands import Answer, Said

CREATORS = 16
MISLABELLED = b"bytes with the checksum of others"
OTHER_BYTES = b"what somebody else would put under the same name"
CLOCK_LIMIT = timedelta(seconds=30)
"""How far the store's clock may be off: retentions and signatures are by it."""

_ENFORCED, _NOT = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
_UNKNOWN, _NA = Enforcement.CANNOT_TELL, Enforcement.NOT_APPLICABLE


def canary(bench: Bench) -> StoreCheck:
    """An object is written and read back; and what the bucket locks by itself is seen on it."""
    data = b"canary"
    made = bench.put("canary", data)
    if not made.done:
        fact = f"The writer's first PUT is answered {made.words}."
        remedy = "Check the bucket, the credentials and their right s3:PutObject."
        return check("canary", _NOT, fact, remedy, needed=True)
    name = bench.name("canary")
    if bench.writer.read(name, made.version) != data:
        fact = "A PUT was answered as done, and its bytes do not come back."
        return check("canary", _NOT, fact, "Use another store.", needed=True)
    shown = bench.writer.look(name, made.version)
    if not bench.default_lock and shown is not None and shown.lock is not None:
        bench.default_lock = f"{shown.lock.mode} until {shown.lock.until:%Y-%m-%d %H:%M} UTC"
    return check("canary", _ENFORCED, "Written, read back and shown.")


def versioning(bench: Bench) -> StoreCheck:
    """Whether what is overwritten stays as an older version."""
    status = bench.writer.versioning()
    bench.versioned = status in {"Enabled", "Suspended"}
    if status == "Enabled":
        return check("versioning", _ENFORCED, "The bucket keeps versions.")
    said = "Versioning is suspended." if bench.versioned else "The bucket keeps no versions."
    remedy = "Turn on versioning; Object Lock needs it."
    return check("versioning", _NOT, said, remedy, needed=bench.lock_mode != "none")


def create_only(bench: Bench) -> StoreCheck:
    """Of 16 creators of one name, at the same time, one wins: by the store, or by its versions."""

    def create(i: int) -> Answer:
        return bench.put("race", b"creator %d" % i, only_new=True)

    with ThreadPoolExecutor(CREATORS, thread_name_prefix="probe") as threads:
        answers = tuple(threads.map(create, range(CREATORS)))
    won = [answer for answer in answers if answer.done]
    if len(won) == 1:
        fact = f"Of {CREATORS} creators of one name one won; the others were refused."
        return check("create_only", _ENFORCED, fact)
    if not won:
        fact = f"No conditional PUT was taken: {answers[0].words}."
        remedy = "Use a store that takes If-None-Match."
        verdict = _NOT if answers[0].said is Said.REFUSED else _UNKNOWN
        return check("create_only", verdict, fact, remedy, needed=True)
    fact = f"The store let {len(won)} of {CREATORS} creators of one name win"
    if bench.versioned and _oldest_stands(bench, {answer.version for answer in won}):
        fact += "; it keeps them as versions in one order, so that the oldest counts."
        return check("create_only", _ENFORCED, fact)
    remedy = "Turn on versioning for the bucket, or use a store that keeps If-None-Match."
    return check("create_only", _NOT, f"{fact}, and keeps the last.", remedy, needed=True)


def _oldest_stands(bench: Bench, versions: set[str | None]) -> bool:
    """The adapter's own rule (ADR 0004): every creator sees the same oldest version."""
    name = bench.name("race")
    first, again = bench.writer.versions(name), bench.writer.versions(name)
    if len(first) != len(versions) or first != again or first[-1] not in versions:
        return False
    return bench.writer.read(name, first[-1]) is not None


def overwrite(bench: Bench) -> StoreCheck:
    """Whether a PUT without a condition destroys what stands."""
    data = b"first"
    made = bench.put("overwrite", data)
    second = bench.put("overwrite", OTHER_BYTES)
    if not made.done or second.said is Said.UNSETTLED:
        return check("overwrite", _UNKNOWN, f"A PUT is answered {second.words}.")
    if bench.writer.read(bench.name("overwrite"), made.version) == data:
        how = "left it as an older version" if second.done else f"is refused: {second.words}"
        return check("overwrite", _ENFORCED, f"A PUT over an object {how}.")
    fact = "A PUT without a condition replaces an object: whoever has the keys can."
    remedy = "Turn on versioning, with Object Lock."
    return check("overwrite", _NOT, fact, remedy, needed=bench.lock_mode != "none")


def conditional_put(bench: Bench) -> StoreCheck:
    """Whether If-None-Match is kept on this bucket, versions or not."""
    where = "with versions" if bench.versioned else "without versions"
    bench.put("conditional", b"first")
    second = bench.put("conditional", OTHER_BYTES, only_new=True)
    if second.said is Said.UNSETTLED:
        return check("conditional_put", _UNKNOWN, f"The second PUT is answered {second.words}.")
    if not second.done and second.words.startswith("412"):
        return check("conditional_put", _ENFORCED, f"If-None-Match is kept on this bucket {where}.")
    if not second.done:
        fact = f"If-None-Match is not known to the store: {second.words}."
        return check("conditional_put", _NOT, fact, "Use another store.", needed=True)
    fact = f"If-None-Match is ignored on this bucket {where}"
    if bench.versioned:
        fact += ": a repeated PUT leaves one version more, and the oldest counts."
        return check("conditional_put", _NOT, fact, "Nothing to do: the recorder reads versions.")
    return check("conditional_put", _NOT, f"{fact}.", "Turn on versioning.", needed=True)


def if_match(bench: Bench) -> StoreCheck:
    """Whether the log's checkpoint can be replaced under a condition."""
    first = bench.put("checkpoint", b"first")
    second = bench.put("checkpoint", b"second", instead_of=first.etag or '""')
    if not first.done or not second.done:
        fact = f"If-Match is of no use: with the right ETag it is answered {second.words}."
        verdict = _UNKNOWN if second.said is Said.UNSETTLED else _NOT
        return check("if_match", verdict, fact, _COMPARED)
    stale = bench.put("checkpoint", OTHER_BYTES, instead_of=first.etag)
    if stale.said is Said.UNSETTLED:
        return check("if_match", _UNKNOWN, f"A stale If-Match is answered {stale.words}.")
    if stale.done:
        return check("if_match", _NOT, "A stale If-Match is taken: it is not looked at.", _COMPARED)
    return check("if_match", _ENFORCED, f"A stale If-Match is refused: {stale.words}.")


_COMPARED = "The checkpoint is read and compared before it is replaced; run one recorder only."


def wrong_sha256(bench: Bench) -> StoreCheck:
    """Whether bytes are checked against the SHA-256 sent with them."""
    answer = bench.put("sha256", MISLABELLED, sha256=hashlib.sha256(OTHER_BYTES).digest())
    return _checksum("wrong_sha256", "SHA-256", answer)


def wrong_md5(bench: Bench) -> StoreCheck:
    """Whether bytes are checked against the Content-MD5 sent with them."""
    digest = hashlib.md5(OTHER_BYTES, usedforsecurity=False).digest()
    return _checksum("wrong_md5", "Content-MD5", bench.put("md5", MISLABELLED, md5=digest))


def _checksum(name: str, what: str, answer: Answer) -> StoreCheck:
    if answer.said is Said.UNSETTLED or answer.is_denial:
        return check(name, _UNKNOWN, f"A PUT with a wrong {what} is answered {answer.words}.")
    if answer.done:
        fact = f"A PUT with a wrong {what} is taken: the store does not check it."
        remedy = "The recorder signs each body and compares what it reads back; prefer TLS."
        return check(name, _NOT, fact, remedy)
    return check(name, _ENFORCED, f"A PUT with a wrong {what} is refused: {answer.words}.")


def clock(bench: Bench) -> StoreCheck:
    """Whether the store's clock and ours agree."""
    skew = bench.writer.skew
    if skew is None:
        return check("clock", _UNKNOWN, "The store's answers carry no date.")
    seconds = skew.total_seconds()
    if abs(skew) <= CLOCK_LIMIT:
        return check("clock", _ENFORCED, f"The store's clock is {seconds:+.0f} s from ours.")
    fact = f"The store's clock is {seconds:+.0f} s from ours; retentions end by the store's."
    remedy = "Set both clocks, and keep them set (e.g. by chrony)."
    return check("clock", _NOT, fact, remedy, needed=True)
