"""What an operator does with a recorder of a Matrix room, by the words of the manual."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.canonical.json import Json
from tests.documented.walk import Background, Walk, documented, until
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver

MANUAL = "docs/operations.md"
TABLE = """
[[matrix]]
name = "matrix"
homeserver = "{url}"
user_id = "{user}"
password_file = "keys/matrix.password"
"""
ARRIVAL = 3
ENCRYPTION: dict[str, dict[str, Json]] = {
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}
}


@documented(
    *(f"{MANUAL}#{each}" for each in ("Start and stop", "Groups", "Status", "Keys", "Reconcile"))
)
async def test_a_group_from_its_proposal_to_its_end(walk: Walk) -> None:
    """Proposed, approved, recorded, paused, resumed and closed; room keys go out and come in."""
    async with FakeHomeserver() as server:
        room = server.world.room("Flood response", state=ENCRYPTION)
        server.world.member(room, RECORDER, "invite", sender=CLERK)
        await asyncio.to_thread(_story, walk, server.url, room)


def _story(walk: Walk, url: str, room: str) -> None:
    walk.put("!abcdefgh:example.org", room)
    config = walk.init("records")
    config.write_text(config.read_text() + TABLE.format(url=url, user=RECORDER))
    walk.secret("keys/matrix.password", PASSWORD)
    said = walk.run("muniment doctor")
    assert "FAIL" not in said.err
    with walk.started("muniment run") as run:
        until(lambda: "recording; 0 groups" in run.text, run)
        _steps(walk, run)
        _keys(walk)


def _steps(walk: Walk, run: Background) -> None:
    def reached(state: str) -> None:
        until(lambda: _state(walk) == state, run)

    walk.run("muniment groups propose")
    reached("proposed")
    said = walk.run("muniment groups list")
    assert "Flood response" in said.err + said.out
    walk.run("muniment groups approve")
    reached("active")
    # Who is here, that we came, and the notice.
    until(lambda: run.text.count('"event": "stored"') == ARRIVAL, run)
    said = walk.run("muniment reconcile --source --json")
    assert json.loads(said.out)["fits"]
    walk.run("muniment reconcile --source")
    walk.run("muniment reconcile")
    walk.run("muniment groups pause")
    reached("paused")
    walk.run("muniment groups resume")
    reached("active")
    said = walk.run("muniment status")
    assert "Flood response" in said.err
    assert "seen " in said.err
    assert "from receipt to storage" in said.err
    told = json.loads(walk.run("muniment status --json").out)
    assert [group["name"] for group in told["groups"]] == ["Flood response"]
    walk.run("muniment groups close")
    reached("closed")
    (group,) = json.loads(walk.run("muniment groups list --json").out)
    assert (group["state"], group["owner"]) == ("closed", "Head of resilience")


def _state(walk: Walk) -> str:
    """As the journal has it: a look by the program takes longer than a step."""
    with closing(sqlite3.connect(walk.here / "var/journal.db", timeout=10)) as journal:
        row = journal.execute("SELECT state FROM register").fetchone()
    return "" if row is None else str(row[0])


def _keys(walk: Walk) -> None:
    walk.secret("passphrase", "correct horse battery staple")
    walk.run("muniment keys export")
    written: Path = walk.here / "room-keys.txt"
    assert written.stat().st_mode & 0o777 == 0o600
    assert "MEGOLM SESSION DATA" in written.read_text()
    walk.run("muniment keys import")
