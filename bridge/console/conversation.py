"""A day's events as a conversation: what happened to a message stands with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.model import RelationType
from bridge.protocols.catalog import Listing

_WITH_ITS_MESSAGE = frozenset(
    {
        RelationType.EDIT,
        RelationType.REDACTION,
        RelationType.REACTION,
        RelationType.DECRYPTED,
        RelationType.RESCUED,
        RelationType.MEDIA,
    }
)


@dataclass(slots=True)
class Reaction:
    """One sign, and all who gave it."""

    sign: str
    given: list[Listing] = field(default_factory=list)


@dataclass(slots=True)
class Turn:
    """A message, and in order what happened to it: versions, removal, what came late."""

    listing: Listing
    later: list[Listing] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)

    def react(self, listing: Listing) -> None:
        """Collect a reaction with those of the same sign."""
        sign = listing.body or ""
        for each in self.reactions:
            if each.sign == sign:
                each.given.append(listing)
                return
        self.reactions.append(Reaction(sign, [listing]))

    def numbers(self) -> set[int]:
        """The numbers of all that is shown with it."""
        reactions = [each.n for reaction in self.reactions for each in reaction.given]
        return {self.listing.n, *(each.n for each in self.later), *reactions}


def arranged(listings: Sequence[Listing]) -> list[Turn]:
    """The events, in their order. What refers to a message that is not among them stands alone."""
    turns: list[Turn] = []
    homes: dict[tuple[str, int | str], Turn] = {}
    for listing in listings:
        turn = _home(listing, homes)
        if turn is None:
            turn = Turn(listing)
            turns.append(turn)
        elif listing.relates_to and listing.relates_to.type is RelationType.REACTION:
            turn.react(listing)
        else:
            turn.later.append(listing)
        homes.setdefault((listing.stream, listing.n), turn)
        if listing.upstream_id is not None:
            homes.setdefault((listing.stream, listing.upstream_id), turn)
    return turns


def _home(listing: Listing, homes: dict[tuple[str, int | str], Turn]) -> Turn | None:
    """Where what it refers to stands, if that stands before it."""
    relation = listing.relates_to
    if relation is None or relation.type not in _WITH_ITS_MESSAGE:
        return None
    if relation.n is not None:
        return homes.get((listing.stream, relation.n))
    return homes.get((listing.stream, relation.upstream_id))
