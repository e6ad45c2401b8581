"""``keys`` beside a running recorder, and in its place."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.app import new_folder, open_office, read_settings
from bridge.app.keys import OPENED_LATER, OPENED_NOW, answering, transfer_keys
from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.errors import ConfigError, ConnectorUnavailableError
from bridge.protocols import Connector, Decrypter, ImportedKeys, KeyTransfer, Request, RequestKind
from bridge.reconcile import FILE, Advance, Answer, Progress
from bridge.reconcile.progress import write_progress
from config.settings import Settings
from connectors.matrix.crypto.export_file import decode, encode
from tests.fakes import samples
from tests.fakes.clock import FakeClock
from tests.fakes.connector import ScriptedConnector
from tests.fakes.decrypter import ScriptedDecrypter
from tests.fakes.homeserver import PASSWORD, RECORDER, FakeHomeserver
from tests.unit.connectors.matrix.crypto.sessions import keys

PASSPHRASE = "a passphrase"
TABLE = """
[[matrix]]
name = "town"
homeserver = "{}"
user_id = "{}"
password_file = "recorder.password"
"""


class Keyring(ScriptedDecrypter):
    """Counts what it is asked for; ``fault`` is raised once."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[str, bytes]] = []
        self.fault: ConnectorUnavailableError | None = None

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Five."""
        self._ask(file, passphrase)
        return 5

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Some of each."""
        self._ask(file, passphrase)
        return ImportedKeys(new=3, known=2, unreadable=1)

    def _ask(self, file: Path, passphrase: bytes) -> None:
        self.files.append((file.name, passphrase))
        if self.fault is not None:
            raise self.fault


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    """The account's homeserver."""
    async with FakeHomeserver() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, server: FakeHomeserver) -> Settings:
    """A folder as ``init`` makes it, with an account."""
    folder = tmp_path / "m"
    new_folder(folder, tenant="demo", log_origin="example.org", random_bytes=samples.seeded())
    with (folder / "muniment.toml").open("a") as file:
        file.write(TABLE.format(server.url, RECORDER))
    for name, content in (("passphrase", PASSPHRASE), ("recorder.password", PASSWORD)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content + "\n")
    return read_settings(folder / "muniment.toml")


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[None]:
    """Another process runs."""
    folder = settings.service.data_dir
    await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
    with (folder / "run.lock").open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _transfer(
    settings: Settings, file: str = "keys.txt", *, connector: str = "town"
) -> KeyTransfer:
    folder = settings.service.data_dir.parent
    return KeyTransfer(
        connector=connector, file=folder / file, passphrase_file=folder / "passphrase"
    )


async def _answer(
    connectors: Mapping[str, Connector], kind: RequestKind, transfer: KeyTransfer
) -> Answer:
    request = Request(number=1, kind=kind, by="ada", at=SystemClock().now(), keys=transfer)
    return await answering(connectors)(request, Advance())


class Keyed(ScriptedConnector):
    """A connector with a keyring, or without."""

    def __init__(self, keyring: Keyring | None) -> None:
        async def nothing() -> None:
            return None

        super().__init__(committed=nothing, name="town")
        self._keyring = keyring

    @property
    def decrypter(self) -> Decrypter | None:
        """The keyring."""
        return self._keyring


def _connectors(keyring: Keyring | None) -> Mapping[str, Connector]:
    return {"town": Keyed(keyring)}


async def test_a_running_recorder_exports_and_says_so(settings: Settings) -> None:
    """The passphrase is the file's content; the logging has counts and who asked, no passphrase."""
    keyring = Keyring()
    with capture_logs() as logs:
        answer = await _answer(_connectors(keyring), RequestKind.KEYS_EXPORT, _transfer(settings))
    assert answer.done
    assert answer.sentence.startswith("5 keys of town were exported to /")
    assert keyring.files == [("keys.txt", PASSPHRASE.encode())]
    (logged,) = logs
    assert (logged["event"], logged["count"], logged["by"]) == ("keys_exported", 5, "ada")
    assert PASSPHRASE not in str(logs)


async def test_a_running_recorder_imports_and_says_so(settings: Settings) -> None:
    """All counts are there, those of what could not be read too."""
    with capture_logs() as logs:
        answer = await _answer(_connectors(Keyring()), RequestKind.KEYS_IMPORT, _transfer(settings))
    assert answer.done
    assert "Of 6 keys in /" in answer.sentence
    assert "3 were new or better for town, 2 brought nothing new, 1 could not" in answer.sentence
    assert answer.sentence.endswith(OPENED_NOW)
    (logged,) = logs
    assert logged["event"] == "keys_imported"
    assert (logged["new"], logged["known"], logged["unreadable"]) == (3, 2, 1)


