"""`muniment witness`: made once, then at work for the logs it was given."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bridge.app.witness import MEMORY, PUBLIC_KEY, SIGNING_KEY, new_witness, witnessing
from bridge.cli import main
from bridge.errors import ConfigError
from bridge.notekeys import Algorithm, parse_verifier
from storage.translog.post import Outside
from storage.translog.witness_client import HttpWitness
from tests.fakes.clock import FakeClock
from tests.fakes.heads import ORIGIN, SampleLog

NAME = "witness.example.org/w1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A witness that was just made, and the key of a log."""
    made = tmp_path / "witness"
    new_witness(NAME, made, random_bytes=os.urandom)
    (tmp_path / "log.key").write_text(SampleLog().verifier.line + "\n")
    return made


def test_it_is_made_with_a_key_of_its_own(folder: Path) -> None:
    """The signing key and the memory are for its account alone; the public key is for anyone."""
    for name in (SIGNING_KEY, MEMORY):
        assert (folder / name).stat().st_mode & 0o077 == 0
    line = (folder / PUBLIC_KEY).read_text()
    verifier = parse_verifier(line, algorithm=Algorithm.COSIGNATURE)
    assert verifier.name == NAME
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        parse_verifier(line)


def test_a_name_that_no_key_can_have_is_refused(tmp_path: Path) -> None:
    """The remedy speaks of the name that was given, and nothing is made."""
    with pytest.raises(ConfigError, match="cannot name a witness") as refused:
        new_witness("two words", tmp_path / "new", random_bytes=os.urandom)
    assert "witness.example.org/w1" in refused.value.hint
    assert not (tmp_path / "new").exists()


def test_nothing_is_made_twice(folder: Path) -> None:
    """A folder that is there stays as it is."""
    before = (folder / SIGNING_KEY).read_text()
    with pytest.raises(ConfigError, match="cannot be made"):
        new_witness(NAME, folder, random_bytes=os.urandom)
    assert (folder / SIGNING_KEY).read_text() == before


async def test_it_works_for_the_logs_it_was_given(folder: Path) -> None:
    """A client that trusts its public key gets a line, also after a restart."""
    sample = SampleLog()
    public = (folder / PUBLIC_KEY).read_text()
    for size in (3, 9):
        async with witnessing(
            listen="127.0.0.1:0",
            log_keys=[folder.parent / "log.key"],
            signing_key_file=folder / SIGNING_KEY,
            memory_file=folder / MEMORY,
            clock=FakeClock(),
        ) as witness:
            assert (witness.name, witness.origins) == (NAME, (ORIGIN,))
            client = HttpWitness(
                Outside(url=f"http://127.0.0.1:{witness.port}"),
                verifier=parse_verifier(public, algorithm=Algorithm.COSIGNATURE),
                consistency=sample.consistency,
                clock=FakeClock(),
            )
            head = sample.head(size)
            assert client.cosigned(head.note + (await client.cosign(head)).line)
            await client.aclose()


@pytest.mark.parametrize(
    ("key", "content", "what"),
    [
        ("log_key", "no key", "is not of the form"),
        ("log_key", None, "does not exist"),
        ("signing_key", "no key", "does not begin with PRIVATE"),
        ("memory", None, "does not exist"),
        ("listen", "nowhere", "--listen is 'nowhere'"),
    ],
)
async def test_what_cannot_be_used_is_named(
    folder: Path, key: str, content: str | None, what: str
) -> None:
    """Each with a remedy, before anything is signed."""
    files = {
        "log_key": folder.parent / "log.key",
        "signing_key": folder / SIGNING_KEY,
        "memory": folder / MEMORY,
    }
    listen = "127.0.0.1:0"
    if key == "listen":
        listen = str(content)
    elif content is None:
        await asyncio.to_thread(files[key].unlink)
    else:
        await asyncio.to_thread(files[key].write_text, content)
    with pytest.raises(ConfigError, match=what) as caught:
        async with witnessing(
            listen=listen,
            log_keys=[files["log_key"]],
            signing_key_file=files["signing_key"],
            memory_file=files["memory"],
        ):
            pytest.fail("it began")
    assert caught.value.hint


async def test_a_busy_port_is_named(folder: Path) -> None:
    """Two witnesses on one port: the second says why it cannot."""
    async with witnessing(
        listen="127.0.0.1:0",
        log_keys=[folder.parent / "log.key"],
        signing_key_file=folder / SIGNING_KEY,
        memory_file=folder / MEMORY,
    ) as first:
        with pytest.raises(ConfigError, match="cannot be listened on"):
            async with witnessing(
                listen=f"127.0.0.1:{first.port}",
                log_keys=[folder.parent / "log.key"],
                signing_key_file=folder / SIGNING_KEY,
                memory_file=folder / MEMORY,
            ):
                pytest.fail("it began")


def test_the_command_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init` prints the key to be given away; a second `init`, and missing options, exit 2."""
    folder = tmp_path / "fresh"
    assert main(["witness", "init", NAME, str(folder)]) == 0
    said = capsys.readouterr().err
    assert (folder / PUBLIC_KEY).read_text().strip() in said
    assert "PRIVATE+KEY" not in said
    assert main(["witness", "init", NAME, str(folder)]) == 2
    assert main(["witness", "init", "two words", str(tmp_path / "other")]) == 2
    assert main(["witness", "--listen", "127.0.0.1:1"]) == 2
    assert "--log-key is missing" in capsys.readouterr().err
