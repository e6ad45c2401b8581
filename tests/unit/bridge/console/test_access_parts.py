"""The console from settings: before the recorder ran, beside it, and after a restore."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bridge.app import new_folder, read_settings
from bridge.app.accounts import change_user, create_user, users
from bridge.app.adapters import open_journal
from bridge.app.console import LookedAt, check_console, console_of, serve_beside
from bridge.clock import SystemClock
from bridge.console.serving import listen
from bridge.demo.ports import free_ports
from bridge.errors import ConfigError, JournalError
from bridge.protocols.people import Role
from config.settings import Settings
from storage.office.people import SqlitePeople

PASSWORD = "a very long password"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The embedded default, on a port that nobody uses."""
    folder = tmp_path / "bridge"
    new_folder(folder, tenant="demo", log_origin="records.example.org", random_bytes=os.urandom)
    config = folder / "muniment.toml"
    port = free_ports(1)[0]
    config.write_text(config.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    return read_settings(config)


async def test_the_journal_is_found_once_it_is_there(settings: Settings) -> None:
    """And again after another took its place, as a restore does."""
    clock = SystemClock()
    ledger = LookedAt(settings, clock)
    await ledger.look()
    with pytest.raises(JournalError, match="does not exist"):
        ledger.journal  # noqa: B018
    await (await open_journal(settings, clock)).aclose()
    await ledger.look()
    first = ledger.journal
    assert await first.groups() == ()
    await ledger.look()
    assert ledger.journal is first
    path = settings.service.data_dir / "journal.db"
    await asyncio.to_thread(shutil.copy, path, path.with_suffix(".copy"))
    await asyncio.to_thread(os.replace, path.with_suffix(".copy"), path)
    await ledger.look()
    assert ledger.journal is not first
    assert await ledger.journal.groups() == ()
    await asyncio.to_thread(path.rename, path.with_suffix(".gone"))
    await ledger.look()
    with pytest.raises(JournalError):
        ledger.journal  # noqa: B018
    await asyncio.to_thread(path.write_bytes, b"no journal" * 1000)
    await ledger.look()
    with pytest.raises(JournalError):
        ledger.journal  # noqa: B018
    await ledger.aclose()


async def test_the_office_is_made_by_whoever_comes_first(settings: Settings) -> None:
    """The console alone makes it, for its owner alone."""
    async with console_of(settings):
        office = settings.service.data_dir / "office.db"
        mode = (await asyncio.to_thread(office.stat)).st_mode
        assert mode & 0o777 == 0o600


def test_an_address_that_other_machines_reach_needs_a_provider(settings: Settings) -> None:
    """On this machine none is needed; elsewhere one must be."""
    check_console(settings)
    for place in ("0.0.0.0:1", "[::]:1", "192.0.2.1:1", "records.example.org:1"):
        service = settings.service.model_copy(update={"console": place})
        afar = settings.model_copy(update={"service": service})
        with pytest.raises(ConfigError, match="on this one only"):
            check_console(afar)
        known = settings.console.model_copy(
            update={"oidc_issuer": "https://login.example.org", "oidc_client_id": "m"}
        )
        check_console(afar.model_copy(update={"console": known}))


async def test_an_address_that_cannot_be_listened_on() -> None:
    """It is named, with what may be done."""
    with closing(await listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot be listened on"):
            await listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:80"):
        await listen("192.0.2.1", 80)


async def test_beside_a_recorder_it_is_served_once_it_can_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy port is said and tried again; the recorder is never ended by it."""
    monkeypatch.setattr("bridge.app.console.AGAIN_SECONDS", 0.01)
    host, _, port = settings.service.console.rpartition(":")
    told: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    with closing(await listen(host, int(port))):
        serving = asyncio.create_task(serve_beside(settings, stop=stop, trouble=told.put_nowait))
        assert "cannot be listened on" in await told.get()
    while await told.get():
        pass
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{settings.service.console}/sign-in")
    assert answer.status_code == 200
    stop.set()
    await serving


@pytest.mark.parametrize(
    ("name", "roles", "groups", "password", "said"),
    [
        ("jo", ["boss"], [], PASSWORD, "'boss' is no role"),
        ("jo", ["auditor", "reader"], [], PASSWORD, "auditor sees no content"),
        ("jo", ["reader"], [""], PASSWORD, "'' is no group's number"),
        ("jo", ["reader"], ["Office"], PASSWORD, "'Office' is no group's number"),
        (" jo", ["reader"], [], PASSWORD, "' jo' is no name"),
        ("", ["reader"], [], PASSWORD, "'' is no name"),
        ("x" * 201, ["reader"], [], PASSWORD, "is no name"),
        ("j\u202eo", ["reader"], [], PASSWORD, "cannot be seen"),
        ("jo", ["reader"], [], "short", "has 5 characters"),
        ("al", ["reader"], [], PASSWORD, "There is an account 'al' already"),
    ],
)
async def test_what_makes_no_account_is_refused(  # noqa: PLR0917
    settings: Settings, name: str, roles: list[str], groups: list[str], password: str, said: str
) -> None:
    """Nothing of it is kept, and no scope becomes wider by it."""
    await create_user(settings, "al", ["reader"], groups=[], password=PASSWORD, by="me")
    with pytest.raises(ConfigError, match=re.escape(said)):
        await create_user(settings, name, roles, groups=groups, password=password, by="me")
    assert [account.name for account in await users(settings)] == ["al"]


async def test_who_made_and_changed_an_account_stands_in_the_trail(settings: Settings) -> None:
    """With what it may do since."""
    await create_user(settings, "jo", ["reader"], groups=["a" * 16], password=PASSWORD, by="root")
    before = await users(settings)
    await change_user(
        settings, "jo", roles=["auditor"], groups=[], password=None, disabled=True, by="root"
    )
    (account,) = await users(settings)
    assert account.password == before[0].password
    assert (account.roles, account.groups, account.disabled) == (
        frozenset({Role.AUDITOR}),
        frozenset({"a" * 16}),
        True,
    )
    await change_user(
        settings, "jo", roles=[], groups=[], password=PASSWORD, disabled=False, by="root"
    )
    (account,) = await users(settings)
    assert (account.password != before[0].password, account.disabled) == (True, False)
    office = await SqlitePeople.open(settings.service.data_dir / "office.db")
    lines = [
        (line.who, line.what, line.subject, line.details) for line in await office.trail(limit=9)
    ]
    await office.aclose()
    assert lines[::-1] == [
        ("root", "create user", "jo", f"roles reader groups {'a' * 16}"),
        ("root", "change user", "jo", f"roles auditor groups {'a' * 16} disabled"),
        ("root", "change user", "jo", f"roles auditor groups {'a' * 16}"),
    ]
    with pytest.raises(ConfigError, match="There is no account 'al'"):
        await change_user(
            settings, "al", roles=[], groups=[], password=None, disabled=True, by="root"
        )