async def test_a_failure_is_a_sentence_with_its_remedy(settings: Settings) -> None:
    """What a connector or a file refuses is told, and nothing was logged as done."""
    keyring = Keyring()
    keyring.fault = ConnectorUnavailableError("The keys are not at hand.")
    kind, transfer = RequestKind.KEYS_IMPORT, _transfer(settings)
    secret = transfer.passphrase_file
    with capture_logs() as logs:
        refused = await _answer(_connectors(keyring), kind, transfer)
        assert (refused.done, refused.sentence) == (False, "The keys are not at hand.")
        assert refused.hint
        unknown = await _answer({}, kind, transfer)
        assert "no connector town" in unknown.sentence
        assert "Restart" in unknown.hint
        keyless = await _answer(_connectors(None), kind, transfer)
        assert "has no room keys" in keyless.sentence
        await asyncio.to_thread(secret.chmod, 0o640)
        assert (await _answer(_connectors(Keyring()), kind, transfer)).done
        await asyncio.to_thread(secret.chmod, 0o644)
        open_to_others = await _answer(_connectors(Keyring()), kind, transfer)
        assert "is open to others" in open_to_others.sentence
        assert "chmod 600" in open_to_others.hint
        missing = replace(transfer, passphrase_file=secret.with_name("nowhere"))
        absent = await _answer(_connectors(Keyring()), kind, missing)
        assert "does not exist" in absent.sentence
        assert not any(each.done for each in (refused, unknown, keyless, open_to_others, absent))
    assert [each["event"] for each in logs] == ["keys_imported"]


@pytest.mark.usefixtures("running")
async def test_a_running_recorder_is_asked(settings: Settings) -> None:
    """By a row that holds paths alone; its sentence is the answer, and its failure an error."""
    clock = FakeClock(SystemClock().now())
    file = settings.service.data_dir / FILE
    answers = [
        Answer(done=True, sentence="4 keys."),
        Answer(done=False, sentence="The passphrase is wrong.", hint="Give the right one."),
    ]
    now = clock.now().isoformat()
    said = [
        Progress(number=number, at=now, finished=True, answer=answer)
        for number, answer in enumerate(answers, start=1)
    ]
    whole = Progress(number=3, at=now, phase="records", earlier=tuple(said))
    await asyncio.to_thread(write_progress, file, whole)
    transfer = _transfer(settings)

    async def ask(kind: RequestKind) -> str:
        return await transfer_keys(
            settings, kind=kind, keys=transfer, by="ada", show=lambda _: None, clock=clock
        )

    assert await ask(RequestKind.KEYS_EXPORT) == "4 keys."
    with pytest.raises(ConfigError, match="passphrase is wrong") as caught:
        await ask(RequestKind.KEYS_IMPORT)
    assert caught.value.hint == "Give the right one."
    office = await open_office(settings)
    asked = await office.requests(0)
    await office.aclose()
    assert [(each.kind, each.by, each.keys) for each in asked] == [
        (RequestKind.KEYS_EXPORT, "ada", transfer),
        (RequestKind.KEYS_IMPORT, "ada", transfer),
    ]
    assert PASSPHRASE.encode() not in await asyncio.to_thread(
        (settings.service.data_dir / "office.db").read_bytes
    )


async def test_a_connector_that_is_not_there_is_named(settings: Settings) -> None:
    """Before anybody is asked, with those that there are."""
    with pytest.raises(ConfigError, match="no connector city") as caught:
        await transfer_keys(
            settings,
            kind=RequestKind.KEYS_EXPORT,
            keys=_transfer(settings, connector="city"),
            by="ada",
            show=lambda _: None,
        )
    assert "town" in caught.value.hint


async def test_with_no_recorder_it_is_done_here(settings: Settings) -> None:
    """On the store that a start made, without signing in; nobody else is asked."""
    await asyncio.to_thread(settings.service.data_dir.mkdir, mode=0o700)
    (connector,) = (
        await asyncio.to_thread(connectors_of, settings, SystemClock(), say=print)
    ).values()
    await connector.start()
    await connector.aclose()
    sent = keys(2)
    into, out = _transfer(settings), _transfer(settings, "out.txt")
    data = encode(sent, PASSPHRASE.encode(), random=os.urandom, rounds=10)
    await asyncio.to_thread(into.file.write_bytes, data)
    with capture_logs() as logs:
        imported = await transfer_keys(
            settings, kind=RequestKind.KEYS_IMPORT, keys=into, by="ada", show=lambda _: None
        )
        exported = await transfer_keys(
            settings, kind=RequestKind.KEYS_EXPORT, keys=out, by="ada", show=lambda _: None
        )
    assert "2 were new" in imported
    assert imported.endswith(OPENED_LATER)
    assert exported.startswith("2 keys of town were exported")
    assert [each["event"] for each in logs] == ["keys_imported", "keys_exported"]
    written = await asyncio.to_thread(out.file.read_bytes)
    found = await asyncio.to_thread(decode, written, PASSPHRASE.encode())
    assert {each.session_id for each in found.keys} == {each.session_id for each in sent}
    with pytest.raises(ConfigError, match="File exists"):
        await transfer_keys(
            settings, kind=RequestKind.KEYS_EXPORT, keys=out, by="ada", show=lambda _: None
        )
    office = await open_office(settings)
    assert await office.requests(0) == ()
    await office.aclose()


async def test_before_the_first_start_there_are_no_keys(settings: Settings) -> None:
    """Nothing is made, and the remedy is to start the recorder."""
    with pytest.raises(ConfigError, match="has no keys yet"):
        await transfer_keys(
            settings,
            kind=RequestKind.KEYS_EXPORT,
            keys=_transfer(settings),
            by="ada",
            show=lambda _: None,
        )
    assert not list(settings.service.data_dir.glob("*.crypto.db"))
