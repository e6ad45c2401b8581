"""Whole archives, made by the code that makes the real ones, with every class of object."""

from tests.archive.archive import Archive, Stored
from tests.archive.build import build, draft

__all__ = ["Archive", "Stored", "build", "draft"]
