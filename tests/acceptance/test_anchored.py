"""The log is witnessed and dated: the programs as users start them, openssl as the authority."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.demo.ports import free_ports
from bridge.notekeys import Algorithm, parse_verifier
from storage.translog.checkpoint import open_checkpoint
from storage.translog.cosignature import witnessed_at
from storage.translog.note import Note
from storage.translog.timestamps import check_timestamp, read_roots
from tests.acceptance.program import matrix_table, muniment, override, started
from tests.patience import PATIENCE
from tests.servers.tsa import Authority, make_authority, tsa_server


@asynccontextmanager
async def witness(folder: Path, log_key: Path, port: int) -> AsyncIterator[None]:
    """``muniment witness`` in the background; ended by SIGTERM, which must be enough."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "witness", "--listen", f"127.0.0.1:{port}"),
        *("--log-key", str(log_key), "--signing-key-file", str(folder / "signing.key")),
        *("--state", str(folder / "witness.db")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None
    said = (await child.stderr.readline()).decode()
    assert f"listens on 127.0.0.1:{port} for records.example.org/demo/log/0" in said
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), PATIENCE) == 0


def prepare(config: Path, *, url: str, authority: Authority, port: int) -> None:
    """Settings with a listed group, whose approval is news, and with both who vouch for it."""
    folder = config.parent
    made = muniment("witness", "init", "witness.example.net/w1", str(folder / "witness"))
    assert made.code == 0, made.err
    (folder / "root.pem").write_bytes(authority.root)
    override(
        config,
        '#url = "https://witness.example.org"',
        f'url = "http://127.0.0.1:{port}"\npublic_key_file = "witness/public.key"',
    )
    override(config, '#url = "https://tsa.example.org"', f'url = "{url}"\nca_file = "root.pem"')
    override(config, "checkpoint_seconds = 10", "checkpoint_seconds = 0.2")
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with config.open("a") as settings:
        settings.write(matrix_table(folder, nobody))
        settings.write('[[groups]]\nconnector = "office"\nid = "!room:localhost"\nname = "Cell"\n')


async def until_anchored(archive: Path) -> None:
    """Both proofs stand in the store, and the log names both."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await asyncio.to_thread(is_anchored, archive):
                return
            await asyncio.sleep(0.2)


async def until_told(config: Path) -> list[dict[str, str]]:
    """Who vouches, as ``status`` says; ``run`` tells it each second, so after the store has it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status = await asyncio.to_thread(muniment, "status", "--json", "--config", str(config))
            anchors: list[dict[str, str]] = json.loads(status.out)["log"]["anchors"]
            if anchors and all(each["at"] for each in anchors):
                return anchors


def is_anchored(archive: Path) -> bool:
    """Whether a published bundle has the leaves of two anchors."""
    bundles = (path for path in archive.glob("log/0/tile/entries/**/*") if path.is_file())
    return any(bundle.read_bytes().count(b'"k":"anchor"') == 2 for bundle in bundles)


async def test_a_log_is_witnessed_and_dated(config: Path, tmp_path: Path) -> None:
    """Keys are exchanged, both are named in the settings, and the proofs come by themselves."""
    authority = make_authority(tmp_path / "authority")
    (port,) = free_ports(1)
    archive = config.parent / "var/store/v1/demo"
    async with tsa_server(authority) as tsa:
        prepare(config, url=tsa.url, authority=authority, port=port)
        async with witness(config.parent / "witness", config.parent / "keys/public.key", port):
            with started(config):
                await until_anchored(archive)
                anchors = await until_told(config)
    assert [(each["kind"], each["name"], each["trouble"]) for each in anchors] == [
        ("witness", "witness.example.net/w1", ""),
        ("timestamp", "127.0.0.1", ""),
    ]
    log = parse_verifier((config.parent / "keys/public.key").read_text())
    cosigner = parse_verifier(
        (config.parent / "witness/public.key").read_text(), algorithm=Algorithm.COSIGNATURE
    )
    (token,) = archive.glob("anchors/0/*.tsr")
    note = Note.parse(token.with_suffix(".note").read_bytes())
    assert open_checkpoint(note.encode(), log).size == int(token.stem)
    assert witnessed_at(note, cosigner) is not None
    published = Note(text=note.text, signatures=note.of(log)).encode()
    assert check_timestamp(token.read_bytes(), published, read_roots(authority.root)).trusted
