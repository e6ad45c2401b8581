"""Every kind of thing officials do, through a real homeserver, as the recorder maps it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File, Official
from bridge.model import Event, EventKind, Relation, RelationType
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.servers.synapse import MARKS

pytestmark = MARKS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
_numbers = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A room with an official and the recorder in it."""

    official: Official
    account: Account
    intake: Intake
    room: str

    async def recorded(self, *sent: str) -> list[Event]:
        """The events with these ids, once they have all come."""
        found = self.intake.ids
        await self.intake.until(lambda: set(sent) <= found(self.room))
        by_id = {event.upstream_id: event for event in self.intake.of(self.room)}
        for event_id in sent:
            assert json.loads(by_id[event_id].raw)["event_id"] == event_id
        return [by_id[event_id] for event_id in sent]


@pytest.fixture
async def talk(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Talk]:
    """Two new accounts and a room that is recorded."""
    number = next(_numbers)
    account = await homeserver.register(f"kinds-clerk-{number}", "password", "Clerk")
    recorder = await homeserver.register(f"kinds-recorder-{number}", "password", "Recorder")
    sign = Sign(
        homeserver=homeserver.url,
        user_id=recorder.user_id,
        folder=tmp_path,
        access_token=recorder.access_token,
    )
    intake = Intake(lambda: matrix_connector(sign, FakeClock()))
    async with Official(homeserver=homeserver.url, account=account) as official:
        room = await official.create_room("Kinds", invite=[recorder.user_id])
        await intake.start(room)
        await intake.connector.join(room)
        await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
        yield Talk(official=official, account=account, intake=intake, room=room)
    await intake.connector.aclose()


def seen(event: Event) -> tuple[str, str | None, Relation | None]:
    """Kind, body and relation, as a reader of the record sees them."""
    return event.kind.value, event.body, event.relates_to


def to(kind: RelationType, target: str) -> Relation:
    """A relation."""
    return Relation(type=kind, upstream_id=target)


async def test_what_is_said(talk: Talk) -> None:
    """Messages of every type, edits, answers, threads."""
    official, room = talk.official, talk.room
    text = await official.text(room, "Option B is agreed \U0001f600")
    notice = await official.notice(room, "a bot's message")
    emote = await official.emote(room, "nods")
    edit = await official.edit(room, text, "Option C is agreed")
    reply = await official.reply(room, text, "Why not A?")
    thread = await official.thread(room, text, "in the thread")
    within: dict[str, Json] = {"event_id": text, "rel_type": "m.thread"}
    answer = await official.send_raw(
        room,
        "m.room.message",
        {
            "msgtype": "m.text",
            "body": "an answer within the thread",
            "m.relates_to": {**within, "m.in_reply_to": {"event_id": thread}},
        },
    )
    events = await talk.recorded(text, notice, emote, edit, reply, thread, answer)
    assert [seen(event) for event in events] == [
        ("message", "Option B is agreed \U0001f600", None),
        ("message", "a bot's message", None),
        ("message", "nods", None),
        ("edit", "Option C is agreed", to(RelationType.EDIT, text)),
        ("message", "Why not A?", to(RelationType.REPLY, text)),
        ("message", "in the thread", to(RelationType.THREAD, text)),
        ("message", "an answer within the thread", to(RelationType.REPLY, thread)),
    ]
    assert ("thread", text) in events[-1].upstream
    assert {("msgtype", "m.emote")} <= set(events[2].upstream)
    for event in events:
        assert event.sender is not None
        assert (event.sender.id, event.sender.display_name) == (talk.account.user_id, "Clerk")
        assert event.sent_at is not None
        assert event.timer is None


async def test_reactions_and_redactions(talk: Talk) -> None:
    """A reaction has its key for a body; what is taken back is kept, and so is the taking back."""
    official, room = talk.official, talk.room
    text = await official.text(room, "for the record")
    reaction = await official.react(room, text, "\U0001f44d")
    await talk.recorded(text, reaction)
    without = await official.redact(room, reaction)
    with_reason = await official.redact(room, text, "sent in error")
    events = await talk.recorded(text, reaction, without, with_reason)
    assert [seen(event) for event in events] == [
        ("message", "for the record", None),
        ("reaction", "\U0001f44d", to(RelationType.REACTION, text)),
        ("redaction", None, to(RelationType.REDACTION, reaction)),
        ("redaction", "sent in error", to(RelationType.REDACTION, text)),
    ]


