"""Which keys a store takes, and where they stand below the tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.keys import absolute

LONGEST_KEY = 512
_KEY = re.compile(r"[a-z0-9._-]+(?:/[a-z0-9._-]+)*")
_PREFIX = re.compile(r"(?:[a-z0-9._-]+/)*[a-z0-9._-]*")
_TENANT = re.compile(r"[a-z0-9._-]+")
_DOTS = frozenset({".", ".."})


def _accepted(pattern: re.Pattern[str], text: str) -> bool:
    fits = pattern.fullmatch(text) is not None and len(text) <= LONGEST_KEY
    return fits and _DOTS.isdisjoint(text.split("/"))


@dataclass(frozen=True, slots=True)
class TenantNames:
    """Keys of one tenant, and the names the store has for them."""

    tenant: str

    def __post_init__(self) -> None:
        if not _accepted(_TENANT, self.tenant):
            raise ValueError(f"a tenant's name has only [a-z0-9._-], got {self.tenant!r}")

    @property
    def base(self) -> str:
        """What stands before every key of the tenant."""
        return absolute(self.tenant, "")

    def of_key(self, key: str) -> str:
        """The name of ``key`` from ``v1/`` on. MUST refuse a key that could leave the tenant.

        Raises:
            ValueError: our own code made a key outside the format.
        """
        if not _accepted(_KEY, key):
            raise ValueError(f"a key has only [a-z0-9./_-] and no dot segments, got {key!r}")
        return absolute(self.tenant, key)

    def of_prefix(self, prefix: str) -> str:
        """The beginning of names of keys that start with ``prefix``, which may be empty.

        Raises:
            ValueError: no key can start like this.
        """
        if not _accepted(_PREFIX, prefix):
            raise ValueError(f"a prefix has only [a-z0-9./_-] and no dot segments, got {prefix!r}")
        return absolute(self.tenant, prefix)

    def key_of(self, name: str) -> str:
        """The key of a name."""
        return name.removeprefix(self.base)
