"""Fixity on S3: what a tool that is not ours reads equals what the manifest says.

A real Synapse, `muniment run` on a bucket with Object Lock (Ceph radosgw where it is installed,
else moto), and s3cmd with nothing but the credentials. Run:
``python -m benchmarks.s3_tool --synapse PYTHON``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3.session
import msgspec

from benchmarks.senders import Sending, bodies, send
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import Official
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.servers.ceph import ceph_gateway, missing_programs
from tests.servers.moto import moto_server

MESSAGES = 40
BUCKET = "records"
PATIENCE = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An S3 server and who may use it."""

    name: str
    url: str
    access_key: str
    secret_key: str


class ManifestRow(msgspec.Struct):
    """What is read of a manifest's row."""

    n: int
    key: str | None = None
    sha256: str | None = None


class Manifest(msgspec.Struct):
    """What is read of a manifest part."""

    rows: list[ManifestRow]


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """Ceph radosgw, or moto where it is not installed."""
    if missing_programs():
        with moto_server() as url:
            yield Server(name="moto", url=url, access_key="writer", secret_key="secret")
        return
    with ceph_gateway(folder) as gateway:
        yield Server(
            name="Ceph radosgw",
            url=gateway.endpoint_url,
            access_key=gateway.access_key,
            secret_key=gateway.secret_key,
        )


def make_bucket(server: Server) -> None:
    """A bucket with versioning and Object Lock, without a default retention."""
    client = boto3.session.Session(
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    ).client("s3", endpoint_url=server.url)
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)


def use_bucket(recorder: Recorder, server: Server) -> None:
    """Put the bucket into the settings of a prepared recorder."""
    secret = recorder.folder / "keys" / "store.toml"
    secret.touch(mode=0o600)
    secret.write_text(
        f'access_key_id = "{server.access_key}"\nsecret_access_key = "{server.secret_key}"\n'
    )
    settings = recorder.config.read_text()
    for key, value in (
        ("url", f"s3://{BUCKET}"),
        ("endpoint_url", server.url),
        ("addressing", "path"),
        ("region", "us-east-1"),
        ("retention_days", 30),
        ("credentials_file", "keys/store.toml"),
    ):
        line = f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        settings = re.sub(rf"(?m)^#? ?{key} = .*$", line, settings, count=1)
    recorder.config.write_text(settings)


class S3cmd:
    """s3cmd, which knows nothing of us."""

    def __init__(self, server: Server, folder: Path) -> None:
        host = server.url.removeprefix("http://")
        self._command = (
            str(Path(sys.executable).with_name("s3cmd")),
            *("--config", "/dev/null", "--no-ssl", "--host", host, "--host-bucket", host),
            *("--access_key", server.access_key, "--secret_key", server.secret_key),
        )
        self._folder = folder

    def listed(self) -> list[str]:
        """Every key in the bucket."""
        said = self._run("ls", "--recursive", f"s3://{BUCKET}")
        return [
            line.split(f"s3://{BUCKET}/", 1)[1] for line in said.splitlines() if "s3://" in line
        ]

    def digest(self, key: str) -> str:
        """What sha256sum says of the object's bytes."""
        return self._sha256sum(self.fetched(key))

    def fetched(self, key: str) -> Path:
        """The object as a file."""
        target = self._folder / key.replace("/", "_")
        self._run("get", "--force", f"s3://{BUCKET}/{key}", str(target))
        return target

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._command, *arguments], check=True, capture_output=True, text=True
        ).stdout

    def _sha256sum(self, path: Path) -> str:
        said = subprocess.run(
            ["sha256sum", str(path)], check=True, capture_output=True, text=True
        ).stdout
        return said.split()[0]


def compare(tool: S3cmd) -> tuple[int, int]:
    """Objects that manifests name, and how many of them have the digest named."""
    keys = tool.listed()
    rows: dict[str, str] = {}
    for key in sorted(key for key in keys if "/manifests/" in key):
        manifest = msgspec.json.decode(tool.fetched(key).read_bytes(), type=Manifest)
        for row in manifest.rows:
            if row.key is not None and row.sha256 is not None:
                rows[f"v1/demo/{row.key}"] = row.sha256
    equal = sum(key in keys and tool.digest(key) == digest for key, digest in rows.items())
    return len(rows), equal


async def measure(synapse: Path, folder: Path) -> dict[str, object]:
    """Record on S3 and read with s3cmd."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(s3_server(folder / "s3"))
        await asyncio.to_thread(make_bucket, server)
        homeserver = await stack.enter_async_context(
            Homeserver(folder=folder / "homeserver", python=synapse)
        )
        account = await homeserver.register("recorder", "secret", "Recorder")
        speaker = await homeserver.register("speaker", "secret", "Speaker")
        person = await stack.enter_async_context(
            Official(homeserver=homeserver.url, account=speaker)
        )
        room = await person.create_room("Measured", invite=[account.user_id])
        recorder = Recorder(folder=folder / "recorder", command=(sys.executable, "-m", "bridge"))
        await recorder.prepare(
            homeserver=homeserver.url,
            account=account,
            groups=[ApprovedGroup(id=room, name="Measured")],
        )
        await asyncio.to_thread(use_bucket, recorder, server)
        await recorder.start()
        stack.push_async_callback(recorder.stop)
        await send([person], room, bodies("s3", MESSAGES), Sending(count=MESSAGES))
        sent = time.monotonic()
        tool = S3cmd(server, folder)
        named = equal = 0
        async with asyncio.timeout(PATIENCE):
            while named < MESSAGES:
                await asyncio.sleep(2)
                named, equal = await asyncio.to_thread(compare, tool)
        took = time.monotonic() - sent
    return {"server": server.name, "named": named, "equal": equal, "manifest_seconds": took}


def main() -> None:
    """Measure and print; 1 if a digest differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--synapse", type=Path, required=True, metavar="PYTHON")
    options.add_argument("--json", type=Path, metavar="FILE")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s3").mkdir()
        figures = asyncio.run(measure(chosen.synapse.absolute(), folder))
    print(
        f"{figures['server']}: s3cmd lists and reads {figures['named']} objects that manifests "
        f"name; {figures['equal']} have the digest named; all named after "
        f"{figures['manifest_seconds']:.0f} s (reading included)"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures))
    sys.exit(0 if figures["named"] == figures["equal"] else 1)


if __name__ == "__main__":
    main()
