"""What others see of a recorder that runs: its numbers, its alerts, its logging."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.program import metrics_of, muniment, override
from tests.patience import PATIENCE
from tests.servers.bot_api import Bot, BotApi, Chat, Person, bot_api
from tests.servers.mailbox import Mailbox, mailbox
from tests.servers.scripted import Scripted, ScriptedServer, scripted_server

TITLE = "Reservoir cell"
NAME = "Agatha Underhill"
MARKED = "OFFICIAL-SENSITIVE\nThe ferries go to the northern yard."
SAID = (
    "Agreed, we close the sluice at nine.",
    "Lunch?",
    "Decision: the bridge stays shut.",
    MARKED,
)
SPILLED = "SECRET\nThe convoy leaves at six."
HOOK = "hook-4711-unsaid"
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A group, its people, its recorder's settings, and those who take alerts."""

    api: BotApi
    anna: Person
    bot: Bot
    room: Chat
    config: Path
    hook: ScriptedServer
    box: Mailbox

    @property
    def logged(self) -> Path:
        """Where both outputs of the program go."""
        return self.config.parent / "logged.txt"

    async def ask(self, path: str) -> str:
        """What the port answers."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{metrics_of(self.config)}{path}") as response,
        ):
            return await response.text()

    async def number(self, sample: str) -> float:
        """One number of the page; -1 before it is served."""
        try:
            page = await self.ask("/metrics")
        except aiohttp.ClientError:
            return -1.0
        found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else -1.0

    async def alerts(self) -> list[tuple[str, str]]:
        """Part and trouble of each that the webhook was given."""
        told = [json.loads(body) for body in self.hook.asked]
        return [(each["part"], each["trouble"]) for each in told]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """``muniment run``; what it says goes into one file."""
        with await asyncio.to_thread(self.logged.open, "ab") as said:
            command = (sys.executable, "-m", "bridge", "run", "--config", str(self.config))
            child = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
        try:
            yield child
        finally:
            if child.returncode is None:
                child.terminate()
            async with asyncio.timeout(PATIENCE):
                assert await child.wait() in {0, -signal.SIGKILL}


@pytest.fixture
async def office(config: Path) -> AsyncIterator[Office]:
    """One whose recorder is in the group and not started yet."""
    async with bot_api() as api, scripted_server() as hook, mailbox() as box:
        anna = api.person("Agatha", last_name="Underhill", username="underhill")
        bot = api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup(TITLE, anna)
        anna.add(room, bot)
        made = Office(api=api, anna=anna, bot=bot, room=room, config=config, hook=hook, box=box)
        await asyncio.to_thread(_write, made)
        yield made


def _write(office: Office) -> None:
    """Its settings and secrets."""
    config, bot, hook = office.config, office.bot, office.hook
    for name, text in (("bot.token", bot.token), ("hook.url", f"{hook.url}/{HOOK}")):
        secret = config.parent / name
        secret.touch(mode=0o600)
        secret.write_text(text)
    override(
        config,
        "email_to = []",
        'email_to = ["duty@example.org"]\nemail_from = "muniment@example.org"\n'
        f'smtp_host = "127.0.0.1"\nsmtp_port = {office.box.port}\nwebhook_url_file = "hook.url"',
    )
    override(config, 'smtp_security = "starttls"', 'smtp_security = "none"')
    config.write_text(
        f'{config.read_text()}\n[[telegram]]\nname = "office"\ntoken_file = "bot.token"\n'
        f'api_base = "{office.api.url}"\n'
        f'\n[[groups]]\nconnector = "office"\nid = "{office.room.id}"\nname = "{TITLE}"\n'
    )


async def _until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """The program is another process: it is asked again and again."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await true():  # noqa: ASYNC110 - see above
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        pytest.fail(f"not so within {PATIENCE:g} s: {what}")


async def _settled(office: Office, seen: float) -> None:
    """All that was said is in the store, discarded, or kept back."""

    async def settled() -> bool:
        waiting = [
            await office.number(f'muniment_queue_depth{{state="{state}"}}')
            for state in ("received", "judged", "sealed")
        ]
        return waiting == [0, 0, 0] and await office.number("muniment_events_seen_total") >= seen

    await _until(settled, "nothing waits")


async def _status(office: Office) -> dict[str, int]:
    said = await asyncio.to_thread(muniment, "status", "--json", "--config", str(office.config))
    totals: dict[str, int] = json.loads(said.out)["totals"]
    return totals


async def _agree(office: Office) -> bool:
    """Whether the page, which is made anew each second, has the totals of ``status --json``."""
    totals = await _status(office)
    shown = {
        key: await office.number(f"muniment_{name}_total")
        for key, name in {
            "seen": "events_seen",
            "stored": "records_stored",
            "late": "late",
            "gaps": "gaps",
        }.items()
    }
    return shown == {key: totals[key] for key in shown} and shown["stored"] > 0


async def test_what_others_see_of_a_recorder_that_runs(office: Office) -> None:
    """Its numbers are those of status, over a kill too; a spill and a removal are told, unsaid."""
    async with office.running() as child:
        await _until(lambda: _is(office, "muniment_events_seen_total", 1), "it joined")
        for text in SAID:
            office.anna.say(office.room, text)
        await _settled(office, 1 + len(SAID))
        await _until(
            lambda: _told(office, ("messages", "lower marking")), "a lower marking is told"
        )
        office.hook.answers = [Scripted(status=503)]
        office.anna.say(office.room, SPILLED)
        await _until(lambda: _is(office, "muniment_restricted_total", 1), "it is kept back")
        await _until(lambda: _mailed(office, "messages: restricted"), "one way works")
        child.kill()
        await child.wait()
    office.hook.asked.clear()
    office.hook.answers = [Scripted()]
    async with office.running():
        await _until(lambda: _told(office, ("messages", "restricted")), "what was owed is told")
        await _settled(office, 2 + len(SAID))
        await _until(lambda: _agree(office), "both give the same totals")
        office.anna.kick(office.room, office.bot)
        await _until(lambda: _told(office, ("groups", "recorder removed")), "the webhook tells it")
        await _until(lambda: _mailed(office, "groups: recorder removed"), "the mail tells it")
        page = await office.ask("/metrics")
        ready = await office.ask("/readyz")
    told = b"\n".join(office.hook.asked).decode()
    mails = "\n".join(mail.as_string() for mail in office.box.mails)
    for name, text in (("metrics", page), ("readyz", ready), ("alerts", told), ("mails", mails)):
        _says_nothing(office, name, text)
    _says_nothing(office, "logging", await asyncio.to_thread(office.logged.read_text))


def _says_nothing(office: Office, name: str, text: str) -> None:
    """No content, nobody's name or id, no secret."""
    unsaid = (
        *SAID,
        *MARKED.splitlines()[1:],
        *SPILLED.splitlines()[1:],
        *NAME.split(),
        TITLE,
        "underhill",
        str(office.anna.user.id),
        str(office.room.id),
        office.bot.token,
        HOOK,
    )
    assert [word for word in unsaid if word in text] == [], name


async def _is(office: Office, sample: str, least: float) -> bool:
    return await office.number(sample) >= least


async def _told(office: Office, alert: tuple[str, str]) -> bool:
    return alert in await office.alerts()


async def _mailed(office: Office, title: str) -> bool:
    return any(title in str(mail["Subject"]) for mail in office.box.mails)
