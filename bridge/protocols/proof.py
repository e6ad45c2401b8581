"""What the log proves of one record: its leaves, who signed them, who else testified."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bridge.protocols.evidence import StoredVersion


class Standing(StrEnum):
    """What can be said of an object."""

    PROVED = "proved"
    """Its bytes are those that were logged, under a checkpoint that the log's key signed."""

    UNLOGGED = "unlogged"
    """No leaf names it yet. Of what was stored seconds ago that is in order."""

    UNPROVED = "unproved"
    """Something does not fit: the object, its leaves, or the checkpoint; or it is gone in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafProof:
    """The proof of one leaf. ``kind`` is ``seen`` or ``stored``; ``line`` the leaf itself.

    ``body`` is a C2SP ``.tlog-proof`` file, which can be checked without us.
    """

    kind: str
    leaf: int
    line: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What somebody outside says of a checkpoint of ``size`` leaves that covers the record.

    ``kind`` is ``witness`` or ``timestamp``. ``is_checked``: its signature was verified with a key
    that this console was given. ``fault``: in words, why it testifies nothing; else empty.
    """

    kind: str
    who: str
    at: datetime
    size: int
    is_checked: bool
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A finding of the verification in one sentence, with its code (``docs/formats.md``)."""

    code: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found of the record under ``key``, when it was asked.

    ``digest`` and ``retain_until`` are those of its ``stored`` leaf; ``place`` is the digest of
    its key there. ``size``, ``root`` and ``signers`` are of the checkpoint, ``newest_at`` is the
    time of its last leaf. ``unread``: attachments too large to be read for a page; they are
    checked while they are downloaded.
    """

    key: str
    standing: Standing
    origin: str
    store: str
    digest: str | None = None
    place: str | None = None
    retain_until: datetime | None = None
    stored_at: datetime | None = None
    size: int | None = None
    root: str | None = None
    signers: tuple[str, ...] = ()
    newest_at: datetime | None = None
    leaves: tuple[LeafProof, ...] = ()
    testimonies: tuple[Testimony, ...] = ()
    findings: tuple[Remark, ...] = ()
    told: tuple[Remark, ...] = ()
    unread: tuple[str, ...] = ()

    def leaf(self, kind: str) -> LeafProof | None:
        """The proof of the leaf of this kind."""
        return next((each for each in self.leaves if each.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A checkpoint under which many records are to be proved.

    ``read`` keeps pieces of the log, ``days`` what stood in the folders of days: whoever proves
    fills both, and leaves nothing in them that could be mistaken for bytes that were checked.
    """

    checkpoint: bytes = field(repr=False)
    read: dict[str, bytes] = field(default_factory=dict, repr=False)
    days: dict[str, dict[str, list[StoredVersion]]] = field(default_factory=dict, repr=False)


class Proofs(Protocol):
    """Proves records of one store. Raises only :class:`bridge.errors.ObjectStoreError`."""

    async def verifier(self) -> str:
        """The log's verifier keys as foreign tools read them, one on a line."""

    async def of(self, key: str, *, near: int = 0, pin: Pin | None = None) -> Proof:
        """What the log proves of the record under ``key``, which is below ``v1/<tenant>/``.

        ``near``: the leaf from which on its leaves are looked for first; a wrong one costs time
        and changes nothing. With ``pin`` under that checkpoint, and without testimonies.
        """

    async def pin(self) -> Pin | None:
        """The checkpoint that stands now; None where there is none."""

    async def aclose(self) -> None:
        """Give up connections."""
