"""Encrypted events name their key; what came in the clear into an encrypted room is flagged."""

from __future__ import annotations

import pytest

from bridge.canonical.json import Json
from bridge.model import Crypto, EventKind
from connectors.matrix.delivery import Reader
from connectors.matrix.encryption import encrypted
from connectors.matrix.envelope import JoinedRoom, SyncEnvelope
from connectors.matrix.place import Backfill, Place, Rescue
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    RECORDER,
    ROOM,
    SEEN_AT,
    event,
    mapped,
    message,
    related,
    room_of,
    state,
)

MEGOLM = "m.megolm.v1.aes-sha2"
ON = state("m.room.encryption", {"algorithm": MEGOLM})
JOIN = state("m.room.member", {"membership": "join"}, RECORDER)
PLAIN = Crypto(plain_in_encrypted=True)


def test_the_key_is_named() -> None:
    """Algorithm and session are told; the deprecated fields may lack."""
    found = mapped(
        event("m.room.encrypted", {"algorithm": MEGOLM, "session_id": "s1", "ciphertext": "x"})
    )
    assert found.kind is EventKind.ENCRYPTED
    assert found.crypto == Crypto(algorithm=MEGOLM, session="s1")


@pytest.mark.parametrize(
    "content", [{}, {"algorithm": 5, "session_id": ["s"]}, {"ciphertext": {}}, {"session_id": None}]
)
def test_malformed_encrypted_content(content: Json) -> None:
    """What is missing or of the wrong shape is not told; the event is there all the same."""
    found = mapped(event("m.room.encrypted", content))
    assert found.kind is EventKind.ENCRYPTED
    assert found.crypto == Crypto()


def test_a_redacted_encrypted_event() -> None:
    """Nothing is left to decrypt of it."""
    unsigned: Json = {"redacted_because": {"event_id": "$r"}}
    found = mapped(event("m.room.encrypted", {}, unsigned=unsigned))
    assert found.missing is not None
    assert found.crypto is None


@pytest.mark.parametrize(
    ("raw", "crypto"),
    [
        (message("In the clear."), PLAIN),
        (event("m.sticker", {"body": "x"}), PLAIN),
        (event("some.thing", {}), PLAIN),
        (message("* x", **{"m.relates_to": related("m.replace")}), PLAIN),
        (event("m.reaction", {"m.relates_to": related("m.annotation", key="x")}), None),
        (event("m.room.redaction", {"redacts": "$a"}), None),
        (state("m.room.topic", {"topic": "x"}), None),
        (state("m.room.member", {"membership": "join"}, CLERK), None),
        (b"no event", None),
    ],
)
def test_what_came_in_the_clear(raw: bytes, crypto: Crypto | None) -> None:
    """Only what a client would have encrypted is flagged, and only in an encrypted room."""
    assert mapped(raw, room=room_of(ON)).crypto == crypto
    assert mapped(raw).crypto is None


def test_from_where_on_a_room_is_encrypted() -> None:
    """What stands before the first setting came without; a later change of it says nothing."""
    said = message("x")
    again = state(
        "m.room.encryption",
        {"algorithm": MEGOLM, "rotation_period_msgs": 1},
        unsigned={"prev_content": {"algorithm": MEGOLM}},
    )
    fake = event("m.room.encryption", {"algorithm": MEGOLM})
    escaped = ON.replace(b"encryption", rb"\u0065ncryption")
    assert encrypted((said, ON, said), is_now=True) == (False, True, True)
    assert encrypted((said, escaped, said), is_now=True) == (False, True, True)
    assert encrypted((said, again), is_now=True) == (True, True)
    assert encrypted((said, fake), is_now=False) == (False, False)
    assert encrypted((), is_now=True) == ()


def test_a_timeline_in_which_encryption_begins() -> None:
    """Live and in history alike, what was said before is not flagged."""
    first, second = message("before"), message("after", event_id="$b")
    reader = Reader(own_user=RECORDER, default_retention=None)
    joined = JoinedRoom(timeline=(JOIN, first, ON, second))
    delivery = reader.read(
        SyncEnvelope(next_batch="s2", joined={ROOM: joined}),
        Place(since="s1"),
        approved=frozenset({ROOM}),
        at=SEEN_AT,
    )
    said = [each.crypto for each in delivery.events if each.kind is EventKind.MESSAGE]
    assert said == [None, PLAIN]
    hole = Backfill(group_id=ROOM, until="p")
    past, _ = reader.read_history(hole, (first, ON, second), SEEN_AT)
    assert [each.crypto for each in past] == [None, None, PLAIN]


def test_encryption_that_begins_in_a_hole() -> None:
    """What was said before it is flagged on no page, though the room is encrypted by then."""
    approved = frozenset({ROOM})
    create = state("m.room.create", {"room_version": "11"})
    place = Place(since="s1", recorded={ROOM: 1})
    began = Reader(own_user=RECORDER, default_retention=None)
    assert began.adopt(ROOM, (create, JOIN), place)
    quiet = began.read(SyncEnvelope(next_batch="s2"), place, approved=approved, at=SEEN_AT)
    assert quiet.place.plain == (ROOM,)
    reader = Reader(own_user=RECORDER, default_retention=None)  # restarted after an outage
    assert reader.adopt(ROOM, (create, JOIN, ON), quiet.place)
    joined = JoinedRoom(timeline=(message("last"),), limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s3", joined={ROOM: joined})
    delivery = reader.read(envelope, quiet.place, approved=approved, at=SEEN_AT)
    assert [each.crypto for each in delivery.events] == [PLAIN]
    [hole] = delivery.place.backfills
    assert hole.plain
    assert delivery.place.plain == ()
    flags = []
    for page in ((message("1"), message("2")), (message("3"), ON, message("4")), (message("5"),)):
        events, hole = reader.read_history(hole, page, SEEN_AT)
        flags += [each.crypto for each in events if each.kind is EventKind.MESSAGE]
    assert flags == [None, None, None, PLAIN, PLAIN]
    assert not hole.plain


def test_encryption_that_began_while_nobody_listened() -> None:
    """Where the response is whole, what stands before it is not flagged either."""
    approved = frozenset({ROOM})
    place = Place(since="s1", recorded={ROOM: 1}, plain=(ROOM,))
    reader = Reader(own_user=RECORDER, default_retention=None)
    assert reader.adopt(ROOM, (JOIN, ON), place)  # the response ends before it
    elsewhere = reader.read(SyncEnvelope(next_batch="s2"), place, approved=approved, at=SEEN_AT)
    assert elsewhere.place.plain == (ROOM,)
    joined = JoinedRoom(timeline=(message("before"),))
    envelope = SyncEnvelope(next_batch="s3", joined={ROOM: joined})
    delivery = reader.read(envelope, elsewhere.place, approved=approved, at=SEEN_AT)
    assert [each.crypto for each in delivery.events] == [None]
    nobody = reader.read(SyncEnvelope(next_batch="s4"), place, approved=frozenset(), at=SEEN_AT)
    assert nobody.place.plain == ()


@pytest.mark.parametrize("exposed", [True, False])
def test_a_rescued_event_is_flagged_as_it_came(*, exposed: bool) -> None:
    """Whether it was said before the encryption began was known when it came redacted."""
    reader = Reader(own_user=RECORDER, default_retention=None)
    assert reader.adopt(ROOM, (JOIN, ON), Place())
    order = Rescue(group_id=ROOM, event_id="$x", at=0, exposed=exposed)
    rescued = reader.read_rescued(order, message("said"), SEEN_AT)
    assert rescued.crypto == (PLAIN if exposed else None)
