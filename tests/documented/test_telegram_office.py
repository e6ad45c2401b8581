"""The README's second start, and what an operator does with the store of a recorder."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.documented.commands import block
from tests.documented.walk import Walk, documented, until
from tests.patience import PATIENCE
from tests.servers.bot_api import RemoteBotApi, bot_api_process

MANUAL = "docs/operations.md"
SAID = "We have decided to close the crossing tonight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A Bot API server with a person, a group of hers, and a bot."""

    api: RemoteBotApi
    room: str
    token: str

    def add(self) -> None:
        """She adds the bot to the group."""
        self.api.do({"do": "add", "by": "anna", "chat": "desk", "whom": "recorder"})

    def say(self, text: str) -> None:
        """She writes there."""
        self.api.do({"do": "say", "by": "anna", "chat": "desk", "text": text})

    def methods(self) -> list[str]:
        """What was asked of the server."""
        return [each.method for each in self.api.asked()]


@pytest.fixture
def town() -> Iterator[Town]:
    """The bot is in no group yet, and hears all."""
    with bot_api_process() as api:
        api.do({"do": "person", "as": "anna", "name": "Anna"})
        room = api.do({"do": "supergroup", "as": "desk", "by": "anna", "title": "Press desk"})
        bot = {"do": "bot", "as": "recorder", "name": "Recorder", "username": "recorder_bot"}
        made = api.do({**bot, "hears_all": True})
        yield Town(api=api, room=str(room["id"]), token=str(made["token"]))


def tables(walk: Walk, town: Town) -> tuple[str, str]:
    """Both of the README, with the address of the server beside the token."""
    walk.put("-1001234567890", town.room)
    text = walk.filled(block("README.md#Record a Telegram group", "toml"))
    first, second = text.split("\n\n")
    return f'{first}\napi_base = "{town.api.url}"\n', second


@documented(
    f"{MANUAL}#Asking, or being brought updates",
    spans=("openssl rand -hex 32", "head -c 32 /dev/urandom | base64"),
)
def test_a_telegram_group_as_the_readme_says(walk: Walk, town: Town) -> None:
    """A bot's webhook is removed; the bot is added, shown with its number, and approved."""
    walk.put("https://api.telegram.org", town.api.url)
    config = walk.init("records")
    bot, group = tables(walk, town)
    walk.secret("keys/telegram.token", town.token)
    assert json.loads(walk.run("printf").out)["ok"]
    assert town.methods() == ["deletewebhook"]
    assert re.fullmatch(r"[0-9a-f]{64}\n", walk.run("openssl rand").out)
    assert len(b64decode(walk.run("head -c 32").out)) == 32
    config.write_text(f"{config.read_text()}\n{bot}")
    with walk.running() as run:
        until(lambda: "recording" in run.text, run)
        town.add()
        until(lambda: town.room in walk.shell("muniment groups list --json").out, run)
        said = walk.shell("muniment groups list")
        assert "proposed" in said.err
        assert town.room in said.err
    config.write_text(f"{config.read_text()}\n{group}")
    with walk.running() as run:
        until(lambda: '"event": "notice"' in run.text, run)
        town.say(SAID)
        until(lambda: SAID in _records(config.parent), run)


@documented(
    *(f"{MANUAL}#{each}" for each in ("The console", "Back-up and restore")),
    spans=(
        "muniment --version",
        "muniment run --console",
        "muniment catalog rebuild",
        "muniment calibrate --apply",
        "muniment console users",
        "muniment console change-user NAME --password-file F",
        "muniment keys next",
        "mv keys/public.key.next keys/public.key",
        "age -d -i identity.txt FILE | tar xv",
    ),
)
def test_a_recorder_is_looked_after(walk: Walk, town: Town) -> None:
    """Its pages, its comparisons, its keys; and lost, it is put back from a back-up."""
    config = walk.init("records")
    config.write_text("\n".join((config.read_text(), *tables(walk, town))))
    walk.secret("keys/telegram.token", town.token)
    town.add()
    assert walk.run("muniment --version").out.startswith("muniment ")
    walk.secret("jo.password", "a long password of hers")
    walk.run("muniment console create-user")
    with walk.started("muniment run --console") as run:
        until(lambda: '"event": "notice"' in run.text, run)
        town.say(SAID)
        until(lambda: SAID in _records(config.parent), run)
        _look_after(walk)
        _back_up(walk)
    assert "muniment run is not running" in walk.shell("muniment status").err
    _look_at_pages(walk)
    _restore(walk, config)


def _records(folder: Path) -> str:
    return "".join(each.read_text() for each in (folder / "var/store").rglob("records/**/*.json"))


def _look_after(walk: Walk) -> None:
    walk.run("muniment calibrate --apply", codes=(1,))
    assert "jo" in walk.run("muniment console users").err
    walk.put("user NAME --password-file F", "user jo --password-file jo.password")
    walk.run("muniment console change-user")
    walk.run("muniment keys next")
    assert len((walk.here / "keys/public.key.next").read_text().splitlines()) == 2
    walk.run("mv keys/public.key.next")


def _back_up(walk: Walk) -> None:
    mount = walk.folder / "backups"
    mount.mkdir()
    walk.put("/mnt/backups", mount)
    said = walk.run("age-keygen")
    (recipient,) = re.findall(r"age1\w+", said.err)
    walk.put("age1...", recipient)
    settings = walk.here / "muniment.toml"
    table = walk.filled(block(f"{MANUAL}#Back-up and restore", "toml"))
    text = settings.read_text()
    settings.write_text(re.sub(r"^\[backup\]\n", table, text, count=1, flags=re.MULTILINE))
    walk.run("muniment backup /mnt/backups")
    walk.run("muniment backup")
    (made,) = walk.here.glob("muniment-mydept-*.age")
    walk.put("identity.txt FILE", f"identity.txt {made}")
    opened = walk.run("age -d").out.split()
    assert opened[0] == "manifest.json"
    assert {"muniment.toml", "journal.db"} <= set(opened)
    (walk.here / "manifest.json").unlink()


def _look_at_pages(walk: Walk) -> None:
    walk.run("muniment catalog rebuild")
    with walk.started("muniment console") as console:
        until(lambda: "console on" in console.text, console)
        (url,) = re.findall(r"console on (http://\S+/)", console.text)
        assert httpx.get(f"{url}sign-in", trust_env=False, timeout=PATIENCE).status_code == 200


def _restore(walk: Walk, config: Path) -> None:
    for each in config.parent.glob("var/*"):
        if each.name != "store" and each.is_file():
            each.unlink()
    said = walk.run("muniment restore")
    assert "1" in said.err
    with walk.started("muniment run") as run:
        until(lambda: "recording; 1 group listed" in run.text, run)
    walk.run("muniment reconcile")
    assert "INTACT" in walk.run("muniment verify").err
