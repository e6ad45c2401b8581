"""What an archive is, for whoever verifies or breaks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

TENANT = "mydept"
LOG_ORIGIN = "records.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as the store has it. ``key`` is below ``v1/<tenant>/``."""

    key: str
    body: bytes = field(repr=False)
    modified_at: datetime
    retain_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A valid archive: what stands in the store, and what its keeper knows of it.

    ``folder`` is the root of the ``file:`` store, None of an archive in memory. ``notes`` are the
    checkpoints published so far, oldest first; the last stands in the store. ``now`` is when it is
    looked at. ``witnesses`` are the key lines of who signed ``.note`` anchors, ``authority`` the
    PEM certificate of who signed ``.tsr`` anchors.
    """

    folder: Path | None = None
    tenant: str = TENANT
    public_key: str
    signing_key: str = field(repr=False)
    now: datetime
    size: int
    leaves: tuple[bytes, ...] = field(repr=False)
    notes: tuple[bytes, ...] = field(repr=False)
    objects: tuple[Stored, ...] = field(repr=False)
    witnesses: tuple[str, ...] = ()
    witness_signing_keys: tuple[str, ...] = field(default=(), repr=False)
    authority: bytes = field(default=b"", repr=False)

    @property
    def root(self) -> Path:
        """The folder; of an archive that was built into one."""
        if self.folder is None:
            raise RuntimeError("this archive is in memory only")
        return self.folder
