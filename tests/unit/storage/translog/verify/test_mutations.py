"""Tampering is found and named, and nothing else is."""

from __future__ import annotations

import pytest

from tests.archive.mutations import PER_ARCHIVE, run

ARCHIVES = 16


@pytest.mark.parametrize("first", range(1000, 1000 + ARCHIVES, 2))
def test_every_mutation_is_found_and_named(first: int) -> None:
    """Hundreds of seeded ones of archives of up to 300 leaves; ``make show`` tries 10,000."""
    done, misses = run(first, 2 * PER_ARCHIVE)
    assert misses == []
    assert done.total() == 2 * PER_ARCHIVE
