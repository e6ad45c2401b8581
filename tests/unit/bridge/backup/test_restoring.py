"""A restore replaces nothing, and what it puts back is fit to go on with."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyrage import x25519

from bridge import keys
from bridge.app import open_store
from bridge.app.adapters import lock_data_dir
from bridge.app.backup import placing
from bridge.app.backup.contents import JOURNAL
from bridge.app.policies import DEFAULT, policy_of, shipped_policies
from bridge.canonical import act_bytes, rfc3339
from bridge.canonical.json import Json
from bridge.clock import SystemClock
from bridge.errors import ConfigError, JournalSchemaError, JournalUnavailableError
from bridge.protocols import ObjectBody
from bridge.protocols.holds import Hold, HoldScope, Release
from bridge.reconcile.unclaimed import read_unclaimed
from storage.backups import age
from storage.backups.tape import Member, tar_chunks
from tests.fakes import samples
from tests.unit.bridge.backup.machine import IDENTITY, Machine
from tests.unit.bridge.backup.test_making import opened

DESTROYED = "{} discarded messages, whose time is over, were destroyed."


@pytest.fixture(scope="module")
def backed(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One that has recorded a little, and its back-up. Shared: nobody writes there."""
    made = Machine.made(tmp_path_factory.mktemp("backed") / "bridge")
    made.record()
    made.hold()
    made.backup()
    return made


@pytest.fixture
def machine(backed: Machine, tmp_path: Path) -> Machine:
    """The same, for one test."""
    shutil.copytree(backed.folder, tmp_path / "bridge")
    return Machine(folder=tmp_path / "bridge")


def remade(machine: Machine, **changed: bytes | None) -> Path:
    """The back-up with other files in it, as somebody with the recipient can make it."""
    files: dict[str, bytes | None] = {**opened(machine.folder / "kept.age"), **changed}
    members = [
        Member(name=name, size=len(content), chunks=lambda content=content: iter((content,)))  # type: ignore[misc]
        for name, content in files.items()
        if content is not None
    ]
    file = machine.folder / "remade.age"
    with file.open("wb") as sink:
        age.encrypt(tar_chunks(members, at=datetime.now(UTC)), sink, IDENTITY.to_public())
    return file


def test_everything_comes_back(machine: Machine) -> None:
    """Where nothing is left: settings, keys, secrets, journal and office, closed to others."""
    before, states = machine.standing(), machine.states()
    machine.lose()
    done = machine.restore()
    assert done.sentences == ()
    after = machine.standing()
    for name in before:
        if name.startswith(("keys/", "muniment.toml")):
            assert after[name] == before[name]
            assert (machine.folder / name).stat().st_mode & 0o777 == 0o600
    assert machine.states() == states
    assert [hold.matter for hold in machine.with_holds(lambda holds: holds.standing())] == [
        "inquiry"
    ]
    assert not list(machine.data.glob("restoring*"))
    assert not list(machine.folder.rglob("*.part"))


def test_each_stream_is_replaced_at_the_next_start(machine: Machine) -> None:
    """Also where the store is not ahead: its last number is written down, and whose it is."""
    machine.lose()
    machine.restore()
    (seen,) = read_unclaimed(machine.data / "unclaimed.json")
    assert (seen.platform, seen.group_id, seen.own) == (samples.PLATFORM, samples.GROUP_ID, True)
    assert seen.last_n == 1


def test_the_last_number_is_that_of_a_destroyed_message_too(tmp_path: Path) -> None:
    """It has no entry any more, and its number was given."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=4, days_ago=90, waits=False)
    machine.backup(days_ago=90)
    machine.lose()
    assert machine.restore().sentences == (DESTROYED.format(4),)
    assert machine.states() == {"destroyed": 4}
    (seen,) = read_unclaimed(machine.data / "unclaimed.json")
    assert seen.last_n == 3


def test_what_would_be_destroyed_by_now_is(tmp_path: Path) -> None:
    """Before anything of it is in its place; what a hold covers stays."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    made = machine.backup(days_ago=40)
    machine.lose()
    assert machine.restore(made.file).sentences == (DESTROYED.format(3),)
    assert machine.states() == {"destroyed": 3, "received": 1}


