"""A journal in memory that keeps the real one's promises and holds its callers to its rules."""

from tests.fakes.journal.memory import MemoryJournal

__all__ = ["MemoryJournal"]
