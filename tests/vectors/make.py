"""Makes every vector anew: ``python -m tests.vectors.make``. The same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tests.vectors import broken_leaves, broken_log, broken_objects, whole
from tests.vectors.form import HERE, Vector, written


def all_vectors() -> Iterator[Vector]:
    """Every vector; those that others are based on come first."""
    return chain(
        whole.vectors(),
        broken_log.checkpoints(),
        broken_log.heads(),
        broken_log.unproved(),
        broken_log.trees(),
        broken_log.large_trees(),
        broken_leaves.malformed(),
        broken_leaves.numbers(),
        broken_leaves.streams(),
        broken_leaves.references(),
        broken_leaves.storing(),
        broken_leaves.records(),
        broken_objects.objects(),
        broken_objects.additions(),
        broken_objects.absences(),
        broken_objects.disposals(),
        broken_objects.manifests(),
        broken_objects.acts(),
        broken_objects.incomplete(),
        broken_objects.anchors(),
        broken_objects.useless(),
    )


def files() -> dict[str, bytes]:
    """The bytes of each vector's file, by its name."""
    made: dict[str, Vector] = {}
    bodies: dict[str, bytes] = {}
    for vector in all_vectors():
        if vector.name in made:
            raise ValueError(f"two vectors are called {vector.name}")
        made[vector.name] = vector
        bodies[vector.name] = written(vector, made[vector.base] if vector.base else None)
    return bodies


def main() -> None:
    """Write them all, and remove what is none of them."""
    bodies = files()
    for path in HERE.glob("*.json"):
        if path.stem not in bodies:
            path.unlink()
    for name, body in bodies.items():
        (HERE / f"{name}.json").write_bytes(body)


if __name__ == "__main__":
    main()
