"""Attachments on disk, encrypted, from their download until they are stored."""

from storage.spool.files import FileSpool

__all__ = ["FileSpool"]
