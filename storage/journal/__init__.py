"""The journal on SQLite: everything delivered is durable here before anything else happens."""

from storage.journal.sqlite import SqliteJournal

__all__ = ["SqliteJournal"]
