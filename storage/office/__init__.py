"""The inbox of orders: SQLite beside the journal, written by people's tools."""

from storage.office.sqlite import SqliteOffice

__all__ = ["SqliteOffice"]
