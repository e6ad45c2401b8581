"""The README's quick start: from nothing to a recorded room, by its own words."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import httpx

from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import Official
from tests.documented.commands import block
from tests.documented.test_install import lend
from tests.documented.walk import Background, Walk, asked, documented, until
from tests.pages import ROOT, section
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS

pytestmark = MARKS

PAGE, HEADING = "README.md", "Record your own Matrix room"
EDITOR = '#!/bin/sh\nprintf "%s\\n" {secret} > "$1"\n'
FIRST, SECOND = "The Minister has agreed to option B", "see you at three"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A homeserver with an account for the recorder, and somebody's room."""

    homeserver: Homeserver
    recorder: Account
    official: Official
    room: str
    loop: asyncio.AbstractEventLoop

    def invite(self) -> None:
        """Ask the recorder in, with power to change what is pinned."""
        asked(self.loop, self.official.power(self.room, self.recorder.user_id, 50))
        asked(self.loop, self.official.invite(self.room, self.recorder.user_id))

    def say(self, text: str) -> None:
        """Write into the room."""
        asked(self.loop, self.official.text(self.room, text))

    def said(self) -> str:
        """The room's events, newest first."""
        return asked(self.loop, _ask(self, "messages?dir=b&limit=50"))

    def pinned(self) -> str:
        """The room's pinned messages."""
        return asked(self.loop, _ask(self, "state/m.room.pinned_events"))


async def _ask(place: Place, path: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{place.homeserver.url}/_matrix/client/v3/rooms/{place.room}/{path}",
            headers={"authorization": f"Bearer {place.official.account.access_token}"},
        )
        return answer.text


@documented(f"{PAGE}#{HEADING}")
async def test_from_nothing_to_a_recorded_room(walk: Walk, homeserver: Homeserver) -> None:
    """Each command of the page in its order, both tables, the two messages, and what it says."""
    name = f"recorder-{secrets.token_hex(3)}"
    recorder = await homeserver.register(name, "a long password of its own", "Muniment recorder")
    person = await homeserver.register(f"jo-{secrets.token_hex(3)}", "another one", "Jo")
    async with Official(homeserver=homeserver.url, account=person) as official:
        place = Place(
            homeserver=homeserver,
            recorder=recorder,
            official=official,
            room=await official.create_room("Flood response"),
            loop=asyncio.get_running_loop(),
        )
        await asyncio.to_thread(_story, walk, place)


def _story(walk: Walk, place: Place) -> None:
    _install(walk)
    records = _settle(walk, place)
    said = walk.run("muniment doctor")
    assert "FAIL" not in said.err, said.err
    with walk.started("muniment run") as run:
        _record(walk, place, records, run)
        _prove(walk)
        _look(walk)
        said = walk.run("echo ")
        assert "capture" in said.out + said.err
    assert "recovery key" in run.text
    # A part of a manifest is a minute's; a stop writes what there is.
    assert walk.run("grep -rl").out.startswith("var/store/v1/mydept/manifests/")
    assert SECOND not in "".join(_texts(records / "var/store"))


def _install(walk: Walk) -> None:
    """The three lines, with the packages lent by the environment of this test."""
    walk.go(ROOT)
    walk.run("python3 -m venv")
    lend(walk, walk.home / "muniment")
    walk.run("~/muniment/bin/pip install --require-hashes")
    walk.run("~/muniment/bin/pip install --no-deps")
    (walk.folder / "tools" / "muniment").unlink()
    walk.run("export PATH")


def _settle(walk: Walk, place: Place) -> Path:
    """The folder, the password, and both tables of the page."""
    walk.put("https://matrix.example.org", place.homeserver.url)
    walk.put("@recorder:example.org", place.recorder.user_id)
    walk.put("!abcdefgh:example.org", place.room)
    walk.script("nano", EDITOR.format(secret=f"'{place.recorder.password}'"))
    walk.run("muniment init")
    walk.run("cd ~/records")
    walk.run("install -m 600 /dev/null keys/matrix.password")
    walk.run("nano keys/matrix.password")
    records = walk.home / "records"
    config = records / "muniment.toml"
    config.write_text(config.read_text() + walk.filled(block(f"{PAGE}#{HEADING}", "toml")))
    walk.own_ports(config)
    return records


def _record(walk: Walk, place: Place, records: Path, run: Background) -> None:
    """Invited, it joins, says so and pins it; of two messages one becomes a file."""
    until(lambda: "recording; 1 group" in run.text, run)
    place.invite()
    until(lambda: "is being recorded" in place.said(), run)
    until(lambda: "$" in place.pinned(), run)
    place.say(FIRST)
    place.say(SECOND)
    base = records / "var/store/v1/mydept"
    until(lambda: FIRST in "".join(_texts(base / "records")), run)
    walk.run("export PATH")
    walk.run("cd ~/records")
    said = walk.run("muniment status")
    assert "Flood response" in said.err + said.out
    assert "var/store/v1/mydept/records/" in walk.run("find var/store/v1").out
    walk.run("FILE=")
    assert len(walk.run("sha256sum").out.split()[0]) == 64


def _texts(folder: Path) -> list[str]:
    return [file.read_text() for file in folder.rglob("*.json")]


def _prove(walk: Walk) -> None:
    until(lambda: any((walk.here / "var/store").rglob("checkpoint")))
    said = walk.run("muniment verify")
    assert "INTACT" in said.err


def _look(walk: Walk) -> None:
    """The pages, beside the recorder."""
    walk.run("install -m 600 /dev/null jo.password")
    walk.run("nano jo.password")
    walk.run("muniment console create-user")
    walk.run("rm")
    with walk.started("muniment console") as console:
        until(lambda: "console on" in console.text, console)
        (url,) = re.findall(r"console on (http://\S+/)", console.text)
        assert httpx.get(f"{url}sign-in", trust_env=False, timeout=PATIENCE).status_code == 200


def test_the_messages_are_those_of_the_page() -> None:
    """What is written into the room above stands on the page."""
    assert f'Write "{FIRST}" and "{SECOND}" into the room' in " ".join(
        section(PAGE, HEADING).split()
    )
