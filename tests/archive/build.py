"""Building an archive: the story, then its folder."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.keys import absolute
from bridge.model import Outcome
from bridge.notekeys import generate, origin, parse_signing_key
from bridge.protocols import ObjectBody
from storage.objects import LocalObjectStore
from storage.signer.ed25519 import Ed25519Signer
from tests.archive.anchoring import Anchoring
from tests.archive.archive import LOG_ORIGIN, TENANT, Archive
from tests.archive.conversation import Conversation
from tests.archive.ledger import Ledger
from tests.servers.tsa import Authority

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
TAIL = 24
"""Leaves kept free for the end of the story."""


def draft(
    *,
    seed: int,
    leaves: int,
    anchors: bool = True,
    aged: bool = False,
    authority: Authority | None = None,
) -> Archive:
    """An archive in memory, of exactly ``leaves`` leaves (at least 60), the same for each seed.

    ``aged``: it is looked at two months later, when lifecycle rules have taken what was under
    review and need not stand any longer.
    """
    rng = random.Random(seed)
    signing, public = generate(origin(LOG_ORIGIN, TENANT), rng.randbytes)
    ledger = Ledger(rng, Ed25519Signer(parse_signing_key(signing)), START)
    anchoring = Anchoring(ledger, active=anchors, authority=authority)
    talks = _tell(ledger, anchoring, leaves)
    now = ledger.now + (timedelta(days=60) if aged else timedelta(minutes=1))
    gone = {key for talk in talks for key in talk.expirable()} if aged else set()
    objects = [one for one in ledger.objects.values() if one.key not in gone]
    return Archive(
        public_key=public,
        signing_key=signing,
        now=now,
        size=ledger.sizes[-1],
        leaves=tuple(ledger.leaves),
        notes=tuple(ledger.notes),
        objects=tuple(sorted(objects, key=lambda one: one.key)),
        witnesses=anchoring.witnesses,
        witness_signing_keys=anchoring.signing_keys,
        authority=anchoring.authority,
    )


def build(
    folder: Path, *, seed: int, leaves: int, anchors: bool = True, aged: bool = False
) -> Archive:
    """The same archive in the ``file:`` store at ``folder``, put by the real adapter."""
    return write(folder, draft(seed=seed, leaves=leaves, anchors=anchors, aged=aged))


def write(folder: Path, archive: Archive) -> Archive:
    """Put an archive that was drafted into a ``file:`` store."""
    asyncio.run(_put(folder, archive))
    for one in archive.objects:
        at = one.modified_at.timestamp()
        os.utime(folder / absolute(archive.tenant, one.key), (at, at))
    return replace(archive, folder=folder)


async def _put(folder: Path, archive: Archive) -> None:
    store = LocalObjectStore(folder, archive.tenant)
    await store.start()
    try:
        for one in archive.objects:
            await store.put(one.key, ObjectBody.of(one.body), retain_until=one.retain_until)
    finally:
        await store.aclose()


def _tell(ledger: Ledger, anchoring: Anchoring, leaves: int) -> list[Conversation]:
    rng = ledger.rng
    blind_key = rng.randbytes(32)
    talks = [Conversation(ledger, blind_key, number) for number in range(rng.randint(2, 3))]
    for talk in talks:
        talk.begin()
    verbs = ("happen", "decide", "lose", "flush", "publish", "anchor")
    while len(ledger.leaves) < leaves - TAIL:
        talk = rng.choice(talks)
        match rng.choices(verbs, (60, 12, 3, 4, 5, 2))[0]:
            case "happen":
                talk.happen()
            case "decide":
                talk.decide()
            case "lose":
                talk.lose()
            case "flush" if len(talk.waiting) > 3:
                talk.flush()
            case "publish":
                ledger.publish()
            case "anchor":
                anchoring.anchor()
    _end(ledger, anchoring, talks, leaves)
    return talks


def _end(ledger: Ledger, anchoring: Anchoring, talks: list[Conversation], leaves: int) -> None:
    """One stream closed, the others going on: an audit, discards up to the size, open ends."""
    *going, last = talks
    last.end()
    ledger.publish()
    going[0].act("audit", {"digest": ledger.rng.randbytes(32).hex(), "rows": 3})
    anchoring.anchor()
    while len(ledger.leaves) < leaves - 3:
        ledger.rng.choice(going).seal(Outcome.DISCARD)
    # A number that is sealed later than the one above it, and a record that is not put yet.
    going[0].next_n += 1
    going[0].seal(Outcome.DISCARD)
    going[0].seal(Outcome.CAPTURE)
    going[-1].seal(Outcome.DISCARD)
    if len(ledger.leaves) != leaves:
        raise ValueError(f"no story has {leaves} leaves")
    ledger.publish()
    anchoring.anchor(named=False)
    # Put already; its leaf is not out yet.
    unlogged = going[0].sealed[-2 if going[-1] is going[0] else -1]
    going[0].store(unlogged, "records", leaf=False)