async def test_redacted_before_delivery(talk: Talk) -> None:
    """Taken back before we were given it: known to have been there, and the gap says why it is."""
    text = await talk.official.text(talk.room, "gone before it came")
    redaction = await talk.official.redact(talk.room, text, "sent in error")
    event, _ = await talk.recorded(text, redaction)
    assert seen(event) == ("message", None, None)
    assert ("redacted_by", redaction) in event.upstream
    assert b"gone before" not in event.raw
    await talk.intake.until(lambda: bool(talk.intake.losses))
    (loss,) = talk.intake.losses
    assert loss.why == "not_rescued"
    assert loss.detail == f"{text}: The homeserver does not offer redacted content (MSC2815)."


async def test_polls(talk: Talk) -> None:
    """A poll reads as its question and answers, a vote as what was chosen."""
    official, room = talk.official, talk.room
    poll = await official.poll(room, "Which site?", ["Quay", "Depot"])
    vote = await official.vote(room, poll, "1")
    end = await official.send_raw(
        room,
        "org.matrix.msc3381.poll.end",
        {
            "org.matrix.msc3381.poll.end": {},
            "org.matrix.msc1767.text": "Depot it is",
            "m.relates_to": {"rel_type": "m.reference", "event_id": poll},
        },
    )
    events = await talk.recorded(poll, vote, end)
    assert [(event.kind.value, event.body) for event in events] == [
        ("poll", "Which site?\nQuay\nDepot"),
        ("poll_answer", "1"),
        ("poll", "Depot it is"),
    ]
    for event in events[1:]:
        assert event.relates_to is not None
        assert event.relates_to.upstream_id == poll


async def test_files(talk: Talk) -> None:
    """Each file is offered with name, type and size, and comes back byte for byte."""
    official, room = talk.official, talk.room
    picture = File(name="site.png", data=PNG, type="image/png")
    plan = File(name="plan.pdf", data=b"%PDF-1.7 plan", type="application/pdf")
    sent = {
        "m.image": await official.image(room, picture),
        "m.file": await official.file(room, plan),
    }
    for msgtype, type_ in (("m.audio", "audio/ogg"), ("m.video", "video/mp4")):
        file = File(name=f"a.{type_[:5]}", data=type_.encode() * 9, type=type_)
        content: dict[str, Json] = {
            "msgtype": msgtype,
            "body": "what a reader reads",
            "filename": file.name,
            "url": await official.upload(file),
            "info": {"mimetype": type_, "size": len(file.data)},
        }
        sent[msgtype] = await official.send_raw(room, "m.room.message", content)
    sticker = await official.sticker(room, picture)
    events = await talk.recorded(*sent.values(), sticker)
    assert [event.kind.value for event in events] == ["message"] * 4 + ["sticker"]
    offered = [event.attachments[0] for event in events]
    assert [(a.name, a.declared_type, a.size) for a in offered] == [
        ("site.png", "image/png", len(PNG)),
        ("plan.pdf", "application/pdf", 13),
        ("a.audio", "audio/ogg", 81),
        ("a.video", "video/mp4", 81),
        ("site.png", "image/png", len(PNG)),
    ]
    for attachment, data in zip(offered, (PNG, plan.data), strict=False):
        download = await talk.intake.connector.open_download(room, attachment)
        assert download.size == len(data)
        assert b"".join([chunk async for chunk in download.chunks()]) == data
        await download.aclose()


async def test_places_and_unknown_things(talk: Talk) -> None:
    """A location is one; a type that nobody knows is kept as unknown."""
    official, room = talk.official, talk.room
    location = await official.location(room, "the depot", "geo:51.5,-0.12")
    call = await official.send_raw(room, "m.call.invite", {"call_id": "1", "version": "1"})
    custom = await official.send_raw(room, "example.custom", {"body": "odd", "nested": [1, None]})
    state = await official.set_state(room, "example.state", {"a": 1}, "key")
    events = await talk.recorded(location, call, custom, state)
    assert [(event.kind.value, event.body) for event in events] == [
        ("location", "the depot"),
        ("call", None),
        ("unknown", "odd"),
        ("unknown", None),
    ]
    assert ("geo_uri", "geo:51.5,-0.12") in events[0].upstream
    assert ("state_key", "key") in events[3].upstream


MALFORMED: dict[str, dict[str, Json]] = {
    "relation a text": {"msgtype": "m.text", "body": "x", "m.relates_to": "x"},
    "relation to a number": {"msgtype": "m.text", "body": "x", "m.relates_to": {"event_id": 5}},
    "reply to nothing": {"msgtype": "m.text", "body": "x", "m.relates_to": {"m.in_reply_to": []}},
    "unknown msgtype": {"msgtype": "example.odd", "body": "x", "url": 5, "file": [], "info": None},
    "image without url": {"msgtype": "m.image", "body": "a.png", "info": "none"},
    "image with a foreign url": {"msgtype": "m.image", "body": "a", "url": "https://x.example/a"},
    "size a text": {"msgtype": "m.file", "body": "a", "url": "mxc://a/b", "info": {"size": "1"}},
    "hostile text": {"msgtype": "m.text", "body": "\u202e\u0000\ufeff\u2028"},
}


