"""What a response gives, where servers differ from the one we know best."""

from __future__ import annotations

import msgspec

from bridge.model import EventKind, Presence
from connectors.matrix.delivery import Reader
from connectors.matrix.envelope import JoinedRoom, SyncEnvelope
from connectors.matrix.place import Backfill, Place, read_place, write_place
from connectors.matrix.sightings import ENCRYPTED
from tests.unit.connectors.matrix.payloads import RECORDER, ROOM, SEEN_AT, message, state

PLACE = Place(since="s1", recorded={ROOM: 1}, stale=(ROOM,))
CREATE = state("m.room.create", {"room_version": "11"})
INVITE = state("m.room.member", {"membership": "invite"}, RECORDER)
JOIN = state("m.room.member", {"membership": "join"}, RECORDER)
LEAVE = state("m.room.member", {"membership": "leave"}, RECORDER)


def reader() -> Reader:
    """A reader that knows nothing yet."""
    return Reader(own_user=RECORDER, default_retention=None)


def test_an_invitation_to_a_recorded_group() -> None:
    """Where a server tells only of the new invitation, the removal stands as a gap."""
    envelope = SyncEnvelope(next_batch="s2", invited={ROOM: (INVITE,)})
    delivery = reader().read(envelope, PLACE, approved=frozenset({ROOM}), at=SEEN_AT)
    assert [loss.why for loss in delivery.losses] == ["removal_unseen"]
    assert [sighting.presence for sighting in delivery.sightings] == [Presence.INVITED]
    assert (delivery.place.recorded, delivery.place.stale) == ({}, ())


def test_a_join_after_an_end_that_was_never_told() -> None:
    """In again, and nothing says since when we were out: recorded from the join on, with a gap."""
    timeline = (message("x"), JOIN, message("y"))
    joined = JoinedRoom(state=(CREATE,), timeline=timeline, limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined})
    delivery = reader().read(envelope, PLACE, approved=frozenset({ROOM}), at=SEEN_AT)
    assert [event.body for event in delivery.events][:2] == ["join", "y"]
    assert [event.kind for event in delivery.events][2:] == [EventKind.ROSTER]
    assert [loss.why for loss in delivery.losses] == ["removal_unseen"]
    assert delivery.place.backfills == ()


def test_a_join_that_lies_in_the_hole() -> None:
    """Found joined already, and the join comes later in the stream: filled from there on."""
    joined = JoinedRoom(state=(JOIN,), timeline=(message("x"),), limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined})
    place = Place(since="s1", recorded={ROOM: 1}, begun=(ROOM,))
    delivery = reader().read(envelope, place, approved=frozenset({ROOM}), at=SEEN_AT)
    assert delivery.losses == []
    assert delivery.place.backfills == (Backfill(group_id=ROOM, after="$first", until="p"),)


def test_a_hole_of_a_group_found_joined() -> None:
    """Found joined already, and long since: the hole begins where the last response ended."""
    joined = JoinedRoom(timeline=(message("x"),), limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined})
    place = Place(since="s1", recorded={ROOM: 1}, begun=(ROOM,))
    delivery = reader().read(envelope, place, approved=frozenset({ROOM}), at=SEEN_AT)
    assert delivery.losses == []
    assert delivery.place.backfills == (Backfill(group_id=ROOM, since="s1", until="p"),)


def test_a_join_in_the_hole_of_a_recorded_group() -> None:
    """In again, long ago: filled from that join on, and what was before it is a gap."""
    joined = JoinedRoom(state=(JOIN,), timeline=(message("x"),), limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined})
    delivery = reader().read(envelope, PLACE, approved=frozenset({ROOM}), at=SEEN_AT)
    assert [loss.why for loss in delivery.losses] == ["removal_unseen"]
    assert delivery.place.backfills == (Backfill(group_id=ROOM, after="$first", until="p"),)


def test_an_approved_group_that_was_left_unrecorded() -> None:
    """A withdrawn invitation is told and yields no events."""
    left = JoinedRoom(timeline=(message("x"), LEAVE))
    envelope = SyncEnvelope(next_batch="s2", left={ROOM: left})
    place = Place(since="s1")
    delivery = reader().read(envelope, place, approved=frozenset({ROOM}), at=SEEN_AT)
    assert delivery.events == []
    assert delivery.losses == []
    assert [sighting.presence for sighting in delivery.sightings] == [Presence.REMOVED]


def test_a_whole_stay_whose_beginning_is_out_of_sight() -> None:
    """In and out since the last response, with more than it holds: that is a gap."""
    left = JoinedRoom(timeline=(message("x"), LEAVE), limited=True, prev_batch="p")
    envelope = SyncEnvelope(next_batch="s2", left={ROOM: left})
    place = Place(since="s1")
    delivery = reader().read(envelope, place, approved=frozenset({ROOM}), at=SEEN_AT)
    assert delivery.events == []
    assert [loss.why for loss in delivery.losses] == ["join_not_found"]


def test_a_recorded_group_that_is_not_approved() -> None:
    """The end of our membership is told; nothing that was said comes with it."""
    left = JoinedRoom(timeline=(message("x"), LEAVE))
    envelope = SyncEnvelope(next_batch="s2", left={ROOM: left})
    delivery = reader().read(envelope, PLACE, approved=frozenset(), at=SEEN_AT)
    assert delivery.events == []
    assert delivery.place.recorded == {}
    assert [sighting.presence for sighting in delivery.sightings] == [Presence.REMOVED]


