"""Passwords and addresses of the console and of alerts are replaced: the next start has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from bridge.alerts import FILE, Alerts, Ledger
from bridge.app.accounts import change_user, create_user
from bridge.app.alerting import channels_of
from bridge.app.console import console_of
from bridge.clock import SystemClock
from bridge.health import Alarm
from config.settings import Settings
from tests.fakes.clock import FakeClock
from tests.integration.replacing import put, settings_of
from tests.servers.mailbox import mailbox
from tests.servers.oidc import CLIENT_ID, OidcServer, oidc_server
from tests.servers.scripted import Scripted, scripted_server
from tests.unit.bridge.console.desk import Browser
from tests.unit.bridge.house import stopped, until

FORKED = Alarm(part="log", trouble="forked", sentence="The log is forked.")
LATER = Alarm(part="groups", trouble="recorder removed", sentence="The recorder was removed.")


@asynccontextmanager
async def _telling(settings: Settings, clock: FakeClock, *alarms: Alarm) -> AsyncIterator[Alerts]:
    """What a start does with alerts, while these alarms stand."""

    async def standing() -> tuple[Alarm, ...]:
        return alarms

    channels = await asyncio.to_thread(channels_of, settings)
    alerts = Alerts(
        file=settings.service.data_dir / FILE,
        clock=clock,
        channels=channels,
        standing=standing,
        quiet=timedelta(minutes=15),
    )
    await alerts.begin()
    running = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        await stopped(running)
        await alerts.aclose()


def _owed(settings: Settings) -> int:
    """How many alerts wait, by what the next start will know."""
    file = settings.service.data_dir / FILE
    if not file.exists():
        return -1
    return sum(map(len, msgspec.json.decode(file.read_bytes(), type=Ledger).owed.values()))


async def test_a_mail_servers_password_that_was_replaced(tmp_path: Path) -> None:
    """Alerts wait while the server refuses the old one; the next start sends each once."""
    clock = FakeClock()
    async with mailbox(user="u", password="old") as box:
        settings = settings_of(
            tmp_path,
            '[alerts]\nemail_to = ["duty@example.org"]\nemail_from = "m@example.org"\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {box.port}\nsmtp_security = "none"\n'
            'smtp_user = "u"\nsmtp_password_file = "password"\n',
        )
        put(tmp_path / "password", "old")
        async with _telling(settings, clock, FORKED):
            await until(lambda: len(box.mails) == 1 and _owed(settings) == 0)
        box.password = "new"
        async with _telling(settings, clock, FORKED, LATER) as alerts:
            await until(lambda: bool(alerts.troubles))
            assert "refuses user and password" in alerts.troubles[0].sentence
            await until(lambda: _owed(settings) == 1)
        put(tmp_path / "password", "new")
        async with _telling(settings, clock, FORKED, LATER) as alerts:
            await until(lambda: _owed(settings) == 0)
            assert alerts.troubles == ()
        assert len(box.mails) == 2
        assert "recorder removed" in box.mails[1]["Subject"]


async def test_a_webhooks_address_that_was_replaced(tmp_path: Path) -> None:
    """Alerts wait while the old address is ended; the next start posts each once to the new."""
    clock = FakeClock()
    async with scripted_server() as receiver, scripted_server() as another:
        settings = settings_of(tmp_path, '[alerts]\nwebhook_url_file = "hook"\n')
        put(tmp_path / "hook", f"{receiver.url}/old")
        receiver.answers = [Scripted(status=410)]
        async with _telling(settings, clock, FORKED) as alerts:
            await until(lambda: bool(alerts.troubles))
            assert "answers 410" in alerts.troubles[0].sentence
            await until(lambda: _owed(settings) == 1)
        assert set(receiver.paths) == {"/old"}
        put(tmp_path / "hook", f"{another.url}/new")
        async with _telling(settings, clock, FORKED):
            await until(lambda: _owed(settings) == 0)
        assert another.paths == ["/new"]
        assert b'"forked"' in another.asked[0]


@pytest.fixture
async def provider() -> AsyncIterator[OidcServer]:
    """A provider at which Jo signs in."""
    async with oidc_server(SystemClock().now()) as server:
        server.person = {"sub": "1", "preferred_username": "jo", "roles": ["auditor"]}
        yield server


async def test_a_clients_secret_that_was_replaced(tmp_path: Path, provider: OidcServer) -> None:
    """With two valid ones either signs people in; the old one ended, only the file's new one."""
    settings = settings_of(
        tmp_path,
        f'[console]\noidc_issuer = "{provider.url}"\noidc_client_id = "{CLIENT_ID}"\n'
        'oidc_client_secret_file = "secret"\n',
    )
    put(settings.keys.blind_key_file, settings.keys.journal_key_file.read_text().strip())
    provider.secrets = {"first"}
    put(tmp_path / "secret", "first")
    async with console_of(settings) as app:
        signed_in = Browser(app)
        assert await _signed_in(signed_in, provider)
    provider.secrets = {"first", "second"}
    put(tmp_path / "secret", "second")
    async with console_of(settings) as app:
        assert await _signed_in(Browser(app), provider)
        provider.secrets = {"second"}
        assert await _signed_in(Browser(app), provider)
        old = Browser(app)
        old.cookies = signed_in.cookies
        assert (await old.get("/audit")).status_code == 200
    put(tmp_path / "secret", "first")
    async with console_of(settings) as app:
        assert not await _signed_in(Browser(app), provider)


async def _signed_in(browser: Browser, provider: OidcServer) -> bool:
    """Go to the provider, agree there, come back; whether that was taken."""
    answer = await browser.get("/sign-in?with=provider")
    back = urlsplit(provider.authorize(answer.headers["location"]))
    return (await browser.get(f"{back.path}?{back.query}")).status_code == 303


async def test_a_console_password_that_was_replaced(tmp_path: Path) -> None:
    """The old one opens nothing any more; a session that is open lives, and the trail goes on."""
    settings = settings_of(tmp_path, "")
    put(settings.keys.blind_key_file, settings.keys.journal_key_file.read_text().strip())
    await create_user(settings, "jo", ["records_manager"], groups=[], password=OLD, by="root")
    async with console_of(settings) as app:
        open_one, another = Browser(app), Browser(app)
        assert await _sign_in(open_one, OLD) == 303
        await change_user(
            settings, "jo", roles=[], groups=[], password=NEW, disabled=None, by="root"
        )
        assert (await open_one.get("/audit")).status_code == 200
        assert await _sign_in(another, OLD) == 401
        assert await _sign_in(another, NEW) == 303
        trail = (await another.get("/audit")).text
        for words in ("create user", "change user", "sign in"):
            assert words in trail
        await change_user(
            settings, "jo", roles=[], groups=[], password=None, disabled=True, by="root"
        )
        for browser in (open_one, another):
            assert (await browser.get("/audit")).status_code == 303


OLD, NEW = "the password before", "the password after"


async def _sign_in(browser: Browser, password: str) -> int:
    await browser.get("/sign-in")
    fields = {"username": "jo", "password": password}
    return (await browser.post("/sign-in", fields)).status_code
