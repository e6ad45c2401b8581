"""Each type of event becomes the kind, text and relation that the record format names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.canonical.json import Json
from bridge.model import (
    Attachment,
    CaptureMethod,
    Event,
    EventKind,
    GroupTimer,
    Relation,
    RelationType,
    Sender,
    Timer,
)
from connectors.matrix.mapping import map_event
from connectors.matrix.room import RoomState
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    RECORDER,
    ROOM,
    SEEN_AT,
    SENT_AT,
    SENT_MS,
    event,
    facts,
    mapped,
    message,
    related,
    room_of,
    state,
    to_target,
)

POLL = "org.matrix.msc3381.poll"
UNSTABLE_TEXT = "org.matrix.msc1767.text"


def test_a_text_message_whole() -> None:
    """Every field of a plain message is mapped."""
    raw = message("The permit is granted.")
    member: Json = {"membership": "join", "displayname": "The clerk"}
    room = room_of(state("m.room.member", member, CLERK))
    found = map_event(
        raw,
        room=room,
        timers=GroupTimer(group_id=ROOM, standing=Timer(seconds=60, basis="server default")),
        encrypted=False,
        own_user=RECORDER,
        observed_at=SEEN_AT,
        method=CaptureMethod.BACKFILL,
    )
    assert found == Event(
        group_id=ROOM,
        upstream_id="$first",
        kind=EventKind.MESSAGE,
        sender=Sender(id=CLERK, display_name="The clerk"),
        sent_at=SENT_AT,
        observed_at=SEEN_AT,
        body="The permit is granted.",
        timer=Timer(seconds=60, basis="server default"),
        upstream=(("type", "m.room.message"), ("msgtype", "m.text")),
        method=CaptureMethod.BACKFILL,
        raw=raw,
    )


@pytest.mark.parametrize("msgtype", ["m.text", "m.notice", "m.emote", "org.example.odd"])
def test_texts_are_messages(msgtype: str) -> None:
    """Whatever its msgtype, a text is a message with its body as it stands."""
    found = mapped(message("waves", msgtype=msgtype))
    assert (found.kind, found.body) == (EventKind.MESSAGE, "waves")
    assert facts(found) == {"msgtype": msgtype}


def test_only_our_own_notices_are_notices() -> None:
    """A notice by the recorder is one; by anyone else it is a message, and an edit an edit."""
    content: Json = {"msgtype": "m.notice", "body": "This group is recorded."}
    edit: Json = {"m.new_content": content, "m.relates_to": related("m.replace")}
    assert mapped(event("m.room.message", content, sender=RECORDER)).kind is EventKind.NOTICE
    assert mapped(event("m.room.message", content)).kind is EventKind.MESSAGE
    assert mapped(event("m.room.message", edit, sender=RECORDER)).kind is EventKind.EDIT
    assert mapped(message("x", msgtype="m.text")).kind is EventKind.MESSAGE


@pytest.mark.parametrize("msgtype", ["m.image", "m.file", "m.audio", "m.video"])
def test_files_are_attachments(msgtype: str) -> None:
    """A file is a message with an attachment; its body is the caption if it has a filename."""
    info: Json = {"mimetype": "application/pdf", "size": 4096, "w": 1}
    found = mapped(message("plan.pdf", msgtype=msgtype, url="mxc://x/1", info=info))
    attachment = Attachment(
        url="mxc://x/1", name="plan.pdf", declared_type="application/pdf", size=4096
    )
    assert (found.kind, found.body) == (EventKind.MESSAGE, "plan.pdf")
    assert found.attachments == (attachment,)
    found = mapped(
        message("See here", msgtype=msgtype, url="mxc://x/1", info=info, filename="plan.pdf")
    )
    assert (found.body, found.attachments) == ("See here", (attachment,))


def test_encrypted_files_say_so() -> None:
    """The address of an encrypted file is found in `file`, and the fact is kept."""
    found = mapped(message("a.jpg", msgtype="m.image", file={"url": "mxc://x/2", "v": "v2"}))
    assert found.attachments == (Attachment(url="mxc://x/2", name="a.jpg"),)
    assert facts(found)["file_encrypted"] == "true"


@pytest.mark.parametrize("size", [-1, 2**53, "4", 1.5, None, True, 10**400])
def test_odd_sizes_are_left_out(size: Json) -> None:
    """A size that canonical JSON cannot carry as a whole number is none."""
    found = mapped(message("a", msgtype="m.file", url="mxc://x/3", info={"size": size}))
    assert found.attachments[0].size is None


def test_a_file_without_address_is_a_message() -> None:
    """Nothing can be fetched, and the rest stands."""
    found = mapped(message("a.jpg", msgtype="m.image", url=5, file="x"))
    assert (found.kind, found.body, found.attachments) == (EventKind.MESSAGE, "a.jpg", ())


def test_sticker() -> None:
    """A sticker has its text and its picture."""
    found = mapped(event("m.sticker", {"body": "Thumbs up", "url": "mxc://x/4"}))
    assert (found.kind, found.body) == (EventKind.STICKER, "Thumbs up")
    assert found.attachments == (Attachment(url="mxc://x/4", name="Thumbs up"),)


LOCATIONS: list[bytes] = [
    message("Town hall", msgtype="m.location", geo_uri="geo:52,13"),
    event("org.matrix.msc3672.beacon", {"org.matrix.msc3488.location": {"uri": "geo:52,13"}}),
    event("m.beacon", {"m.location": {"uri": "geo:52,13", "description": "Town hall"}}),
    state("m.beacon_info", {"description": "Town hall", "m.location": {"uri": "geo:52,13"}}, CLERK),
]


@pytest.mark.parametrize("raw", LOCATIONS)
def test_locations(raw: bytes) -> None:
    """Places have their address, and as text their description where there is one."""
    found = mapped(raw)
    assert found.kind is EventKind.LOCATION
    assert found.body in {"Town hall", "geo:52,13"}
    assert facts(found)["geo_uri"] == "geo:52,13"


def test_edits() -> None:
    """An edit has the new text, and a new picture; without new content, its own text."""
    new: Json = {"msgtype": "m.text", "body": "Granted."}
    relation = related("m.replace")
    found = mapped(message("* Granted.", **{"m.new_content": new, "m.relates_to": relation}))
    assert (found.kind, found.body) == (EventKind.EDIT, "Granted.")
    assert found.relates_to == to_target(RelationType.EDIT)
    new = {"msgtype": "m.image", "body": "b.png", "url": "mxc://x/5"}
    found = mapped(message("*", **{"m.new_content": new, "m.relates_to": relation}))
    assert found.attachments == (Attachment(url="mxc://x/5", name="b.png"),)
    found = mapped(message("* Odd", **{"m.new_content": 5, "m.relates_to": relation}))
    assert (found.kind, found.body) == (EventKind.EDIT, "* Odd")
    new = {"msgtype": "m.location", "body": "Here", "geo_uri": "geo:1,1"}
    found = mapped(message("*", **{"m.new_content": new, "m.relates_to": relation}))
    assert found.kind is EventKind.EDIT


@pytest.mark.parametrize("fields", [{"redacts": "$target"}, {}])
def test_redactions(fields: dict[str, Json]) -> None:
    """A redaction names its target at the top or, in newer rooms, in its content."""
    content: Json = {"reason": "wrong file"} if fields else {"redacts": "$target"}
    found = mapped(event("m.room.redaction", content, **fields))
    assert found.kind is EventKind.REDACTION
    assert found.body == ("wrong file" if fields else None)
    assert found.relates_to == to_target(RelationType.REDACTION)


def test_reactions() -> None:
    """A reaction has its key as text."""
    found = mapped(event("m.reaction", {"m.relates_to": related("m.annotation", key="👍")}))
    assert (found.kind, found.body) == (EventKind.REACTION, "👍")
    assert found.relates_to == to_target(RelationType.REACTION)
    assert mapped(event("m.reaction", {})).relates_to is None


def test_replies_and_threads() -> None:
    """A real reply within a thread is a reply that names the thread; others belong to its root."""
    reply: Json = {"event_id": "$answered"}
    answered = Relation(type=RelationType.REPLY, upstream_id="$answered")
    found = mapped(message("Yes", **{"m.relates_to": {"m.in_reply_to": reply}}))
    assert (found.kind, found.relates_to) == (EventKind.MESSAGE, answered)
    found = mapped(message("Yes", **{"m.relates_to": related("m.thread")}))
    assert found.relates_to == to_target(RelationType.THREAD)
    falling_back = related("m.thread", is_falling_back=True, **{"m.in_reply_to": reply})
    found = mapped(message("Yes", **{"m.relates_to": falling_back}))
    assert found.relates_to == to_target(RelationType.THREAD)
    for real in ({"is_falling_back": False}, {}):
        within = related("m.thread", **real, **{"m.in_reply_to": reply})
        found = mapped(message("Yes", **{"m.relates_to": within}))
        assert found.relates_to == answered
        assert facts(found)["thread"] == "$target"


STABLE_POLL: Json = {
    "m.poll": {
        "question": {"m.text": [{"mimetype": "text/html", "body": "<b>"}, {"body": "When?"}]},
        "answers": [{"m.id": "1", "m.text": [{"body": "Monday"}]}, {"m.text": "Friday"}, 5],
    }
}
UNSTABLE_POLL: Json = {
    f"{POLL}.start": {
        "question": {UNSTABLE_TEXT: "When?", "body": "?"},
        "answers": [{"id": "1", UNSTABLE_TEXT: "Monday"}, {"id": "2", UNSTABLE_TEXT: "Friday"}],
    }
}


@pytest.mark.parametrize(
    ("kind", "content"), [("m.poll.start", STABLE_POLL), (f"{POLL}.start", UNSTABLE_POLL)]
)
def test_polls(kind: str, content: dict[str, Json]) -> None:
    """A poll reads as its question and its answers, one a line; an edit of one is an edit."""
    found = mapped(event(kind, content))
    assert (found.kind, found.body) == (EventKind.POLL, "When?\nMonday\nFriday")
    edit: Json = {"m.new_content": content, "m.relates_to": related("m.replace")}
    found = mapped(event(kind, edit))
    assert (found.kind, found.body) == (EventKind.EDIT, "When?\nMonday\nFriday")


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("m.poll.response", {"m.selections": ["1", 5, "2"]}, "1\n2"),
        (f"{POLL}.response", {f"{POLL}.response": {"answers": ["1"]}}, "1"),
        (f"{POLL}.response", {f"{POLL}.response": {"answers": []}}, ""),
        (f"{POLL}.response", {}, None),
    ],
)
def test_poll_answers(kind: str, content: dict[str, Json], body: str | None) -> None:
    """An answer names what was chosen and replies to its poll."""
    found = mapped(event(kind, {**content, "m.relates_to": related("m.reference")}))
    assert (found.kind, found.body) == (EventKind.POLL_ANSWER, body)
    assert found.relates_to == to_target(RelationType.REPLY)


@pytest.mark.parametrize("kind", ["m.poll.end", f"{POLL}.end"])
def test_poll_end(kind: str) -> None:
    """The end of a poll has its result as text and replies to it."""
    content: Json = {UNSTABLE_TEXT: "Monday won", "m.relates_to": related("m.reference")}
    found = mapped(event(kind, content))
    assert (found.kind, found.body) == (EventKind.POLL, "Monday won")
    assert found.relates_to == to_target(RelationType.REPLY)


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [(SENT_MS + 1500, 1.5), (SENT_MS + 0.5, 0.0005), (-SENT_MS, -2.0 * SENT_MS / 1000)],
)
def test_odd_moments(stamp: Json, seconds: float) -> None:
    """Fractions and times before 1970 are moments too."""
    found = mapped(event("m.room.message", {"body": "x"}, origin_server_ts=stamp))
    assert found.sent_at is not None
    assert abs(found.sent_at - SENT_AT - timedelta(seconds=seconds)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("stamp", ["1750000000000", None, True, 1e300, 10**30, [], {}])
def test_no_moments(stamp: Json) -> None:
    """What is no representable moment leaves the time out, and nothing else."""
    found = mapped(event("m.room.message", {"body": "x"}, origin_server_ts=stamp))
    assert (found.kind, found.body, found.sent_at) == (EventKind.MESSAGE, "x", None)


def test_the_name_is_that_of_the_time() -> None:
    """Names come from the room as it stands when the event is mapped."""
    room = RoomState()
    assert mapped(message("x"), room=room).sender == Sender(id=CLERK)
    room.apply(state("m.room.member", {"membership": "join", "displayname": "Clerk"}, CLERK))
    assert mapped(message("x"), room=room).sender == Sender(id=CLERK, display_name="Clerk")
