"""The harness itself: what officials do reaches the server, and the server can be restarted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import File, Official
from bridge.errors import ConnectorRejectedError
from tests.servers.synapse import MARKS

pytestmark = MARKS


async def _person(homeserver: Homeserver, name: str) -> Account:
    return await homeserver.register(name, f"password of {name}", name.title())


def _content(event: Mapping[str, Json]) -> Mapping[str, Json]:
    content = event["content"]
    assert isinstance(content, Mapping)
    return content


async def test_what_is_said_is_there(homeserver: Homeserver) -> None:
    """Messages, edits, reactions and redactions are events of the room."""
    account = await _person(homeserver, "harness-speaker")
    async with Official(homeserver=homeserver.url, account=account) as speaker:
        room = await speaker.create_room("Harness", retention_ms=60_000)
        said = await speaker.text(room, "Option B")
        edited = await speaker.edit(room, said, "Option C")
        reaction = await speaker.react(room, said, "👍")
        assert _content(await speaker.event(room, edited))["m.new_content"] == {
            "msgtype": "m.text",
            "body": "Option C",
        }
        assert "m.relates_to" in _content(await speaker.event(room, reaction))
        await speaker.redact(room, said, "sent in error")
        assert _content(await speaker.event(room, said)) == {}
        assert await speaker.get_state(room, "m.room.retention") == {"max_lifetime": 60_000}


async def test_every_kind_of_thing_is_accepted(homeserver: Homeserver) -> None:
    """Each thing an official can do gives an event id of its own."""
    account = await _person(homeserver, "harness-everything")
    picture = File(name="a.png", data=b"\x89PNG\r\n\x1a\n", type="image/png")
    async with Official(homeserver=homeserver.url, account=account) as person:
        room = await person.create_room("Everything")
        root = await person.text(room, "root")
        poll = await person.poll(room, "A or B?", ["A", "B"])
        events = [
            root,
            poll,
            await person.vote(room, poll, "0"),
            await person.notice(room, "notice"),
            await person.emote(room, "waves"),
            await person.reply(room, root, "reply"),
            await person.thread(room, root, "in the thread"),
            await person.image(room, picture),
            await person.file(room, picture),
            await person.sticker(room, picture),
            await person.location(room, "the depot", "geo:51.5,-0.12"),
            await person.name(room, "Everything else"),
            await person.topic(room, "topic"),
            await person.retention(room, 3_600_000),
            await person.pin(room, [root]),
            await person.send_raw(room, "example.odd", {"nested": {"list": [1, None]}}),
            await person.send_bytes(room, "example.odd", b'{"n":1,"n":2}'),
        ]
        assert len(set(events)) == len(events)
        assert all(event.startswith("$") for event in events)


async def test_people_come_and_go(homeserver: Homeserver) -> None:
    """Invited people join, may be given power, leave, are put out and kept out."""
    host_account = await _person(homeserver, "harness-host")
    guest_account = await _person(homeserver, "harness-guest")
    async with (
        Official(homeserver=homeserver.url, account=host_account) as host,
        Official(homeserver=homeserver.url, account=guest_account) as guest,
    ):
        room = await host.create_room("Doors", invite=[guest.user_id])
        await guest.join(room)
        await host.power(room, guest.user_id, 50)
        await guest.pin(room, [await guest.text(room, "pinned")])
        assert await host.joined(room) == {host.user_id, guest.user_id}
        await guest.leave(room)
        await host.invite(room, guest.user_id)
        await guest.join(room)
        await host.kick(room, guest.user_id, "out")
        await host.ban(room, guest.user_id)
        assert await host.joined(room) == {host.user_id}
        with pytest.raises(ConnectorRejectedError) as refusal:
            await guest.text(room, "still here?")
        assert refusal.value.code == "M_FORBIDDEN"


async def test_a_second_session_of_an_account(homeserver: Homeserver) -> None:
    """Signing in by password gives a token that works."""
    account = await _person(homeserver, "harness-twice")
    async with Official(homeserver=homeserver.url, account=account) as person:
        await person.login()
        room = await person.create_room("Twice")
        assert await person.upgrade(room, "11") != room


async def test_stop_and_start_keep_the_data(homeserver: Homeserver) -> None:
    """A homeserver that was down answers at the same address with the same rooms."""
    account = await _person(homeserver, "harness-patient")
    url = homeserver.url
    async with Official(homeserver=url, account=account) as person:
        room = await person.create_room("Patience")
    await homeserver.stop()
    assert homeserver.pid is None
    await homeserver.start()
    assert homeserver.url == url
    async with Official(homeserver=url, account=account) as person:
        assert await person.joined(room) == {person.user_id}
