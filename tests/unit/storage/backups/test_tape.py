"""A tar holds what a back-up may hold, and nothing that would do harm if it were put back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyrage import x25519

from bridge.errors import ConfigError
from storage.backups import age, manifest
from storage.backups.tape import Member, opened, read_manifest, small, tar_chunks

IDENTITY = x25519.Identity.generate()
AT = datetime(2026, 3, 1, tzinfo=UTC)
FORBIDDEN = [
    "matrix-office.crypto.db",
    "matrix-office.crypto.db-wal",
    "files/matrix-office.crypto.db",
    "matrix-office.session",
    "files/matrix-office.session",
    "catalog.db",
    "catalog/catalog.db",
    "run.lock",
    "witness.db",
]


def member(name: str, content: bytes = b"content") -> Member:
    """A file in memory."""
    return Member(name=name, size=len(content), chunks=lambda: iter((content,)))


def sealed(folder: Path, plain: bytes) -> Path:
    """Encrypted, in a file."""
    file = folder / "kept.age"
    with file.open("wb") as sink:
        age.encrypt(iter((plain,)), sink, IDENTITY.to_public())
    return file


def read(file: Path) -> dict[str, bytes]:
    """Every file of it, proved."""
    with opened(file, [IDENTITY], advance=lambda _: None) as tape:
        found = {name: small(chunks) for name, chunks in tape.files()}
        tape.finish()
    return found


def test_files_come_back(tmp_path: Path) -> None:
    """In their order, whatever their size; and as any tar."""
    members = [
        member("manifest.json", b"{}"),
        member("journal.db", bytes(100_000)),
        member("files/keys.journal_key_file", b""),
    ]
    plain = b"".join(tar_chunks(members, at=AT))
    assert read(sealed(tmp_path, plain)) == {
        "manifest.json": b"{}",
        "journal.db": bytes(100_000),
        "files/keys.journal_key_file": b"",
    }
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert [(each.name, each.mode) for each in tar] == [(each.name, 0o600) for each in members]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_would_do_harm_is_not_written(name: str) -> None:
    """The keys of a device that may go on, above all."""
    with pytest.raises(ConfigError):
        list(tar_chunks([member(name)], at=AT))


def _tarred(*infos: tuple[str, bytes]) -> bytes:
    """A tar as somebody else makes it: name and type."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, kind in infos:
            head = tarfile.TarInfo(name)
            head.type, head.size = kind, 7 if kind == tarfile.REGTYPE else 0
            head.linkname = "journal.db"
            tar.addfile(head, io.BytesIO(b"content"))
    return whole.getvalue()


@pytest.mark.parametrize("name", [*FORBIDDEN, "../journal.db", "/etc/passwd", "files/a/b", "x.db"])
def test_what_would_do_harm_is_not_read(tmp_path: Path, name: str) -> None:
    """Whoever put it in, also beside what belongs there."""
    file = sealed(tmp_path, _tarred(("office.db", tarfile.REGTYPE), (name, tarfile.REGTYPE)))
    with pytest.raises(ConfigError, match="The back-up holds"):
        read(file)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_plain_files_alone_are_read(tmp_path: Path, kind: bytes) -> None:
    """No links, no folders, and none of them twice."""
    with pytest.raises(ConfigError, match="no plain file"):
        read(sealed(tmp_path, _tarred(("office.db", kind))))
    twice = _tarred(("office.db", tarfile.REGTYPE), ("office.db", tarfile.REGTYPE))
    with pytest.raises(ConfigError, match="twice"):
        read(sealed(tmp_path, twice))


def _damage(data: bytes, how: str) -> bytes:
    half = len(data) // 2
    return {
        "cut off": data[:half],
        "without its end": data[:-1],
        "flipped": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :],
        "none": b"PK" + data[2:],
    }[how]


@pytest.mark.parametrize("how", ["cut off", "without its end", "flipped", "none"])
def test_a_damaged_file_is_named_as_such(tmp_path: Path, how: str) -> None:
    """Not as a strange tar: what cannot be decrypted is what is told."""
    file = sealed(tmp_path, b"".join(tar_chunks([member("journal.db", bytes(500_000))], at=AT)))
    file.write_bytes(_damage(file.read_bytes(), how))
    with pytest.raises(ConfigError) as raised:
        read(file)
    assert raised.value.hint == age.DAMAGED


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    """Though it is encrypted to us."""
    with pytest.raises(ConfigError, match="no tar"):
        read(sealed(tmp_path, b"a letter" * 1000))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(ConfigError, match=r"nowhere\.age"):
        read(tmp_path / "nowhere.age")


def _whole() -> manifest.Manifest:
    return manifest.Manifest(
        program="1",
        tenant="demo",
        log_origin="records.example.org",
        made_at=AT,
        schemas={"journal.db": 1},
        files=(manifest.BackedFile(name="journal.db", size=0, sha256="0" * 64),),
    )


def test_a_manifest_comes_back() -> None:
    """As it was."""
    assert manifest.decoded(manifest.encoded(_whole())) == _whole()
    assert read_manifest(iter([("manifest.json", iter([manifest.encoded(_whole())]))])) == _whole()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace(b'"v": 1', b'"v": 2'), "knows up to 1"),
        (lambda text: text.replace(b"+00:00", b"").replace(b"00Z", b"00"), "not as this program"),
        (lambda text: text.replace(b'"0000', b'"zzzz'), "not as this program"),
        (lambda text: text[:-10], "not as this program"),
        (lambda _: b"[]", "not as this program"),
    ],
)
def test_another_manifest_is_refused(change: Callable[[bytes], bytes], told: str) -> None:
    """A newer one, and one that is none."""
    with pytest.raises(ConfigError, match=told):
        manifest.decoded(change(manifest.encoded(_whole())))


def test_it_begins_with_its_manifest() -> None:
    """Before anything is unpacked it is known whose it is."""
    for files in (iter([("journal.db", iter([b""]))]), iter(())):
        with pytest.raises(ConfigError, match="does not begin"):
            read_manifest(files)
    with pytest.raises(ConfigError, match="larger than any"):
        small(iter([bytes(manifest.LARGEST), b"x"]))