def test_what_nobody_heard_of_for_long_waits_for_run(tmp_path: Path) -> None:
    """A recorder that had not run for weeks would not have destroyed it either, at its start."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    machine.backup()
    machine.lose()
    assert machine.restore().sentences == ()
    assert machine.states() == {"discarded": 3, "received": 1}


def test_a_hold_keeps_what_it_covers(tmp_path: Path) -> None:
    """Also through a restore."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    machine.hold()
    machine.backup(days_ago=40)
    machine.lose()
    machine.restore()
    assert machine.states() == {"discarded": 3, "received": 1}


def put_act(machine: Machine, act: Hold | Release, *, number: int) -> None:
    """The act of a hold or a release, as the lost recorder placed it."""
    at = datetime.now(UTC)
    details: dict[str, Json] = {"number": number, "why": act.why, "ordered_at": rfc3339(act.at)}
    if isinstance(act, Hold):
        kind = "hold"
        scope: dict[str, Json] = {"groups": ["0011223344556677"]} if act.scope.gids else {}
        details |= {"authority": act.authority, "matter": act.matter, "scope": scope}
    else:
        kind = "release"
        details |= {"hold": act.hold}
    body = act_bytes(salt=bytes(32), kind=kind, at=at, by=act.by, details=details)

    store = open_store(machine.settings, SystemClock())

    async def main() -> None:
        key = f"{keys.act_folder(at)}/{number:012d}.json"
        try:
            await store.put(key, ObjectBody.of(body), retain_until=None)
        finally:
            await store.aclose()

    asyncio.run(main())


def a_hold(*gids: str) -> Hold:
    """A hold of Kim's, on everything or on a group."""
    at = datetime.now(UTC)
    scope = HoldScope(gids=gids)
    return Hold(authority="Kim", matter="FOI 12", scope=scope, by="kim", at=at, why="asked for")


def test_a_hold_that_was_ordered_since_stands_again(tmp_path: Path) -> None:
    """From its act in the store, before what it covers could be destroyed."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    machine.backup(days_ago=40)
    put_act(machine, a_hold(), number=1)
    machine.lose()
    (said,) = machine.restore().sentences
    assert "Kim (FOI 12)" in said
    (hold,) = machine.with_holds(lambda holds: holds.standing())
    assert (hold.authority, hold.by, hold.scope) == ("Kim", "kim", HoldScope())
    assert machine.states() == {"discarded": 3, "received": 1}


def test_a_hold_on_another_group_keeps_nothing_here(tmp_path: Path) -> None:
    """Its scope comes back as it was ordered."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    machine.backup(days_ago=40)
    put_act(machine, a_hold("0011223344556677"), number=1)
    machine.lose()
    assert machine.restore().sentences[1:] == (DESTROYED.format(3),)
    (hold,) = machine.with_holds(lambda holds: holds.standing())
    assert hold.scope.gids == ("0011223344556677",)


def test_a_release_since_is_told_and_not_repeated(machine: Machine) -> None:
    """Whoever may write to the store must not end a hold by it."""
    at = datetime.now(UTC)
    put_act(machine, Release(hold=1, by="kim", at=at, why="over"), number=2)
    machine.lose()
    (said,) = machine.restore().sentences
    assert said == "Released after the back-up, and standing again: hold 1."
    assert len(machine.with_holds(lambda holds: holds.standing())) == 1


def test_without_the_store_nothing_is_destroyed(tmp_path: Path) -> None:
    """Nobody knows which holds were ordered since."""
    machine = Machine.made(tmp_path / "bridge")
    machine.record(discards=3, days_ago=40)
    machine.backup(days_ago=40)
    machine.lose()
    shutil.rmtree(machine.data / "store", ignore_errors=True)
    (machine.data / "store").write_text("in the way\n")
    (said,) = machine.restore().sentences
    assert said.startswith("It is not known which holds")
    assert machine.states() == {"discarded": 3, "received": 1}


def test_a_folder_with_a_journal_is_refused(machine: Machine) -> None:
    """A restore over a recorder that went on would be the end of what it has."""
    assert "replaces nothing" in machine.refused()


@pytest.mark.parametrize("name", ["journal.db-wal", "office.db-wal", "log.db-shm"])
def test_what_is_left_of_a_database_is_refused(machine: Machine, name: str) -> None:
    """SQLite would take it for a part of what is restored."""
    machine.lose()
    machine.secret(f"var/{name}", "the last words of another one")
    machine.secret("muniment.toml", opened(machine.folder / "kept.age")["muniment.toml"].decode())
    assert "without its database" in machine.refused()


