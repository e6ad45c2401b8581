"""What a good settings file gives, and how a file is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SettingsError
from config.settings import load
from config.values import host_and_port, parse_store_url
from tests.unit.config.samples import GROUP, MATRIX, S3, TELEGRAM, WITNESSES, read


def test_an_empty_file_is_the_embedded_default() -> None:
    """Without any setting: a folder as store, no lock, no connector, no group."""
    settings = read("")
    assert settings.service.tenant == "demo"
    assert settings.store.location.folder == Path("/srv/var/store")
    assert settings.store.lock == "none"
    assert settings.policy.name == "uk-nccc"
    assert (settings.matrix, settings.telegram, settings.groups) == ((), (), ())


def test_paths_are_meant_from_the_files_folder() -> None:
    """Relative paths become absolute against the folder, absolute ones stay."""
    settings = read('[service]\ndata_dir = "data"\nca_file = "/etc/ca.pem"\n' + MATRIX)
    assert settings.folder == Path("/srv")
    assert settings.service.data_dir == Path("/srv/data")
    assert settings.service.ca_file == Path("/etc/ca.pem")
    assert settings.keys.journal_key_file == Path("/srv/keys/journal.key")
    assert settings.matrix[0].password_file == Path("/srv/keys/matrix.password")
    assert settings.matrix[0].homeserver == "https://matrix.example.org"


def test_an_s3_store_is_locked_unless_said_otherwise() -> None:
    """An s3: store has governance; another mode is taken only when it is written."""
    store = read(S3).store
    assert (store.location.bucket, store.location.prefix) == ("bucket", "pre/fix")
    assert (store.location.folder, store.lock) == (None, "governance")
    for mode in ("none", "governance", "compliance"):
        assert read(f'{S3}lock_mode = "{mode}"').store.lock == mode


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:var/store", "/srv/var/store"),
        ("file:/data", "/data"),
        ("file:///data", "/data"),
    ],
)
def test_a_folder_as_store(url: str, folder: str) -> None:
    """The forms in which a folder may be written, in the file and on the command line."""
    assert read(f'[store]\nurl = "{url}"').store.location.folder == Path(folder)
    assert parse_store_url(url, Path("/srv")).folder == Path(folder)


def test_a_store_url_given_elsewhere_names_its_place() -> None:
    """An address from the command line is refused under the name it was given by."""
    with pytest.raises(SettingsError, match=r"^--store is not of a kind this program knows: "):
        parse_store_url("ftp://x", Path("/srv"), field="--store")


def test_the_longest_retention_is_known() -> None:
    """Of the classes and the store's own; a group that is not listed has no table."""
    settings = read(
        S3
        + MATRIX
        + '[[retention]]\nname = "long"\ndays = 7300\n'
        + GROUP
        + 'retention = "long"\n'
        + GROUP.replace("!room", "!other")
    )
    long = settings.group("matrix", "!room:example.org")
    assert long is not None
    assert long.retention == "long"
    assert settings.group("matrix", "!unlisted:example.org") is None
    assert settings.longest_retention() == 7300
    assert read(S3).longest_retention() == 365
    assert read("").longest_retention() is None


def test_a_group_of_each_platform() -> None:
    """Matrix rooms by their id (with or without a server), Telegram groups by their number."""
    settings = read(
        MATRIX
        + TELEGRAM
        + GROUP
        + GROUP.replace("!room:example.org", "!room12")
        + GROUP.replace("!room:example.org", "-1001234").replace('"matrix"', '"telegram"')
    )
    assert [group.id for group in settings.groups] == ["!room:example.org", "!room12", "-1001234"]
    assert settings.telegram[0].api_base == "https://api.telegram.org"


def test_the_environment_goes_before_the_file() -> None:
    """Single keys are laid over the file, in the type the key has, paths as in the file."""
    settings = read(
        '[service]\ntenant = "demo"\n',
        {
            "MUNIMENT_SERVICE__TENANT": "other",
            "MUNIMENT_SERVICE__DATA_DIR": "elsewhere",
            "MUNIMENT_STORE__URL": "s3://bucket",
            "MUNIMENT_STORE__RETENTION_DAYS": "730",
            "MUNIMENT_POLICY__CAPTURE_ALL": "true",
            "MUNIMENT_POLICY__CAPSTONE": '["@a:b"]',
            "MUNIMENT_LOG__CHECKPOINT_SECONDS": "0.5",
            "MUNIMENT_CONFIG": "muniment.toml",
            "HOME": "/root",
        },
    )
    assert settings.service.tenant == "other"
    assert settings.service.data_dir == Path("/srv/elsewhere")
    assert (settings.store.location.bucket, settings.store.retention_days) == ("bucket", 730)
    assert settings.policy.capture_all
    assert settings.policy.capstone == ("@a:b",)
    assert settings.log.checkpoint_seconds == 0.5


def test_all_witnesses() -> None:
    """The one of [witness] comes first, then those of [[witnesses]]; paths are absolute."""
    settings = read(WITNESSES)
    assert [(w.url, str(w.public_key_file)) for w in settings.all_witnesses()] == [
        (f"https://w{i}.example.org", f"/srv/keys/w{i}.key") for i in (1, 2, 3)
    ]
    assert settings.witness.quorum == 2
    further = WITNESSES.partition("quorum = 2")[2]
    assert len(read(further).all_witnesses()) == 2
    assert read("").all_witnesses() == ()


def test_load_reads_the_file(tmp_path: Path) -> None:
    """A file is read from its path, and its folder is where its paths are meant from."""
    path = tmp_path / "muniment.toml"
    path.write_text('[service]\ntenant = "t"\n')
    settings = load(path, {})
    assert (settings.service.tenant, settings.folder) == ("t", tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing, a folder, or not text is named with the remedy."""
    path = tmp_path / "muniment.toml"
    with pytest.raises(SettingsError, match=r"does not exist: run `muniment init DIR`"):
        load(path, {})
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path, {})
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(path, {})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_host_and_port(address: str, expected: tuple[str, int]) -> None:
    """An address splits into what a listener takes."""
    assert host_and_port(address) == expected


OVERRIDE = """
[[overrides]]
connector = "matrix"
group = "!room:example.org"
code = "LOGISTICS"
outcome = "capture"
reason = "It is there for logistics"
approver = "Head of records"
date = 2026-03-01
"""


@pytest.mark.parametrize("day", ["2026-03-01", '"2026-03-01"'])
def test_an_override_names_reason_approver_and_day(day: str) -> None:
    """The day may stand as TOML has it or in quotes."""
    settings = read(MATRIX + GROUP + OVERRIDE.replace("2026-03-01", day))
    (override,) = settings.overrides
    assert (override.code, override.outcome, override.date) == (
        "LOGISTICS",
        "capture",
        "2026-03-01",
    )


def test_senior_roles_are_listed() -> None:
    """Several people may hold a role."""
    text = '[[capstone]]\nrole = "minister"\nids = ["@a:x.org", "@b:x.org"]\n'
    (senior,) = read(text).capstone
    assert (senior.role, senior.ids, senior.authority) == (
        "minister",
        ("@a:x.org", "@b:x.org"),
        None,
    )
