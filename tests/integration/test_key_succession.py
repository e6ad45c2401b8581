"""The log's signing key is replaced on a whole recorder, as the operations page says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from bridge.app import read_settings
from bridge.app.orders import order_step
from bridge.app.report import LogReport, status_of
from bridge.app.service import running
from bridge.app.verification import Asked, verification
from bridge.cli import main
from bridge.demo.ports import free_ports
from bridge.errors import ConfigError
from bridge.notekeys import parse_verifier
from bridge.protocols import StepKind
from config.settings import Settings
from storage.translog import verify_standalone as standalone
from tests.acceptance.program import override
from tests.patience import PATIENCE

SETTING = 'next_signing_key_file = "keys/signing.key.next"\n'
GROUP = '\n[[groups]]\nconnector = "office"\nid = "!a:localhost"\nname = "Office"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A recorder of one group whose homeserver is down: its act is all that it writes."""
    folder = tmp_path / "bridge"
    assert main(["init", str(folder)]) == 0
    metrics, homeserver = free_ports(2)
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("right")
    file = folder / "muniment.toml"
    override(file, "127.0.0.1:9464", f"127.0.0.1:{metrics}")
    override(file, "checkpoint_seconds = 10", "checkpoint_seconds = 0.05")
    with file.open("a") as settings:
        settings.write(
            f'\n[[matrix]]\nname = "office"\nhomeserver = "http://127.0.0.1:{homeserver}"\n'
            f'user_id = "@recorder:localhost"\npassword_file = "{secret}"\n{GROUP}'
        )
    return file


async def _until(settings: Settings, fits: Callable[[LogReport], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not fits((await status_of(settings)).log):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


async def _signed(config: Path, by: str, *, size: int = 1) -> None:
    """It runs until this key alone has signed so many leaves."""
    settings = read_settings(config)
    async with running(settings):
        await _until(settings, lambda log: log.size >= size and log.signed_by == [by])


async def _refused(config: Path) -> str:
    """What it says of the log, which it does not sign."""
    settings = read_settings(config)
    said: list[str] = []
    heard = asyncio.Event()

    def tell(alarm: str) -> None:
        said.append(alarm)
        if "not signed any more" in alarm:
            heard.set()

    async with running(settings, tell=tell):
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
    return next(each for each in said if "not signed any more" in each)


def _verified(config: Path, key: Path, known: Path | None = None) -> None:
    """Both verifiers find the store intact with the keys in this file."""
    asked = Asked(public_key=key, known=() if known is None else (known,))
    report = verification(asked, lambda: read_settings(config))
    assert (report.verdict, list(report.findings)) == ("intact", [])
    keys = [standalone.read_key(line) for line in key.read_text().splitlines()]
    notes = [] if known is None else [("kept", known.read_bytes())]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    other = standalone.verify(config.parent / "var" / "store", keys, notes, now=now)
    assert (other.verdict, list(other.findings)) == ("intact", [])


async def test_the_signing_key_is_replaced(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    blockbuster: BlockBuster,
) -> None:
    """Made, named, handed over and put in its place; the old key leads on and signs no more."""
    # A process reads its settings and keys before anything waits for its loop; ours is this one.
    blockbuster.deactivate()
    keys, old, new = config.parent / "keys", tmp_path / "old.key", tmp_path / "new.key"
    public, signing = keys / "public.key.next", keys / "signing.key.next"
    old.write_bytes((keys / "public.key").read_bytes())
    old_signing = (keys / "signing.key").read_bytes()
    await _signed(config, parse_verifier(old.read_text()).short)
    kept = tmp_path / "kept.checkpoint"
    (checkpoint,) = (config.parent / "var" / "store").glob("v1/*/log/0/checkpoint")
    kept.write_bytes(checkpoint.read_bytes())

    assert await asyncio.to_thread(main, ["keys", "next", "--config", str(config)]) == 0
    new.write_text(public.read_text().splitlines()[1])
    assert new.read_text() in capsys.readouterr().err
    public.rename(keys / "public.key")
    override(config, f"#{SETTING}", SETTING)
    short = parse_verifier(new.read_text()).short
    await _signed(config, short)
    for key in (old, keys / "public.key"):
        await asyncio.to_thread(_verified, config, key, kept)
    await asyncio.to_thread(_verified, config, new)

    override(config, SETTING, "")
    assert short in await _refused(config)
    override(config, "[log]", f"{SETTING}\n[log]")
    signing.rename(keys / "signing.key")
    with pytest.raises(ConfigError) as caught:
        await _signed(config, short)
    assert "remove" in caught.value.hint
    override(config, SETTING, "")
    settings = read_settings(config)
    size = (await status_of(settings)).log.size
    await order_step(
        settings,
        kind=StepKind.PAUSE,
        connector="office",
        group_id="!a:localhost",
        name=None,
        by="clerk",
        why="moving",
    )
    await _signed(config, short, size=size + 1)
    for key in (old, keys / "public.key"):
        await asyncio.to_thread(_verified, config, key, kept)

    (keys / "signing.key").write_bytes(old_signing)
    assert short in await _refused(config)
