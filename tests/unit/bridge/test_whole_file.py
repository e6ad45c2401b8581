"""Small files that are replaced whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bridge.whole_file import replace_whole


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_one_stands_for_its_owner_alone(tmp_path: Path, durable: bool) -> None:  # noqa: FBT001
    """The bytes are there, nobody else can read them, and nothing is left beside the file."""
    file = tmp_path / "health.json"
    before = os.umask(0)
    try:
        replace_whole(file, b"old", durable=durable)
        replace_whole(file, b"new", durable=durable)
    finally:
        os.umask(before)
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_crash_left_neither_loosens_nor_lengthens_it(tmp_path: Path) -> None:
    """A longer file that others may read, left under the passing name, leaves no trace."""
    file = tmp_path / "alerts.json"
    left = tmp_path / "alerts.json.new"
    left.write_bytes(b"a longer one of before")
    left.chmod(0o666)
    replace_whole(file, b"new", durable=True)
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_under_the_passing_name_is_not_followed(tmp_path: Path) -> None:
    """Another file is never written through a link; the old one stands."""
    file, other = tmp_path / "session.json", tmp_path / "other"
    file.write_bytes(b"old")
    other.write_bytes(b"kept")
    (tmp_path / "session.json.new").symlink_to(other)
    with pytest.raises(OSError, match="symbolic"):
        replace_whole(file, b"new", durable=True)
    assert (file.read_bytes(), other.read_bytes()) == (b"old", b"kept")
