"""The named statements of the ``*.sql`` files and the numbered migrations, read once at import."""

from __future__ import annotations

from importlib.resources import files

_ROOT = files("storage.journal")


def _named(text: str) -> dict[str, str]:
    blocks = text.split("-- name: ")[1:]
    return {name.strip(): sql.strip() for name, _, sql in (b.partition("\n") for b in blocks)}


STATEMENTS = {
    name: sql
    for file in sorted(_ROOT.iterdir(), key=lambda entry: entry.name)
    if file.name.endswith(".sql")
    for name, sql in _named(file.read_text("utf-8")).items()
}
"""Statement by name."""

MIGRATIONS = tuple(
    (_ROOT / "migrations" / name).read_text("utf-8")
    for name in sorted(entry.name for entry in (_ROOT / "migrations").iterdir())
    if name.endswith(".sql")
)
"""Migration ``i`` takes the schema from version ``i`` to ``i + 1``."""
