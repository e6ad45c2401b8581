"""Laying objects out in a folder quickly, as a copy of a store would have them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.archive.memory import MemoryEvidence


def lay_out(root: Path, tenant: str, evidence: MemoryEvidence) -> None:
    """Write the newest version of each object, with the store's time of it."""
    for key, versions in evidence.objects.items():
        path = root / "v1" / tenant / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(versions[-1].body or b"")
        at = versions[-1].modified_at.timestamp()
        os.utime(path, (at, at))
