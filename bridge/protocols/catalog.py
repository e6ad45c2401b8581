"""The index by which people find records: derived from the store, rebuilt from it, no evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.keys import filed_at
from bridge.model import EventKind, Outcome, RelationType
from bridge.query import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedReason:
    """Why, as the manifest says it. The span is in ``body``, and only of what is kept."""

    code: str
    rule: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMedium:
    """An attachment as its record names it. Without ``sha256`` it had not come when sealed."""

    i: int
    object: str | None = None
    sha256: str | None = None
    size: int | None = None
    declared_type: str | None = None
    sniffed_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRelation:
    """What an event refers to; ``n`` where that stands in the same stream."""

    type: RelationType
    upstream_id: str
    n: int | None = None


MessageId = tuple[str, str]
"""A group's gid and the platform's id of a message in it."""

PARTS = frozenset(
    {RelationType.EDIT, RelationType.MEDIA, RelationType.DECRYPTED, RelationType.RESCUED}
)
"""What refers so to a message is a version or a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An event as the catalog lists it.

    ``key`` and what follows it stand only for what is kept, since only that is in the store.
    ``damaged``: the object does not have the digest that the manifest names, or is missing; then
    only what the manifest says is here. ``part`` orders manifest rows: the newest holds.
    ``root_id``: of what is a part of a version the message that this is a version of, where a
    catalog gave it.
    """

    gid: str
    group_id: str
    group_name: str | None
    stream: str
    n: int
    leaf: int
    part: int
    day: str
    outcome: Outcome
    reasons: tuple[ListedReason, ...]
    score: float
    policy: str
    model: str
    context: tuple[int, ...] = ()
    sent_at: datetime | None = None
    key: str | None = None
    sha256: str | None = None
    damaged: bool = False
    platform: str = ""
    observed_at: datetime | None = None
    kind: EventKind | None = None
    upstream_id: str | None = None
    revision: str | None = None
    sender_id: str | None = None
    sender_name: str | None = None
    body: str | None = field(default=None, repr=False)
    relates_to: ListedRelation | None = None
    root_id: str | None = None
    media: tuple[ListedMedium, ...] = ()
    method: str | None = None
    timer_seconds: float | None = None
    roster: int | None = None

    @property
    def message(self) -> MessageId | None:
        """The message that it is, or is a version or a part of; None of what is not kept."""
        relation = self.relates_to
        if relation is not None and relation.type in PARTS:
            return self.gid, self.root_id or relation.upstream_id
        return None if self.upstream_id is None else (self.gid, self.upstream_id)

    @property
    def at(self) -> datetime | None:
        """When it was said, as far as that can be believed: the time its key is made of."""
        if self.observed_at is None:
            return self.sent_at
        return filed_at(sent_at=self.sent_at, observed_at=self.observed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAct:
    """An act as the store has it. ``subject`` is the gid or stream it is about, where it says."""

    key: str
    kind: str
    at: datetime
    by: str
    subject: str | None
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for. Every condition that is given must hold; none means everything.

    Times are ``since`` <= said < ``until``. ``before`` is where the last page ended, also where
    ``oldest`` asks for the oldest first and what follows is later. ``markings`` are as they stand
    in the text; case and what joins their words do not matter. ``restricted``: of what is under
    review only what stands nowhere in the store. ``passed_over``: messages that are not found,
    nor any version or part of them, whatever they hold.
    """

    words: Query | None = None
    gids: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    kinds: tuple[EventKind, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    codes: tuple[str, ...] = ()
    markings: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    sha256: str | None = None
    restricted: bool = False
    passed_over: tuple[MessageId, ...] = field(default=(), repr=False)
    oldest: bool = False
    before: int | None = None
    limit: int = 50

    @property
    def asks_what_was_said(self) -> bool:
        """Whether being found tells something of what a message says or has with it."""
        said = (self.words, self.codes, self.markings, self.media_types, self.sha256)
        return any(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found, in the order asked for. ``total`` counts up to ``COUNTED``.

    ``following`` goes into the next search as ``before``; None: this is the last page.
    """

    listings: tuple[Listing, ...]
    total: int
    following: int | None = None


COUNTED = 1000
"""What is found is counted up to here; one more means "more than"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """A group as the catalog knows it, and what it holds of it."""

    gid: str
    platform: str
    group_id: str
    name: str | None
    captured: int
    review: int
    discarded: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """How many events of one day had which outcome, in one group."""

    gid: str
    day: str
    captured: int
    review: int
    discarded: int


class Catalog(Protocol):
    """Reading. Raises only :class:`bridge.errors.CatalogError`. May lag behind the store."""

    async def search(self, search: Search) -> Found:
        """What fits, newest first; the oldest first where the search says so."""

    async def day(self, gid: str, day: str) -> tuple[Listing, ...]:
        """A group's day, ``YYYY-MM-DD`` of its keys, in the order in which things were said."""

    async def by_stem(self, stem: str) -> Listing | None:
        """The event whose record has this stem."""

    async def numbered(self, stream: str, numbers: Sequence[int]) -> tuple[Listing, ...]:
        """Events of a stream by their numbers, in order; unknown numbers are left out."""

    async def about(self, stream: str, upstream_id: str) -> tuple[Listing, ...]:
        """All that happened to a message: itself, its versions, and what refers to it."""

    async def around(self, listing: Listing, *, before: int, after: int) -> tuple[Listing, ...]:
        """What stands around an event in its group, itself among it, in order."""

    async def beside(self, listings: Sequence[Listing]) -> tuple[tuple[Listing, ...], ...]:
        """For each of these: the one before it in its group, itself, and the one after it."""

    async def groups(self) -> tuple[ListedGroup, ...]:
        """Every group of which anything is listed, by name."""

    async def days(self, gid: str | None = None) -> tuple[DayCount, ...]:
        """Counts by group and day, in order of days."""

    async def persons(self, begins: str, *, limit: int) -> tuple[tuple[str, str], ...]:
        """Ids and latest display names of senders, of whom either begins so."""

    async def acts(self, *, kind: str | None = None, limit: int) -> tuple[ListedAct, ...]:
        """Acts, newest first."""

    async def aclose(self) -> None:
        """Close the file."""


class CatalogWriter(Protocol):
    """Writing. One writer. Raises only :class:`bridge.errors.CatalogError`."""

    async def has_taken(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these manifest parts and acts are listed already."""

    async def take(
        self, key: str, *, listings: Sequence[Listing] = (), act: ListedAct | None = None
    ) -> None:
        """List what one manifest part or act says, in one transaction. Repeating it is safe.

        Of two rows for one event the one of the higher part holds, in whatever order they come.
        """

    async def aclose(self) -> None:
        """Finish what was begun and close the file."""
