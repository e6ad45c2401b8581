"""The catalog in SQLite with FTS5: derived from the store, rebuilt from it, never evidence."""

from storage.catalog.file import CatalogFile
from storage.catalog.reading import SqliteCatalog
from storage.catalog.writing import SqliteCatalogWriter

__all__ = ["CatalogFile", "SqliteCatalog", "SqliteCatalogWriter"]
