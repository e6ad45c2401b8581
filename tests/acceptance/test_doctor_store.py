"""``doctor --store``, and what a recorder does about a store that does not enforce its locks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.cli import main
from tests.acceptance.program import (
    Said,
    muniment,
    override,
    s3_store,
    started,
    stderr_of,
)
from tests.patience import until
from tests.servers.fault_s3 import Fault, FaultKind, RemoteFaultS3, fault_s3_process

NO_DELETE = Fault(
    kind=FaultKind.STATUS, on="DELETE", access_key="a", status=403, code="AccessDenied"
)
"""The recorder's identity of these tests may not delete."""


@pytest.fixture
def server() -> Iterator[RemoteFaultS3]:
    """A bucket that enforces what S3 promises, until told otherwise."""
    with fault_s3_process() as running:
        yield running


def credentials(folder: Path, access_key: str) -> Path:
    """A file of credentials."""
    file = folder / f"{access_key}.toml"
    file.touch(mode=0o600)
    file.write_text(f'access_key_id = "{access_key}"\nsecret_access_key = "secret"\n')
    return file


@dataclass(frozen=True, slots=True)
class Terminal:
    """The program within this process, in a folder without settings: a start takes seconds."""

    captured: pytest.CaptureFixture[str]
    folder: Path

    def doctor(self, *arguments: str) -> Said:
        """``muniment doctor``."""
        code = main(["doctor", *arguments])
        out, err = self.captured.readouterr()
        return Said(code=code, out=out, err=err)

    def probed(self, server: RemoteFaultS3, *more: str) -> Said:
        """The bucket by its URL alone."""
        given = ("--endpoint-url", server.url, "--region", "us-east-1", "--addressing", "path")
        writer = ("--credentials-file", str(credentials(self.folder, "a")))
        return self.doctor("--store", "s3://bucket", *given, *writer, *more)


