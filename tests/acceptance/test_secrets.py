"""Secrets stand where the operator put them, and nowhere else, whatever others answer."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.demo.ports import free_ports
from bridge.health_file import FILE
from tests.acceptance.program import override, stderr_of
from tests.patience import PATIENCE
from tests.servers.scripted import Scripted, scripted_server

BY_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "unsaidaccesskeyid",
    "AWS_SECRET_ACCESS_KEY": "unsaid-by-environment-1",
    "AWS_SESSION_TOKEN": "unsaid-by-environment-2",
    "MUNIMENT_NOTICE__CONTACT": "unsaid-by-environment-3",
}
"""No setting of ours is a secret; a contact stands for one that is meant for few."""

PASSWORD = "unsaid-by-file-1"
TOKEN = "4711:unsaid-by-file-2-xxxxxxxxxxxxxxxxxxxxx"
HOOK = "unsaid-by-file-3"
SECRETS = (*BY_ENVIRONMENT.values(), PASSWORD, TOKEN, HOOK)


def _write(config: Path, others: str) -> None:
    """A recorder all of whose counterparts are at ``others``."""
    for name, text in (("password", PASSWORD), ("token", TOKEN), ("hook", f"{others}/{HOOK}")):
        secret = config.parent / name
        secret.touch(mode=0o600)
        secret.write_text(text)
    line = next(each for each in config.read_text().splitlines() if each.startswith("url ="))
    override(config, line, f'url = "s3://bucket"\nendpoint_url = "{others}"\nretention_days = 30\n')
    override(config, "email_to = []", 'email_to = []\nwebhook_url_file = "hook"')
    override(config, "127.0.0.1:8080", f"127.0.0.1:{free_ports(1)[0]}")
    config.write_text(
        f'{config.read_text()}\n[[matrix]]\nname = "town"\nhomeserver = "{others}"\n'
        f'user_id = "@recorder:localhost"\npassword_file = "password"\n'
        f'\n[[telegram]]\nname = "desk"\ntoken_file = "token"\napi_base = "{others}"\n'
        '\n[[groups]]\nconnector = "town"\nid = "!a:localhost"\nname = "Office"\n'
    )


@asynccontextmanager
async def _started(config: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program with secrets in its environment; what it says goes into one file."""
    with await asyncio.to_thread(stderr_of(config).open, "ab") as said:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", *words, "--config", str(config)),
            stdout=said,
            stderr=said,
            env={**os.environ, **BY_ENVIRONMENT},
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        async with asyncio.timeout(PATIENCE):
            await child.wait()


def _told(config: Path) -> str:
    return stderr_of(config).read_text("utf-8")


def _has_told(config: Path, words: tuple[str, ...]) -> bool:
    told = _told(config)
    return all(word in told for word in words)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text("ascii").split()):
            found += [child, *_descendants(child)]
    return found


async def _wait_for(config: Path, *words: str) -> None:
    """Until it has said all of these."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(_has_told, config, words):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.1)


async def _health(config: Path) -> str:
    """What it writes of itself once it has told an alarm."""
    file = config.parent / "var" / FILE
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(file.exists):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.1)
    return await asyncio.to_thread(file.read_text)


async def test_what_others_repeat_is_not_said(config: Path) -> None:
    """Servers that put every secret into their answers do not bring it into output or logging.

    Nor does a process that the recorder starts have one in its environment.
    """
    body = " ".join(SECRETS).encode()
    async with scripted_server() as others:
        await asyncio.to_thread(_write, config, others.url)
        others.answers = [Scripted(status=401, body=body)]
        async with _started(config, "doctor") as child, asyncio.timeout(PATIENCE):
            assert await child.wait() == 1
        others.answers = [Scripted(status=500, body=body)]
        async with _started(config, "run", "--console") as child:
            await _wait_for(config, "ALARM", "not_receiving")
            await asyncio.to_thread(_keeps_to_itself, child.pid)
            health = await _health(config)
    told = health + await asyncio.to_thread(_told, config)
    assert "Traceback" not in told
    assert [each for each in SECRETS if each in told] == []


def _keeps_to_itself(pid: int) -> None:
    """It leaves no core, and those it started know nothing."""
    limits = Path(f"/proc/{pid}/limits").read_text("ascii")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    for child in _descendants(pid):
        environ = Path(f"/proc/{child}/environ").read_bytes()
        assert [each for each in SECRETS if each.encode() in environ] == []
