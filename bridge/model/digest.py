"""Digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A digest with its algorithm, so that bytes never travel without saying what they are."""

    algorithm: str = "sha256"
    value: bytes

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """SHA-256 of ``data``."""
        return cls(value=hashlib.sha256(data).digest())

    @property
    def hex(self) -> str:
        """Lower-case hex, as every format writes it."""
        return self.value.hex()