def test_a_group_is_told_until_it_is_kept() -> None:
    """A sighting comes again and again until its delivery is known to be kept; then no more."""
    subject = reader()
    joined = JoinedRoom(timeline=(message("x"),))
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined, "!other:x": joined})
    approved = frozenset({ROOM})
    for _ in range(2):
        delivery = subject.read(envelope, PLACE, approved=approved, at=SEEN_AT)
        assert [sighting.group_id for sighting in delivery.sightings] == [ROOM, "!other:x"]
    subject.kept(delivery)
    again = subject.read(envelope, PLACE, approved=approved, at=SEEN_AT)
    assert again.sightings == []
    assert again.unlisted == 1


def test_a_part_of_the_state_says_nothing_of_encryption() -> None:
    """What changed in a room leaves open whether it is encrypted; its whole state says it."""
    joined = JoinedRoom(timeline=(message("x"),))
    entered = JoinedRoom(state=(CREATE,), timeline=(message("x"),))
    for approved in (frozenset[str](), frozenset({ROOM})):
        for room, wanted in ((joined, None), (entered, "")):
            envelope = SyncEnvelope(next_batch="s2", joined={ROOM: room})
            delivery = reader().read(envelope, PLACE, approved=approved, at=SEEN_AT)
            assert [sighting.obstacle for sighting in delivery.sightings] == [wanted]


def test_an_invitation_says_only_that_a_group_is_encrypted() -> None:
    """What an invitation shows is no proof that a group can be read."""
    encryption = state("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    for shown, wanted in (((CREATE, INVITE), None), ((CREATE, encryption, INVITE), ENCRYPTED)):
        envelope = SyncEnvelope(next_batch="s2", invited={ROOM: shown})
        delivery = reader().read(envelope, Place(), approved=frozenset({ROOM}), at=SEEN_AT)
        assert [sighting.obstacle for sighting in delivery.sightings] == [wanted]


def test_a_part_of_the_state_makes_no_roster() -> None:
    """Who is here is told once it is known, not from what changed."""
    subject = reader()
    joined = JoinedRoom(timeline=(JOIN,))
    envelope = SyncEnvelope(next_batch="s2", joined={ROOM: joined})
    first = subject.read(envelope, Place(since="s1"), approved=frozenset({ROOM}), at=SEEN_AT)
    assert [event.kind for event in first.events] == [EventKind.MEMBERSHIP]
    assert subject.adopt(ROOM, (CREATE, JOIN), PLACE)
    envelope = SyncEnvelope(next_batch="s3")
    second = subject.read(envelope, first.place, approved=frozenset({ROOM}), at=SEEN_AT)
    assert [event.kind for event in second.events] == [EventKind.ROSTER]


def test_the_state_of_a_recorded_group_is_told_until_it_is_kept() -> None:
    """A sighting whose cursor is the one before comes again with what moves the cursor."""
    subject = reader()
    assert subject.adopt(ROOM, (CREATE, JOIN), PLACE)
    begun = subject.begin(ROOM, PLACE, SEEN_AT)
    assert (begun.place, begun.events) == (PLACE, [])
    assert [sighting.obstacle for sighting in begun.sightings] == [""]
    envelope = SyncEnvelope(next_batch="s2")
    for _ in range(2):
        delivery = subject.read(envelope, PLACE, approved=frozenset({ROOM}), at=SEEN_AT)
        assert [sighting.obstacle for sighting in delivery.sightings] == [""]
    subject.kept(delivery)
    again = subject.read(envelope, PLACE, approved=frozenset({ROOM}), at=SEEN_AT)
    assert again.sightings == []


def test_an_end_marks_the_holes_of_the_stay() -> None:
    """What is left to be fetched when we are put out is marked as the last of that stay."""
    hole = Backfill(group_id=ROOM, since="s0", until="p0")
    other = Backfill(group_id="!other:x", since="s0", until="p0")
    place = msgspec.structs.replace(PLACE, backfills=(hole, other))
    left = JoinedRoom(timeline=(message("x"), LEAVE), limited=True, prev_batch="p")
    ends = (
        SyncEnvelope(next_batch="s2", left={ROOM: left}),
        SyncEnvelope(next_batch="s2", invited={ROOM: (INVITE,)}),
    )
    for end in ends:
        delivery = reader().read(end, place, approved=frozenset({ROOM}), at=SEEN_AT)
        marked = {found.group_id: found.last for found in delivery.place.backfills}
        assert marked == {ROOM: True, "!other:x": False}
    delivery = reader().read(ends[0], place, approved=frozenset(), at=SEEN_AT)
    assert [found.last for found in delivery.place.backfills] == [False, False]


def test_a_place_survives_as_bytes() -> None:
    """What is written reads back, and a hole planned by an earlier version too."""
    hole = Backfill(group_id=ROOM, after="$join", until="p")
    place = msgspec.structs.replace(PLACE, backfills=(hole,))
    assert read_place(write_place(place)) == place
    assert read_place(None) == Place()
