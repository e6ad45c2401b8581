"""An encrypted room on real parts: the short form of ``benchmarks/encrypted.py``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.encrypted import PICTURE, Plan, Scene, measure, on_encrypted
from bridge.demo.recorder import CONNECTOR
from connectors.matrix.crypto.export_file import decode
from tests.acceptance.program import muniment
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS

PASSPHRASE = "a passphrase of this test"
PLAN = Plan(down=20, kills=4, count=50, longest=3.0, rotate_every=10, patience=90.0)


async def test_every_event_of_an_encrypted_room_is_stored_with_its_content(tmp_path: Path) -> None:
    """Keys change, the recorder is down, it is killed: a strict client's events are all opened.

    And what was said, the keys and the passwords stand nowhere but where they belong.
    """
    async with on_encrypted(python=synapse_python(), folder=tmp_path / "recorder") as scene:
        assert await asyncio.to_thread(_writes_no_core, scene)
        figures = await measure(scene, PLAN)
        assert figures.kills > 1
        assert figures.complete, (figures.opened, len(figures.said), figures)
        await scene.recorder.stop()
        assert await asyncio.to_thread(_found_elsewhere, scene.recorder.folder) == []


def _writes_no_core(scene: Scene) -> bool:
    limits = Path(f"/proc/{scene.recorder.pid}/limits").read_text(encoding="ascii")
    return re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE) is not None


SAID = frozenset({"text", "edit"})


def _found_elsewhere(folder: Path) -> list[tuple[str, str]]:
    """Each secret in each file that is not its own: databases, logs, sessions, what ``run`` says.

    Records in the store hold what was said: they are left out. So does the catalog, derived from
    them; keys and passwords it must not hold.
    """
    secrets = dict(_secrets(folder))
    return [
        (name, str(file.relative_to(folder)))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "store" not in file.relative_to(folder).parts
        for data in [file.read_bytes()]
        for name, (secret, own) in secrets.items()
        if secret in data and file.name != own
        if not (name in SAID and file.parent.name == "catalog")
    ]


def _secrets(folder: Path) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Each secret by its name, with the file that it belongs to."""
    yield "text", (b"approve option B", "")
    yield "edit", (b"open the sluice", "")
    yield "picture", (PICTURE.data[:64], "")
    (recovery,) = (folder / "var").glob("*.recovery-key")
    written = recovery.read_bytes().strip()
    yield "recovery key", (written, recovery.name)
    yield "recovery key in one", (written.replace(b" ", b""), recovery.name)
    password = folder / "recorder.password"
    yield "password", (password.read_bytes().strip(), password.name)
    keys = _room_keys(folder)
    assert len(keys) > 1
    for number, key in enumerate(keys):
        yield f"room key {number}", (key.encode(), "")
        yield f"room key {number}, its middle", (key[40:120].encode(), "")


def _room_keys(folder: Path) -> list[str]:
    """As ``keys export`` gives them while ``run`` is down."""
    passphrase = folder.parent / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(PASSPHRASE)
    exported = folder.parent / "keys.txt"
    said = muniment(
        *("keys", "export", CONNECTOR, str(exported), "--passphrase-file", str(passphrase)),
        *("--config", str(folder / "muniment.toml")),
    )
    assert said.code == 0, said.err
    return [key.session_key for key in decode(exported.read_bytes(), PASSPHRASE.encode()).keys]