def test_beside_a_running_recorder_it_is_refused(machine: Machine) -> None:
    """It holds the lock, whatever stands in its folder."""
    (machine.data / JOURNAL).unlink()
    with lock_data_dir(machine.settings):
        assert "in use by another" in machine.refused()


def test_another_tenant_is_refused(machine: Machine, tmp_path: Path) -> None:
    """Its keys and its log are not ours."""
    other = Machine.made(tmp_path / "other", tenant="other")
    said = other.refused(machine.folder / "kept.age")
    assert '"demo"' in said
    assert '"other"' in said


def test_another_identity_is_refused(machine: Machine) -> None:
    """And one that others may read, and a file that holds none."""
    machine.lose()
    strange = machine.secret("strange.txt", str(x25519.Identity.generate()))
    assert "another recipient" in machine.refused(identity=strange)
    strange.chmod(0o644)
    assert "open to others" in machine.refused(identity=strange)
    assert "no age identity" in machine.refused(identity=machine.secret("none.txt", "nothing"))
    assert "does not exist" in machine.refused(identity=machine.folder / "nowhere.txt")


@pytest.mark.parametrize("how", ["cut", "flipped", "missing"])
def test_a_damaged_back_up_changes_nothing(machine: Machine, how: str) -> None:
    """It is proved to its last byte before anything is put anywhere."""
    machine.lose()
    file = machine.folder / "kept.age"
    data = bytearray(file.read_bytes())
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(data[:-100])
    else:
        data[-100] ^= 1
        file.write_bytes(data)
    machine.refused()
    assert not machine.config.exists()
    assert not (machine.folder / "keys").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"journal.db": b"another one"},
        {"files/keys.journal_key_file": b"another one"},
        {"muniment.toml": None},
        {"office.db": None},
        {"log.db": b"more than the manifest names"},
    ],
)
def test_what_is_not_as_its_manifest_says_is_refused(
    machine: Machine, changed: dict[str, bytes | None]
) -> None:
    """Though it is encrypted to us: anyone can do that."""
    file = remade(machine, **changed)
    machine.lose()
    machine.refused(file)


def test_a_newer_schema_is_refused(machine: Machine) -> None:
    """With the remedy; nothing is put anywhere."""
    with closing(sqlite3.connect(machine.data / JOURNAL)) as db:
        db.execute("PRAGMA user_version = 999")
    (machine.folder / "kept.age").unlink()
    machine.backup()
    machine.lose()
    with pytest.raises(JournalSchemaError, match="999") as raised:
        machine.restore()
    assert "version that wrote it" in raised.value.hint
    assert not (machine.data / JOURNAL).exists()
    assert not (machine.folder / "keys").exists()


def test_other_keys_are_refused_and_other_secrets_stay(machine: Machine) -> None:
    """A password may have been changed since; a journal key cannot."""
    machine.lose()
    machine.secret("keys/recorder.password", "changed since")
    machine.secret("keys/journal.key", "another one")
    assert "is another one" in machine.refused()
    (machine.folder / "keys" / "journal.key").unlink()
    (said,) = machine.restore().sentences
    assert "recorder.password was there and stays" in said
    assert (machine.folder / "keys" / "recorder.password").read_text() == "changed since\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('data_dir = "var"', 'data_dir = "../elsewhere"'),
        ('"keys/blind.key"', '"../elsewhere/blind.key"'),
    ],
)
def test_settings_of_the_back_up_lead_nowhere_else(machine: Machine, old: str, new: str) -> None:
    """Anyone with the recipient can make a back-up; who means it puts the settings there first."""
    elsewhere = machine.folder.parent / "elsewhere"
    shutil.copytree(machine.folder / "keys", elsewhere)
    machine.config.write_text(machine.config.read_text().replace(old, new))
    (machine.folder / "kept.age").unlink()
    if "var" in old:
        shutil.copytree(machine.data, elsewhere, dirs_exist_ok=True)
    machine.backup()
    settings = machine.config.read_text()
    shutil.rmtree(elsewhere)
    machine.lose()
    assert "outside their folder" in machine.refused()
    assert not elsewhere.exists()
    machine.secret("muniment.toml", settings)
    machine.restore()
    assert machine.states() == {"discarded": 1, "received": 1}


