"""Go's own packages for its checksum database, from Debian: note, tlog."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bridge.notekeys import generate
from storage.translog.proof import SUFFIX
from tests.foreign.published import INDICES, PublishedLog
from tests.patience import PATIENCE

pytestmark = [pytest.mark.go, pytest.mark.xdist_group("foreign")]


@pytest.fixture
def more(published: PublishedLog, tmp_path: Path) -> Path:
    """A folder of every checkpoint ever published, and proofs of some leaves."""
    folder = tmp_path / "more"
    folder.mkdir()
    for checkpoint, note in zip(published.checkpoints, published.notes, strict=True):
        (folder / f"{checkpoint.size}.note").write_bytes(note)
    for index in INDICES:
        (folder / f"{index}{SUFFIX}").write_bytes(published.proof(index).encode())
    return folder


def _run(program: Path, key: str, folder: Path, more: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (str(program), key, str(folder), str(more)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_the_whole_log(published: PublishedLog, go_verifier: Path, more: Path) -> None:
    """Signature, root, every entry, consistency with each checkpoint, and our proofs: accepted."""
    done = _run(go_verifier, published.verifier.line, published.folder, more)
    assert done.stderr == ""
    assert done.stdout == "70000 entries, 13 earlier checkpoints, 10 proofs\n"


@pytest.mark.parametrize(
    "flip",
    [
        ("tile/0/000", 0, "tile/8/0/000 is another"),
        ("tile/0/272", -1, "tile/8/0/272 is another"),
        ("tile/0/273.p/112", -1, "tile/8/0/273.p/112 is another"),
        ("tile/1/000", 8000, "tile/8/1/000 is another"),
        ("tile/1/001.p/17", 0, "tile/8/1/001.p/17 is another"),
        ("tile/2/000.p/1", 5, "tile/8/2/000.p/1 is another"),
        ("tile/0/273.p/111", 5, "tile/8/0/273.p/111 is another"),
        ("tile/entries/000", 9, "another root"),
        ("tile/entries/273.p/112", -1, "another root"),
        ("checkpoint", 40, ""),
        ("checkpoint", -9, ""),
    ],
)
def test_a_flipped_bit(
    published: PublishedLog, go_verifier: Path, more: Path, flip: tuple[str, int, str]
) -> None:
    """It does look: one bit of a tile, a bundle or the checkpoint is found."""
    path, place, said = flip
    folder = published.spoilt(more.parent / "spoilt", path, place=place)
    done = _run(go_verifier, published.verifier.line, folder, more)
    assert done.returncode == 1
    assert said in done.stderr


def test_another_key(published: PublishedLog, go_verifier: Path, more: Path) -> None:
    """Under another key of the same name nothing is accepted."""
    _, other = generate(published.verifier.name, bytes)
    done = _run(go_verifier, other, published.folder, more)
    assert done.returncode == 1
    assert "no verifiable signatures" in done.stderr


@pytest.mark.parametrize("suffix", [".note", SUFFIX])
def test_what_does_not_belong(
    published: PublishedLog, go_verifier: Path, more: Path, suffix: str
) -> None:
    """A checkpoint or a proof that does not fit the log is refused, among the others."""
    file = more / f"{65_536}{suffix}"
    data = file.read_bytes()
    other = (more / f"1{suffix}").read_bytes()
    cut = data.index(b"\n", data.index(b"\n") + 1)
    file.write_bytes(data[:cut] + other[other.index(b"\n", other.index(b"\n") + 1) :])
    done = _run(go_verifier, published.verifier.line, published.folder, more)
    assert done.returncode == 1
