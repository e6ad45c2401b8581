"""What a bag in a tar archive consists of."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.console import bag
from bridge.console.reels import AT_ONCE, LARGEST_SLICE, Kind, Reel, Source

AT = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
@pytest.mark.parametrize("path", ["a/b.json", "d/" + "x" * 300])
def test_a_file_can_be_read_back(path: str, size: int) -> None:
    """Header, bytes and padding are an archive, whatever the length of the name."""
    body = b"y" * size
    data = bag.header(path, size, at=AT) + body + bytes(bag.padding(size)) + bytes(bag.END)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (member,) = archive.getmembers()
        found = archive.extractfile(member)
        assert found is not None
        assert (member.name, found.read(), member.mode) == (path, body, 0o644)


def test_a_file_may_be_larger_than_eight_gibibytes() -> None:
    """The header carries its size."""
    size = 1 << 40
    info = tarfile.TarInfo.frombuf(bag.header("x", size, at=AT), "utf-8", "strict")
    assert info.size == size


def test_paths_are_written_so_that_each_line_is_one() -> None:
    """Percent, CR and LF are encoded, and nothing else."""
    assert bag.sum_line("00", "a%b\r\nc d") == b"00  a%25b%0D%0Ac d\n"


@given(st.text(max_size=400))
def test_a_value_cannot_begin_a_field_of_its_own(value: str) -> None:
    """What somebody typed as a reason stays the value of its label."""
    lines = bag.info([("External-Description", value), ("Contact-Name", "jo")]).decode().split("\n")
    assert [line.partition(":")[0] for line in lines if line and not line.startswith(" ")] in (
        ["External-Description", "Contact-Name"],
        ["Contact-Name"],
    )


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.integers(1, 600),
            st.builds(Source, st.text("abc/", max_size=9), st.just("0" * 64)),
        ),
        max_size=3 * AT_ONCE,
    ),
    st.integers(0, 50_000),
)
def test_a_reel_gives_the_pieces_from_anywhere(parts: list[bytes | int | Source], at: int) -> None:
    """They follow each other without a hole, beginning with the one in which the byte stands."""
    reel = Reel()
    for part in parts:
        if isinstance(part, bytes):
            reel.make(part)
        elif isinstance(part, int):
            reel.zeros(part)
        else:
            reel.named(Kind.MEDIUM, part, 7)
    reel.seal()
    after, position = -1, None
    while True:
        after, pieces = reel.pieces(at, after)
        if not pieces:
            break
        for piece in pieces:
            assert position is None or piece.start == position
            if position is None and at < reel.size:
                assert piece.start <= at < piece.start + piece.size
            position = piece.start + piece.size
            assert piece.source is not None or len(piece.data) == piece.size
    assert position in {None, reel.size}
    reel.close()


def test_a_long_spool_comes_in_slices() -> None:
    """Nothing of any length stands in memory at once."""
    reel = Reel()
    reel.rows.add(b"r" * (3 * LARGEST_SLICE + 5))
    reel.whole(Kind.ROWS, reel.rows)
    reel.seal()
    _, pieces = reel.pieces(0)
    assert [piece.size for piece in pieces] == [LARGEST_SLICE] * 3 + [5]
    reel.close()
