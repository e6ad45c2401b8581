"""A back-up has what a lost machine cannot be replaced without, and never a device's keys."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from bridge.app.backed_up import FILE, backup_report
from bridge.app.backup.making import make_backup
from bridge.app.backup.progress import Step
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from storage.backups import age
from tests.unit.bridge.backup.machine import IDENTITY, Machine


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One that has recorded a little. Shared: nobody writes there."""
    made = Machine.made(tmp_path_factory.mktemp("recorded") / "bridge")
    made.record()
    made.hold()
    return made


@pytest.fixture
def machine(recorded: Machine, tmp_path: Path) -> Machine:
    """The same, for one test."""
    shutil.copytree(recorded.folder, tmp_path / "bridge")
    return Machine(folder=tmp_path / "bridge")


def quiet(_step: Step) -> None:
    """Nobody looks."""


def opened(file: Path) -> dict[str, bytes]:
    """Every file in a back-up."""
    plain = BytesIO()
    with file.open("rb") as source:
        age.decrypt(source, plain, [IDENTITY])
    plain.seek(0)
    found = {}
    with tarfile.open(fileobj=plain) as tar:
        for head in tar:
            held = tar.extractfile(head)
            assert held is not None
            found[head.name] = held.read()
    return found


def test_it_has_what_is_needed_and_says_so(machine: Machine) -> None:
    """Databases, keys, every secret that the settings name, and a manifest with their digests."""
    made = machine.backup()
    assert made.missing == ()
    assert made.file.stat().st_size == made.size
    assert made.file.stat().st_mode & 0o777 == 0o600
    files = opened(made.file)
    assert next(iter(files)) == "manifest.json"
    assert set(files) == {
        "manifest.json",
        "muniment.toml",
        "journal.db",
        "office.db",
        "files/keys.journal_key_file",
        "files/keys.blind_key_file",
        "files/keys.signing_key_file",
        "files/keys.public_key_file",
        "files/matrix.matrix.password_file",
    }
    about = json.loads(files.pop("manifest.json"))
    assert (about["v"], about["tenant"], about["log_origin"]) == (1, "demo", "records.example.org")
    assert about["schemas"].keys() == {"journal.db", "office.db"}
    assert {each["name"]: each["sha256"] for each in about["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert files["muniment.toml"] == machine.config.read_bytes()


def test_when_it_was_made_is_noted(machine: Machine) -> None:
    """Beside the databases, for its owner alone, and not before it is on disk."""
    before = SystemClock().now() - timedelta(seconds=1)
    assert backup_report(machine.settings, before).concern
    machine.backup()
    report = backup_report(machine.settings, before)
    assert report.concern == ""
    assert report.at is not None
    assert datetime.fromisoformat(report.at) > before
    assert (machine.data / FILE).stat().st_mode & 0o777 == 0o600


def test_what_must_never_be_put_back_is_not_in_it(machine: Machine) -> None:
    """The keys and the session of a Matrix device, though they stand beside the journal."""
    names = (
        "matrix-matrix.crypto.db",
        "matrix-matrix.crypto.db-wal",
        "matrix-matrix.session",
        "catalog/catalog.db",
        "spool/part",
        "health.json",
    )
    for name in names:
        machine.secret(f"var/{name}", "device keys 4711")
    files = opened(machine.backup().file)
    assert not [name for name in files if name.startswith(("matrix", "catalog", "spool", "health"))]
    assert not [name for name, content in files.items() if b"device keys 4711" in content]


def test_a_recovery_key_that_was_made_here_is_in_it(machine: Machine) -> None:
    """By it a new device is signed, and gets the room keys from the homeserver."""
    machine.secret("var/matrix-matrix.recovery-key", "EsTc 1234")
    assert opened(machine.backup().file)["files/matrix.matrix.recovery_key_file"] == b"EsTc 1234\n"


def test_what_the_settings_name_and_nobody_made_is_told(machine: Machine) -> None:
    """The back-up is made all the same."""
    machine.lose("keys/recorder.password")
    assert machine.backup().missing == (str(machine.folder / "keys" / "recorder.password"),)


def test_without_a_name_it_goes_into_the_working_folder(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under tenant and time."""
    monkeypatch.chdir(tmp_path)
    made = make_backup(machine.settings, machine.config, None, show=quiet)
    assert made.file.parent == tmp_path
    assert made.file.name.startswith("muniment-demo-20")
    assert made.file.name.endswith("Z.age")


def test_nothing_is_replaced(machine: Machine) -> None:
    """Not even a link that leads nowhere."""
    machine.secret("kept.age", "an older one")
    (machine.folder / "link.age").symlink_to(machine.folder / "nowhere")
    for name in ("kept.age", "link.age"):
        with pytest.raises(ConfigError, match="is there already"):
            make_backup(machine.settings, machine.config, machine.folder / name, show=quiet)
    assert (machine.folder / "kept.age").read_text() == "an older one\n"
    assert not (machine.folder / "nowhere").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("recipient =", "#recipient ="), "recipient is not set"),
        (lambda text: text.replace('recipient = "age1', 'recipient = "age2'), "no age recipient"),
        (lambda text: text.replace(str(IDENTITY.to_public()), str(IDENTITY)), "no age recipient"),
    ],
)
def test_without_a_recipient_there_is_none(
    machine: Machine, change: Callable[[str], str], told: str
) -> None:
    """It is never written in the clear, and a secret in its place is not repeated."""
    machine.config.write_text(change(machine.config.read_text()))
    with pytest.raises(ConfigError, match=told) as raised:
        machine.backup()
    assert str(IDENTITY) not in f"{raised.value} {raised.value.hint}"
    assert not (machine.folder / "kept.age").exists()


@pytest.mark.parametrize("name", ["var/journal.db", "keys/journal.key", "keys/blind.key"])
def test_without_what_matters_most_there_is_none(machine: Machine, name: str) -> None:
    """It would be found useless when it is needed."""
    machine.lose(name)
    with pytest.raises(ConfigError):
        machine.backup()
    assert not list(machine.folder.glob("*kept.age*"))


def test_a_place_that_cannot_be_written_is_told(machine: Machine) -> None:
    """With what is in the way."""
    with pytest.raises(ConfigError, match="No such file"):
        make_backup(
            machine.settings, machine.config, machine.folder / "no" / "kept.age", show=quiet
        )


@pytest.mark.parametrize(("step", "limit"), [("copying", 50_000), ("encrypting", 50_000)])
def test_a_full_disk_leaves_nothing(machine: Machine, step: str, limit: int) -> None:
    """Neither a half back-up nor a copy of a database, under no name."""
    before = machine.standing()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def show(at: Step) -> None:
        if at.what.startswith(step):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))

    try:
        with pytest.raises(ConfigError) as raised:
            make_backup(machine.settings, machine.config, machine.folder / "kept.age", show=show)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.hint.startswith("Free")
    assert machine.standing().keys() == before.keys()
