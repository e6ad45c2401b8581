import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import ConnectorError, ConnectorRejectedError
from connectors.matrix.crypto.refusals import (
    StoreDamagedError,
    StoreOfAnotherDeviceError,
    StoreVersionError,
    WrongStoreKeyError,
)
from connectors.matrix.crypto.store import CryptoStore, StoreUnavailableError
from tests.unit.connectors.matrix.crypto.peer import KEY, OWN, OWN_DEVICE


def store(
    file: Path, *, key: bytes = KEY, user_id: str = OWN, device_id: str = OWN_DEVICE
) -> CryptoStore:
    """The recorder's store on ``file``."""
    return CryptoStore.open(
        file,
        key=key,
        user_id=user_id,
        device_id=device_id,
        random=os.urandom,
        now=lambda: datetime.now(UTC),
    )


def test_the_file_is_private_and_durable(tmp_path: Path) -> None:
    """The file and what SQLite puts beside it are for the owner alone; commits reach the disk."""
    file = tmp_path / "keys" / "matrix-a.crypto.db"
    opened = store(file)
    with opened.transaction() as transaction:
        transaction.execute("UPDATE meta SET taken = 1")
        assert transaction.execute("PRAGMA synchronous").fetchone() == (2,)
        assert transaction.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert transaction.execute("PRAGMA secure_delete").fetchone() == (1,)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 3
    opened.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    """What raises within a transaction undoes all of it, and the next one finds the old values."""
    opened = store(tmp_path / "a.db")

    def fail() -> None:
        with opened.transaction() as transaction:
            transaction.execute("UPDATE meta SET taken = 7")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with opened.transaction() as transaction:
        assert transaction.execute("SELECT taken FROM meta").fetchone() == (0,)
    opened.close()


@pytest.mark.parametrize(
    ("altered", "refusal"),
    [
        ({"user_id": "@other:example.org"}, StoreOfAnotherDeviceError),
        ({"device_id": "OTHER"}, StoreOfAnotherDeviceError),
        ({"key": b"z" * 32}, WrongStoreKeyError),
    ],
)
def test_what_is_not_ours_is_refused(
    tmp_path: Path, altered: dict[str, str | bytes], refusal: type[ConnectorRejectedError]
) -> None:
    """Another account, another device and another key are refused by name, and harm nothing."""
    file = tmp_path / "a.db"
    store(file).close()
    with pytest.raises(refusal) as raised:
        store(file, **altered)  # type: ignore[arg-type]
    assert raised.value.hint
    store(file).close()


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    """A store of a later version is left alone."""
    file = tmp_path / "a.db"
    store(file).close()
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreVersionError, match="schema 99"):
        store(file)


def _no_database(file: Path) -> None:
    file.write_bytes(b"this was never a database, but it is long enough" * 100)


def _folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [(_no_database, StoreDamagedError), (_folder, StoreUnavailableError)],
)
def test_what_is_no_store_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], refusal: type[ConnectorError]
) -> None:
    """A file that is no store is told of in our own words."""
    file = tmp_path / "a.db"
    spoil(file)
    with pytest.raises(refusal):
        store(file)


def test_a_store_that_another_holds_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process writes, the store says so; nothing was changed."""
    monkeypatch.setattr("connectors.matrix.crypto.store.BUSY_S", 0.0)
    file = tmp_path / "a.db"
    first, second = store(file), store(file)
    with (
        first.transaction(),
        pytest.raises(StoreUnavailableError),
        second.transaction() as transaction,
    ):
        transaction.execute("UPDATE meta SET taken = 1")
    first.close()
    second.close()