@pytest.fixture
def terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Terminal:
    """One in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys, tmp_path)


def stamp(config: Path) -> str:
    """When ``run`` looked at the store last; "" for never."""
    file = config.parent / "var" / "store.json"
    kept = json.loads(file.read_bytes())["run"] if file.exists() else None
    return "" if kept is None else str(kept["at"])


def store_of(config: Path, *, since: str = "") -> dict[str, str]:
    """What ``status`` says of the store, once ``run`` has looked at it again."""
    until(lambda: stamp(config) != since)
    said = muniment("status", "--json", "--config", str(config))
    found: dict[str, dict[str, str]] = json.loads(said.out)
    return found["store"]


def alarmed(config: Path) -> None:
    """Return once an operator has been told of an alarm."""
    until(lambda: "ALARM" in stderr_of(config).read_text())


def test_a_bare_url_needs_no_settings(server: RemoteFaultS3, terminal: Terminal) -> None:
    """The table goes to stderr, one document to stdout, and a store that enforces passes."""
    said = terminal.probed(server)
    assert said.code == 0, said.err
    assert "retention with lock_mode governance: enforced" in said.err
    assert said.out == ""
    said = terminal.probed(server, "--json", "--lock-mode", "compliance")
    told = json.loads(said.out)
    assert (told["retention"], told["lock_mode"], told["passed"]) == (
        "enforced", "compliance", True,
    )  # fmt: skip
    assert {"check", "verdict", "result", "fact", "remedy"} == told["checks"][0].keys()
    assert [file.name for file in terminal.folder.iterdir()] == ["a.toml"]


def test_a_store_that_drops_locks_fails(server: RemoteFaultS3, terminal: Terminal) -> None:
    """A store that takes a lock and does not keep it exits 1, and says which check failed."""
    server.set(Fault(kind=FaultKind.LOCK_DROPPED))
    said = terminal.probed(server)
    assert said.code == 1
    assert "the store shows no lock" in " ".join(said.err.split())
    assert terminal.probed(server, "--lock-mode", "none").code == 0


def test_another_identity_tells_what_the_writer_cannot(
    server: RemoteFaultS3, terminal: Terminal
) -> None:
    """Without a right to delete it cannot be told; with --probe-credentials it can."""
    server.set(NO_DELETE)
    alone = terminal.probed(server, "--json")
    assert (alone.code, json.loads(alone.out)["retention"]) == (0, "cannot_tell")
    other = str(credentials(terminal.folder, "other"))
    both = terminal.probed(server, "--json", "--probe-credentials", other)
    assert (both.code, json.loads(both.out)["retention"]) == (0, "enforced")


def test_a_store_that_does_not_answer_fails(terminal: Terminal) -> None:
    """It is a failure and no verdict, in both forms."""
    nobody = RemoteFaultS3(url="http://127.0.0.1:1")
    said = terminal.probed(nobody, "--json")
    told = json.loads(said.out)
    assert (said.code, told["retention"], told["passed"]) == (1, "cannot_tell", False)
    assert "Traceback" not in said.err


def test_a_folder_is_told_as_it_is(terminal: Terminal) -> None:
    """It creates once and locks nothing, which is no failure of a folder."""
    said = terminal.doctor("--store", "file:store", "--json")
    told = json.loads(said.out)
    assert (said.code, told["retention"], told["lock_mode"]) == (0, "not_enforced", "none")
    assert told["store"] == f"file:{terminal.folder / 'store'}"
    refused = terminal.doctor("--store", "file:store", "--lock-mode", "governance")
    assert refused.code == 2
    assert "--lock-mode" in refused.err


@pytest.mark.parametrize("url", ["bucket", "https://s3.example.org/bucket", "s3://"])
def test_what_is_no_store_is_refused(url: str, terminal: Terminal) -> None:
    """With the argument named."""
    said = terminal.doctor("--store", url)
    assert said.code == 2
    assert "--store" in said.err


def test_the_whole_examination_has_the_store_in_it(
    server: RemoteFaultS3, config: Path, terminal: Terminal
) -> None:
    """Each check of the store of the settings is a finding, and one that fails exits 1."""
    s3_store(config, server.url)
    said = terminal.doctor("--json", "--config", str(config))
    assert said.code == 0, said.err
    found = {each["check"]: each["result"] for each in json.loads(said.out)["findings"]}
    assert found["store: delete version"] == "ok"
    assert found["store: bypass"] == "warning"
    server.set(Fault(kind=FaultKind.LOCK_IDLE))
    said = terminal.doctor("--config", str(config))
    assert said.code == 1
    assert "deleted a locked version" in " ".join(said.err.split())


def test_run_refuses_a_store_that_does_not_enforce(server: RemoteFaultS3, config: Path) -> None:
    """With the field, the fact and the remedy; with lock_mode none it runs."""
    s3_store(config, server.url)
    server.set(Fault(kind=FaultKind.LOCK_IDLE))
    said = muniment("run", "--config", str(config))
    assert said.code == 2
    for word in ("[store] lock_mode", "does not enforce", 'lock_mode = "none"'):
        assert word in said.err
    assert "Traceback" not in said.err
    override(config, "retention_days = 30", 'retention_days = 30\nlock_mode = "none"')
    before = stamp(config)
    with started(config) as child:
        assert store_of(config, since=before)["retention"] == "not_enforced"
        assert child.poll() is None
    assert child.returncode == 0


def test_run_believes_doctor_where_it_cannot_tell(
    server: RemoteFaultS3, config: Path, terminal: Terminal
) -> None:
    """Alone it raises an alarm; after a doctor with another identity it repeats its verdict."""
    s3_store(config, server.url)
    server.set(NO_DELETE)
    with started(config):
        assert store_of(config)["retention"] == "cannot_tell"
        alarmed(config)
    assert "cannot be told" in stderr_of(config).read_text()
    other = str(credentials(terminal.folder, "other"))
    said = terminal.doctor("--store", "--probe-credentials", other, "--config", str(config))
    assert said.code == 0, said.err
    before = stamp(config)
    with started(config):
        told = store_of(config, since=before)
        assert (told["retention"], told["by"]) == ("enforced", "doctor")
    assert "cannot be told" not in stderr_of(config).read_text()
