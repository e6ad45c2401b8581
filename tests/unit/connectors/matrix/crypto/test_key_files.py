"""Files of keys: written whole and privately, read with their faults counted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError
from bridge.protocols import ImportedKeys
from connectors.matrix.crypto import key_files
from connectors.matrix.crypto.export_file import armoured, decode, encode, sealed
from connectors.matrix.crypto.exported_keys import exported
from connectors.matrix.crypto.kept_keys import KeptKeys
from connectors.matrix.crypto.key_files import export_keys, import_keys
from connectors.matrix.crypto.key_refusals import ExportTooLargeError, WrongPassphraseError
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.refusals import (
    StoreDamagedError,
    StoreOfAnotherDeviceError,
    WrongStoreKeyError,
)
from connectors.matrix.crypto.settings import CryptoSettings
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.peer import KEY, OWN, opened
from tests.unit.connectors.matrix.crypto.sessions import Sender, keys

PASSPHRASE = b"a passphrase"
ROUNDS = 10


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """The recorder's keys, none yet."""
    made = await opened(tmp_path / "matrix-town.crypto.db")
    yield made
    await made.aclose()


def _settings(folder: Path, *, key: bytes = KEY) -> CryptoSettings:
    return CryptoSettings(
        folder=folder, key=key, recovery_key_file=None, random=os.urandom, tell=print
    )


async def _kept(folder: Path, *, key: bytes = KEY, user_id: str = OWN) -> KeptKeys:
    return await KeptKeys.open(
        _settings(folder, key=key), name="town", user_id=user_id, clock=FakeClock()
    )


async def test_keys_cross_from_one_machine_to_another(tmp_path: Path, machine: Machine) -> None:
    """All of them, in a private file; what came is fresh, and comes once."""
    file = tmp_path / "keys.txt"
    sent = keys(3)
    file.write_bytes(encode(sent, PASSPHRASE, random=os.urandom, rounds=ROUNDS))
    assert await import_keys(machine, file, PASSPHRASE) == ImportedKeys(new=3)
    assert machine.fresh() == {each.session_id for each in sent}
    assert await import_keys(machine, file, PASSPHRASE) == ImportedKeys(new=0, known=3)
    out = tmp_path / "out.txt"
    assert await export_keys(machine, out, PASSPHRASE, random=os.urandom) == 3
    assert out.stat().st_mode & 0o777 == 0o600
    written = await asyncio.to_thread(decode, out.read_bytes(), PASSPHRASE)
    assert {each.session_id for each in written.keys} == {each.session_id for each in sent}


async def test_what_is_malformed_is_counted(tmp_path: Path, machine: Machine) -> None:
    """Entries that are no keys, and keys of another session than they name, cost nothing else."""
    good, other = Sender().key(), Sender().key()
    wrong = replace(other, session_id=good.session_id)
    spoiled = replace(other, session_key="AAAA")
    entries = [exported(good), exported(wrong), exported(spoiled), {"room_id": 7}, "text"]
    plain = msgspec.json.encode(entries)
    file = tmp_path / "keys.txt"
    file.write_bytes(armoured(sealed(plain, PASSPHRASE, random=os.urandom, rounds=ROUNDS)))
    assert await import_keys(machine, file, PASSPHRASE) == ImportedKeys(new=1, unreadable=4)


@pytest.mark.parametrize("there", ["file", "broken link"])
async def test_a_file_is_never_replaced(tmp_path: Path, machine: Machine, there: str) -> None:
    """Neither one that is there, nor where a link leads."""
    file = tmp_path / "keys.txt"
    if there == "file":
        file.write_text("somebody's")
    else:
        file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConnectorRejectedError, match="File exists") as caught:
        await export_keys(machine, file, PASSPHRASE, random=os.urandom)
    assert "does not exist" in caught.value.hint
    assert not (tmp_path / "elsewhere").exists()


async def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the name is free for another try."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "keys.txt"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConnectorRejectedError, match="No space left"):
        await export_keys(machine, file, PASSPHRASE, random=os.urandom)
    monkeypatch.undo()
    assert await export_keys(machine, file, PASSPHRASE, random=os.urandom) == 0


async def test_what_cannot_be_read_is_refused(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, a pipe that would never end, nothing at all, a file that is too large."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (tmp_path, pipe, tmp_path / "nothing"):
        with pytest.raises(ConnectorRejectedError, match="cannot be read"):
            await import_keys(machine, file, PASSPHRASE)
    large = tmp_path / "large"
    with large.open("wb") as hole:
        hole.truncate(10**12)
    monkeypatch.setattr(key_files, "LARGEST_FILE", 1000)
    monkeypatch.setattr("connectors.matrix.crypto.export_file.LARGEST_FILE", 1000)
    with pytest.raises(ExportTooLargeError, match="1001"):
        await import_keys(machine, large, PASSPHRASE)


async def test_kept_keys_need_no_sign_in(tmp_path: Path, machine: Machine) -> None:
    """They are those of the device whose store it is; a wrong passphrase takes none."""
    file = tmp_path / "keys.txt"
    file.write_bytes(encode(keys(2), PASSPHRASE, random=os.urandom, rounds=ROUNDS))
    await machine.aclose()
    kept = await _kept(tmp_path)
    with pytest.raises(WrongPassphraseError):
        await kept.import_keys(file, b"another")
    assert await kept.import_keys(file, PASSPHRASE) == ImportedKeys(new=2)
    assert await kept.export_keys(tmp_path / "out.txt", PASSPHRASE) == 2
    await kept.aclose()


async def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Who asks is told to start the recorder first; an empty file is a first start cut short."""
    for _ in range(2):
        with pytest.raises(ConnectorRejectedError, match="has no keys yet") as caught:
            await _kept(tmp_path)
        assert "muniment run" in caught.value.hint
        (tmp_path / "matrix-town.crypto.db").touch()
    assert (tmp_path / "matrix-town.crypto.db").read_bytes() == b""


async def test_a_store_that_is_not_ours_is_refused(tmp_path: Path, machine: Machine) -> None:
    """Another account's, one under another key, and one that is damaged."""
    await machine.aclose()
    with pytest.raises(StoreOfAnotherDeviceError):
        await _kept(tmp_path, user_id="@other:example.org")
    with pytest.raises(WrongStoreKeyError):
        await _kept(tmp_path, key=bytes(32))
    store = tmp_path / "matrix-town.crypto.db"
    store.write_bytes(b"no database, and longer than its header would be" * 100)
    with pytest.raises(StoreDamagedError):
        await _kept(tmp_path)
    store.unlink()
    store.mkdir()
    with pytest.raises(ConnectorUnavailableError):
        await _kept(tmp_path)
