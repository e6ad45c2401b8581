"""What is put, and what is kept until then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.model.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """Record bytes as fixed in the journal, their digest, and their key below ``v1/<tenant>/``."""

    body: bytes = field(repr=False)
    digest: Digest
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledFile:
    """A file in the spool. ``size`` in bytes and ``digest`` are of the clear bytes."""

    name: str
    size: int
    digest: Digest
    sniffed_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReceipt:
    """What the store said of an object: proof that it is there, not that it was us."""

    key: str
    digest: Digest
    retain_until: datetime | None = None
    existed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object as the store lists or heads it. ``digest`` is the one kept with it, if any."""

    key: str
    size: int
    modified_at: datetime
    digest: Digest | None = None
    retain_until: datetime | None = None
