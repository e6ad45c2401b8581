"""A stranger's ways to check an archive: the program, one file, and tools that are not ours."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import boto3.session
import pytest

from tests.acceptance.program import override
from tests.archive import Archive, draft
from tests.archive.build import write
from tests.documented.walk import Walk, documented
from tests.pages import ROOT
from tests.servers.moto import moto_server
from tests.servers.tsa import make_authority

MANUAL, HOW = "docs/operations.md", "docs/verifying.md"
LEAVES = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An archive in a folder, and one record of it."""

    archive: Archive
    record: str

    @property
    def base(self) -> Path:
        """``v1/<tenant>``."""
        return self.archive.root / "v1" / self.archive.tenant

    @property
    def dated(self) -> str:
        """The size of a checkpoint that was dated."""
        return min(self.base.glob("anchors/0/*.tsr")).stem


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """With anchors of a witness and of an authority."""
    authority = make_authority(tmp_path / "authority")
    archive = write(tmp_path / "copy", draft(seed=5, leaves=LEAVES, authority=authority))
    record = min(archive.root.glob("v1/*/records/*/*/*/*/*/*.json"))
    return Copy(archive=archive, record=record.relative_to(archive.root).as_posix())


def _given(walk: Walk, copy: Copy) -> None:
    """What a stranger was given, in the working folder."""
    archive = copy.archive
    (walk.here / "public.key").write_text(f"{archive.public_key}\n")
    (walk.here / "kept-last-year.checkpoint").write_bytes(archive.notes[0])
    (walk.here / "authority.pem").write_bytes(archive.authority)
    (walk.here / "witness.key").write_text(f"{archive.witnesses[0]}\n")


@documented(f"{HOW}#The whole of it")
def test_one_file_checks_it_all(walk: Walk, copy: Copy) -> None:
    """By Python alone."""
    _given(walk, copy)
    shutil.copy(ROOT / "storage/translog/verify_standalone.py", walk.here)
    walk.put("FOLDER", copy.archive.root)
    said = walk.run("python3 -I -S verify_standalone.py FOLDER --public-key public.key --known")
    assert json.loads(said.out)["verdict"] == "intact"
    assert walk.run("python3 -I -S").out.endswith("intact\n")


@documented(
    f"{HOW}#One record by hand", f"{HOW}#The signature by hand", f"{HOW}#A timestamp by hand"
)
def test_by_hand(walk: Walk, copy: Copy) -> None:
    """A record's leaf and its place, the log's signature, and when that was."""
    walk.go(copy.archive.root)
    _given(walk, copy)
    walk.put(re.findall(r"v1/mydept/records/\S+", walk.waiting[0])[0], copy.record)
    walk.run("KEY=")
    digest = walk.run("sha256sum").out.split()[0]
    walk.run("P=")
    walk.run("LEAF=")
    leaf = walk.run("printf '%s\\n' \"$LEAF\"").out.strip()
    assert json.loads(leaf)["o"].endswith(digest)
    walk.run("HASH=")
    found = walk.run("for TILE").out.splitlines()
    lines = {int(each.split()[1].partition(":")[0]) for each in found}
    assert lines == {copy.archive.leaves.index(leaf.encode()) + 1}
    walk.run("{ printf")
    walk.run("head -n 3")
    walk.run("sed -n 5p")
    assert "Signature Verified Successfully" in walk.run("openssl pkeyutl").out
    walk.put("70011", copy.dated)
    walk.run("head -n 5")
    assert "Verification: OK" in walk.run("openssl ts -verify").out
    assert "Time stamp: " in walk.run("openssl ts -reply").out


@documented(f"{MANUAL}#Have the log dated")
def test_a_token_is_checked_by_openssl(walk: Walk, copy: Copy) -> None:
    """The checkpoint without its witnesses is what was dated."""
    walk.go(copy.base / "anchors/0")
    walk.put("70000", copy.dated)
    (walk.here / "tsa-root.pem").write_bytes(copy.archive.authority)
    walk.run("{ sed")
    assert "Verification: OK" in walk.run("openssl ts -verify").out


@documented(f"{MANUAL}#Verify", spans=("muniment verify --json",))
def test_the_program_verifies_what_it_is_given(walk: Walk, copy: Copy) -> None:
    """By its settings, a bucket, a folder, with checkpoints, witnesses and an authority."""
    config = walk.init("records")
    override(config, 'url = "file:var/store"', f'url = "file:{copy.archive.root}"')
    _given(walk, copy)
    shutil.copy(walk.here / "public.key", walk.here / "keys/public.key")
    walk.put("v1/mydept/records/KEY.json", copy.record)
    walk.run("muniment verify --record")
    assert (walk.here / "leaf.tlog-proof").read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    walk.run("muniment verify --since")
    # Without settings: a stranger has none.
    walk.put("file:COPY", f"file:{copy.archive.root}")
    for rest in ("--known", "--witness-key"):
        start = f"muniment verify --store file:COPY --public-key public.key {rest}"
        assert "INTACT" in walk.run(start).err
    _in_a_bucket(walk, copy)
    assert json.loads(walk.run("muniment verify --json").out)["verdict"] == "intact"
    assert "INTACT" in walk.run("muniment verify").err


def _in_a_bucket(walk: Walk, copy: Copy) -> None:
    secret = 'access_key_id = "reader"\nsecret_access_key = "secret"'
    walk.secret("reader.toml", secret)
    with moto_server() as url:
        _fill(url, copy.archive)
        walk.put("s3://BUCKET/PREFIX", "s3://records/muniment")
        walk.put("FILE", "reader.toml")
        walk.put("URL", url)
        walk.put("REGION", "us-east-1")
        assert "INTACT" in walk.run("muniment verify --store s3://").err


def _fill(url: str, archive: Archive) -> None:
    """Put the archive into a bucket with locks."""
    client = boto3.session.Session("writer", "secret", region_name="us-east-1").client(
        "s3", endpoint_url=url
    )
    client.create_bucket(Bucket="records", ObjectLockEnabledForBucket=True)
    for each in archive.objects:
        key = f"muniment/v1/{archive.tenant}/{each.key}"
        if each.retain_until is None:
            client.put_object(Bucket="records", Key=key, Body=each.body)
        else:
            client.put_object(
                Bucket="records",
                Key=key,
                Body=each.body,
                ObjectLockMode="GOVERNANCE",
                ObjectLockRetainUntilDate=each.retain_until,
            )