async def test_malformed_contents(talk: Talk) -> None:
    """What clients get wrong and homeservers accept is kept as a message, bytes and all."""
    sent = {}
    for name, content in MALFORMED.items():
        sent[name] = await talk.official.send_raw(talk.room, "m.room.message", content)
    text = sent["hostile text"]
    replaced: dict[str, Json] = {"rel_type": "m.replace", "event_id": text}
    odd = [
        await talk.official.send_raw(talk.room, "m.reaction", {}),
        await talk.official.send_raw(talk.room, "org.matrix.msc3381.poll.start", {}),
        await talk.official.send_raw(
            talk.room,
            "m.room.message",
            {"msgtype": "m.text", "body": "* x", "m.relates_to": replaced},
        ),
    ]
    events = await talk.recorded(*sent.values(), *odd)
    by_name = dict(zip(sent, events, strict=False))
    for name, content in MALFORMED.items():
        assert by_name[name].kind is EventKind.MESSAGE
        assert by_name[name].body == content["body"]
        assert json.loads(by_name[name].raw)["content"] == content
    assert [seen(event) for event in events[-3:]] == [
        ("reaction", None, None),
        ("poll", None, None),
        ("edit", "* x", to(RelationType.EDIT, text)),
    ]


async def test_the_state_of_the_group(talk: Talk) -> None:
    """Name, topic, picture and pins read as what they became."""
    official, room = talk.official, talk.room
    text = await official.text(room, "pinned")
    sent = [
        await official.name(room, "Flood cell"),
        await official.topic(room, "Only floods"),
        await official.set_state(room, "m.room.avatar", {"url": "mxc://a/b"}),
        await official.pin(room, [text]),
        await official.power(room, "@somebody:dept.example", 50),
    ]
    events = await talk.recorded(*sent)
    assert [(event.kind.value, event.body) for event in events] == [
        ("group", "Flood cell"),
        ("group", "Only floods"),
        ("group", "mxc://a/b"),
        ("pin", text),
        ("group", None),
    ]
    assert talk.intake.sightings(room)[-1].name == "Flood cell"


async def test_timers(talk: Talk) -> None:
    """A change of the retention is an event; a message has the one in force when it is received."""
    official, room = talk.official, talk.room
    for milliseconds, body, seconds in (
        (3_600_000, "3600 s", 3600.0),
        (90_500, "90.5 s", 90.5),
        (None, "off", None),
    ):
        before = await official.text(room, "before")
        change = await official.retention(room, milliseconds)
        after = await official.text(room, "after")
        events = await talk.recorded(before, change, after)
        assert (events[1].kind, events[1].body) == (EventKind.TIMER, body)
        for event in (events[0], events[2]):
            assert (None if event.timer is None else event.timer.seconds) == seconds
            assert event.own_timer is None
        told = [timer for batch in talk.intake.batches for timer in batch.timers][-1].standing
        assert (None if told is None else told.seconds) == seconds


async def test_people_come_and_go(talk: Talk, homeserver: Homeserver) -> None:
    """Invited, in, out by themselves, put out: each says whom it is about and who did it."""
    guest = await homeserver.register(f"kinds-guest-{next(_numbers)}", "password", "Guest")
    official, room = talk.official, talk.room
    async with Official(homeserver=homeserver.url, account=guest) as other:
        await official.invite(room, guest.user_id)
        await other.join(room)
        said = await other.text(room, "hello")
        await other.leave(room)
        await official.invite(room, guest.user_id)
        await other.join(room)
        await official.kick(room, guest.user_id, "off topic")
        await official.ban(room, guest.user_id)
    marker = await official.text(room, "marker")
    (hello, _) = await talk.recorded(said, marker)
    assert hello.sender is not None
    assert hello.sender.display_name == "Guest"
    about = [
        event
        for event in talk.intake.of(room, EventKind.MEMBERSHIP)
        if ("subject", guest.user_id) in event.upstream
    ]
    assert [(event.body, event.sender and event.sender.id) for event in about] == [
        ("invite", talk.account.user_id),
        ("join", guest.user_id),
        ("leave", guest.user_id),
        ("invite", talk.account.user_id),
        ("join", guest.user_id),
        ("leave: off topic", talk.account.user_id),
        ("ban", talk.account.user_id),
    ]