OURS = """\
extends = "base-1"
name = "ours"
version = "1"
title = "Ours"
sources = ["Us"]
"""


def _extend(machine: Machine) -> None:
    """A policy of one's own is in force, and the back-up is still to be made."""
    machine.secret("policies/ours-1.toml", OURS)
    text = machine.config.read_text()
    for was, now in (("uk-nccc", "ours"), ("2023.1", '1"\nfile = "policies/ours-1.toml')):
        assert text.count(f'= "{was}"\n') == 1
        text = text.replace(f'= "{was}"\n', f'= "{now}"\n')
    machine.config.write_text(text)
    (machine.folder / "kept.age").unlink()


def test_a_policy_comes_back_with_the_one_that_it_extends(machine: Machine) -> None:
    """That one stands beside it, and no setting names it."""
    _extend(machine)
    machine.secret("policies/base-1.toml", shipped_policies()[DEFAULT])
    before = policy_of(machine.settings).label
    assert machine.backup().missing == ()
    machine.lose()
    assert machine.restore().sentences == ()
    assert policy_of(machine.settings).label == before


def test_a_policy_without_its_base_is_told_of(machine: Machine) -> None:
    """At the back-up, and by a restore, which puts the rest back."""
    _extend(machine)
    assert machine.backup().missing == (str(machine.folder / "policies" / "base-1.toml"),)
    machine.lose()
    (said,) = machine.restore().sentences
    assert "will not start with this policy: extends: there is no policy 'base-1'." in said
    assert machine.states() == {"discarded": 1, "received": 1}


def test_settings_that_are_there_stay(machine: Machine) -> None:
    """They may name another machine's places."""
    machine.lose("var/journal.db", "var/office.db")
    machine.config.write_text(machine.config.read_text().replace("var/store", "var/objects"))
    (machine.data / "store").rename(machine.data / "objects")
    (said,) = machine.restore().sentences
    assert "muniment.toml is not as it was" in said
    assert "var/objects" in machine.config.read_text()


def test_what_survived_of_a_loss_is_kept(machine: Machine) -> None:
    """The later office has orders that the back-up lacks, the later log what was signed since."""
    machine.hold("a later one")
    machine.secret("var/log.db", "what was signed since")
    machine.secret("var/matrix-matrix.crypto.db", "the device that goes on")
    machine.lose("var/journal.db")
    said = machine.restore().sentences
    assert [sentence.split("/")[-1] for sentence in said] == ["office.db was there and stays."]
    assert len(machine.with_holds(lambda holds: holds.standing())) == 2
    assert (machine.data / "log.db").read_text() == "what was signed since\n"
    assert (machine.data / "matrix-matrix.crypto.db").read_text() == "the device that goes on\n"


def test_an_office_that_was_begun_anew_is_refused(machine: Machine) -> None:
    """It would give numbers that the journal takes for done, and no order would be carried out."""
    machine.lose("var/journal.db", "var/office.db")
    machine.with_holds(lambda holds: holds.standing())
    assert "Move it away" in machine.refused()


def test_what_ended_in_the_middle_is_refused_by_run_and_goes_on(machine: Machine) -> None:
    """The journal comes last: before that stands what says that it is missing."""
    machine.lose()
    machine.restore()
    whole = machine.standing()
    journal = machine.data / JOURNAL
    journal.unlink()
    placing.begin(machine.data)
    (machine.data / "restoring").mkdir()
    machine.secret("var/restoring/journal.db", "half of it")
    with pytest.raises(JournalUnavailableError):
        machine.states()
    (machine.folder / "keys" / "blind.key").unlink()
    with pytest.raises(ConfigError, match="was not finished"):
        placing.refuse_unfinished(machine.data)
    machine.restore()
    placing.refuse_unfinished(machine.data)
    assert machine.standing().keys() == whole.keys()
    assert machine.states() == {"discarded": 1, "received": 1}


def test_another_log_key_is_refused(machine: Machine) -> None:
    """As `run` would refuse it."""
    machine.config.write_text(
        machine.config.read_text().replace("records.example.org", "other.example.org")
    )
    machine.lose("var/journal.db")
    assert "other.example.org" in machine.refused()
