"""What cannot be mended by waiting exits 2 with one sentence; everything else runs degraded."""

from __future__ import annotations

import fcntl
import json
import socket
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from bridge.demo.ports import free_ports
from tests.acceptance.program import (
    Said,
    matrix_table,
    metrics_of,
    muniment,
    override,
    s3_store,
    started,
    stderr_of,
)
from tests.patience import until
from tests.servers.fault_s3 import fault_s3_process


def refused(said: Said, *words: str) -> None:
    """Exit 2, one line of fact and one of remedy, each word there, and no traceback."""
    assert said.code == 2, said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 2, said.err
    for word in words:
        assert word in said.err, said.err


def alarms(config: Path, *, wanted: str) -> list[str]:
    """The alarms of ``status``, once one of them says ``wanted``."""
    found: list[str] = []

    def is_told() -> bool:
        said = muniment("status", "--json", "--config", str(config))
        assert said.code == 0, said.err
        found[:] = json.loads(said.out)["alarms"]
        return any(wanted in alarm for alarm in found)

    until(is_told)
    return found


def readyz(config: Path) -> str:
    """What a degraded run answers to whoever asks its port."""
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"http://{metrics_of(config)}/readyz")
    with refusal.value:
        assert refusal.value.code == 503
        return refusal.value.read().decode()


def test_missing_settings_name_the_file_and_init(tmp_path: Path) -> None:
    """Without settings every verb says where it looked and how to make them."""
    refused(muniment("run", folder=tmp_path), "muniment.toml", "muniment init")


def test_config_may_stand_before_or_after_the_verb(config: Path) -> None:
    """Both places mean the same."""
    before = muniment("--config", str(config), "status", "--json")
    after = muniment("status", "--json", "--config", str(config))
    assert before.code == after.code == 0
    assert before.out == after.out


def test_unknown_setting_is_refused(config: Path) -> None:
    """A misspelt key is named, with the key that was meant."""
    override(config, "[service]", "[service]\ntennant = 1")
    refused(muniment("run", "--config", str(config)), "tennant", "tenant")


def test_file_store_cannot_lock(config: Path) -> None:
    """A contradiction between settings is named with both sides."""
    override(config, "[store]", '[store]\nlock_mode = "governance"')
    refused(muniment("run", "--config", str(config)), "lock_mode", "folder")


def test_signing_key_of_another_log_is_refused(config: Path) -> None:
    """The key's name and the settings must make the same log."""
    override(config, 'tenant = "demo"', 'tenant = "other"')
    refused(muniment("run", "--config", str(config)), "signing key", "records.example.org/other")


def test_world_readable_key_is_refused(config: Path) -> None:
    """A key that others can read is no secret."""
    key = config.parent / "keys" / "journal.key"
    key.chmod(0o644)
    refused(muniment("run", "--config", str(config)), "journal.key", "chmod 600")


def test_unknown_policy_is_refused(config: Path) -> None:
    """A policy that is not shipped is named, with those that are."""
    override(config, 'version = "2023.1"', 'version = "1066.1"')
    refused(muniment("run", "--config", str(config)), "uk-nccc-1066.1", "uk-nccc-2023.1")


def test_journal_of_a_newer_version_is_refused_and_left_alone(config: Path) -> None:
    """An old program never touches a journal it does not know."""
    journal = config.parent / "var" / "journal.db"
    journal.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    before = journal.read_bytes()
    refused(muniment("run", "--config", str(config)), "schema 99")
    assert journal.read_bytes() == before


def test_data_directory_in_use_is_refused(config: Path) -> None:
    """A second run on the same folder ends at once."""
    lock = config.parent / "var" / "run.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        refused(muniment("run", "--config", str(config)), "in use", "data_dir")


def test_data_directory_that_is_a_file_is_refused(config: Path) -> None:
    """A path that cannot be a folder is named."""
    (config.parent / "var").write_text("")
    refused(muniment("run", "--config", str(config)), "data_dir")


def test_init_refuses_a_folder_with_something_in_it(config: Path) -> None:
    """Keys are never written over."""
    keys = (config.parent / "keys" / "journal.key").read_text()
    refused(muniment("init", str(config.parent)), "not empty")
    assert (config.parent / "keys" / "journal.key").read_text() == keys


