from __future__ import annotations

from tests.vectors.form import HERE, names, read
from tests.vectors.make import all_vectors, files

LARGEST = 1_000_000


def test_the_files_are_what_their_maker_makes() -> None:
    """Run ``python -m tests.vectors.make`` after a change of the maker, and look at the diff."""
    found = {name: (HERE / f"{name}.json").read_bytes() for name in names()}
    assert found == files()


def test_a_vector_reads_back_as_it_was_made() -> None:
    """Nothing of a vector is lost in its file."""
    for vector in all_vectors():
        assert read(vector.name) == vector


def test_all_of_them_are_small() -> None:
    """They are for people to look at, and are under a megabyte together."""
    assert sum((HERE / f"{name}.json").stat().st_size for name in names()) < LARGEST
