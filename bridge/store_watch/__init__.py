"""Whether the store keeps enforcing what records rely on, and who said so last."""

from bridge.store_watch.verdicts import FILE, keep, last_word, read
from bridge.store_watch.watch import StoreWatch

__all__ = ["FILE", "StoreWatch", "keep", "last_word", "read"]
