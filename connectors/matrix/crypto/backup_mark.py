"""Which backup the store's marks of what is backed up are about."""

from __future__ import annotations

from connectors.matrix.crypto.store import Transaction


def mark(transaction: Transaction) -> str | None:
    """The backup that :func:`set_mark` named last; None where it never did."""
    row: tuple[str] | None = transaction.execute("SELECT mark FROM backup").fetchone()
    return row[0] if row is not None else None


def set_mark(transaction: Transaction, name: str) -> None:
    """Name the backup. All marks MUST have been forgotten before."""
    transaction.execute("INSERT OR REPLACE INTO backup (one, mark) VALUES (1, ?)", (name,))