def test_unreachable_homeserver_runs_degraded(config: Path, tmp_path: Path) -> None:
    """Nobody listens there: the recorder runs on, and status and stderr say so."""
    homeserver = f"127.0.0.1:{free_ports(1)[0]}"
    config.write_text(config.read_text() + matrix_table(tmp_path, f"http://{homeserver}"))
    with started(config) as child:
        found = alarms(config, wanted="does not answer")
        ready = readyz(config)
        assert child.poll() is None
    assert not any("not running" in alarm for alarm in found)
    assert child.returncode == 0
    assert "does not answer" in stderr_of(config).read_text()
    assert homeserver not in ready
    assert "@" not in ready


def test_busy_metrics_port_is_an_alarm(config: Path) -> None:
    """A port that somebody else has degrades the recorder; it does not stop it."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        text = config.read_text()
        line = next(line for line in text.splitlines() if line.startswith("metrics"))
        override(config, line, f'metrics = "127.0.0.1:{other.getsockname()[1]}"')
        with started(config) as child:
            alarms(config, wanted="cannot be used")
            assert child.poll() is None
    assert child.returncode == 0


def test_unreachable_store_fails_doctor(config: Path) -> None:
    """Doctor names the store that does not answer, and exits 1."""
    s3_store(config, f"http://127.0.0.1:{free_ports(1)[0]}")
    said = muniment("doctor", "--config", str(config))
    assert said.code == 1
    assert "FAIL" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("url", ["s3://", "s3://My_Bucket", "https://s3.example.org/bucket"])
def test_a_store_url_that_is_no_bucket_is_refused(config: Path, url: str) -> None:
    """What no waiting makes a bucket is named with the setting and what to write instead."""
    line = next(line for line in config.read_text().splitlines() if line.startswith("url ="))
    override(config, line, f'url = "{url}"')
    refused(muniment("run", "--config", str(config)), "[store] url", "bucket", "s3://BUCKET")


def test_a_bucket_that_is_not_there_runs_degraded(config: Path) -> None:
    """The bucket may come: doctor fails, the recorder runs on, status and stderr name it."""
    with fault_s3_process("--bucket", "another") as server:
        s3_store(config, server.url)
        said = muniment("doctor", "--config", str(config))
        assert said.code == 1
        assert "NoSuchBucket" in said.err
        assert "Traceback" not in said.err
        with started(config) as child:
            alarms(config, wanted="NoSuchBucket")
            readyz(config)
            assert child.poll() is None
    assert child.returncode == 0
    assert "bucket bucket" in stderr_of(config).read_text()


def test_a_file_where_the_store_should_be_runs_degraded(config: Path) -> None:
    """A path that is no folder is named by doctor, status and stderr; the recorder runs on."""
    place = config.parent / "var" / "store"
    place.parent.mkdir(exist_ok=True)
    place.write_text("not a folder")
    said = muniment("doctor", "--config", str(config))
    assert said.code == 1
    assert "is a file" in " ".join(said.err.split())
    with started(config) as child:
        alarms(config, wanted="is a file, not a folder")
        readyz(config)
        assert child.poll() is None
    assert child.returncode == 0
    assert "is a file, not a folder" in stderr_of(config).read_text()
    assert place.read_text() == "not a folder"


def test_doctor_passes_on_the_embedded_default(config: Path) -> None:
    """What init makes has nothing for doctor to fail."""
    said = muniment("doctor", "--config", str(config))
    assert said.code == 0, said.err


def test_unknown_connector_of_a_step_is_refused(config: Path) -> None:
    """A step for a connector that is not configured is named."""
    step = ("groups", "approve", "nowhere", "!a:b", "--why", "test", "--config", str(config))
    refused(muniment(*step), "nowhere")


def test_a_step_needs_no_reason(config: Path, tmp_path: Path) -> None:
    """A step without a reason is kept with where it came from."""
    config.write_text(config.read_text() + matrix_table(tmp_path, "http://127.0.0.1:1"))
    described = ("--owner", "Head of Floods", "--purpose", "Flood response")
    for kind in ("propose", "approve", "pause", "resume", "close"):
        more = described if kind == "propose" else ()
        said = muniment("groups", kind, "office", "!a:b", *more, "--config", str(config))
        assert said.code == 0, said.err
    with closing(sqlite3.connect(config.parent / "var" / "office.db")) as office:
        whys = office.execute("SELECT DISTINCT why FROM group_step").fetchall()
    assert whys == [("ordered on the command line",)]
