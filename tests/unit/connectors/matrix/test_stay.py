"""Which events of a timeline fall into the recorder's own membership."""

from __future__ import annotations

import pytest

from bridge.canonical.json import Json
from connectors.matrix.stay import is_replayed, own_leaver, own_stay
from tests.unit.connectors.matrix.payloads import CLERK, RECORDER, message, state

IN = "join"


def move(membership: str, *, before: str | None = None, sender: str = CLERK) -> bytes:
    """A membership event of the recorder's."""
    unsigned: dict[str, Json] = {}
    if before is not None:
        unsigned["prev_content"] = {"membership": before}
    return state(
        "m.room.member", {"membership": membership}, RECORDER, unsigned=unsigned, sender=sender
    )


LETTERS = {
    ".": message("something"),
    "j": move("join", before="invite"),
    "J": move("join"),
    "n": move("join", before="join"),
    "i": move("invite"),
    "l": move("leave", before="join"),
    "b": move("ban"),
    "o": state("m.room.member", {"membership": "join"}, CLERK),
    "f": message("m.room.member of @recorder:town.example"),
}


@pytest.mark.parametrize(
    ("timeline", "ours", "begins_within"),
    [
        ("", "", False),
        ("...", "+++", False),
        ("..j..", "--+++", True),
        ("..J..", "--+++", True),
        ("..in..", "++++++", False),
        (".j.n.", "-++++", True),
        (".j.l.ij.", "------++", True),
        (".l.", "+++", False),
        (".of.", "++++", False),
    ],
)
def test_of_a_new_group(timeline: str, ours: str, begins_within: bool) -> None:  # noqa: FBT001
    """What follows the latest join is ours; without one in sight, everything."""
    check(timeline, ours, is_new=True, begins_within=begins_within)


@pytest.mark.parametrize(
    ("timeline", "ours", "begins_within"),
    [
        ("...", "+++", False),
        (".n.", "+++", False),
        ("..l", "+++", False),
        ("..b.", "+++-", False),
        ("..l.ij.", "+++--++", False),
        ("..ij..", "---+++", True),
        (".j.l..j.", "-+++--++", True),
    ],
)
def test_of_a_recorded_group(timeline: str, ours: str, begins_within: bool) -> None:  # noqa: FBT001
    """Up to the end of our membership, and again from the next join on."""
    check(timeline, ours, is_new=False, begins_within=begins_within)


def check(timeline: str, ours: str, *, is_new: bool, begins_within: bool) -> None:
    """Compare a stay, drawn with one letter for each event."""
    stay = own_stay(tuple(LETTERS[letter] for letter in timeline), RECORDER, is_new=is_new)
    assert "".join("+" if each else "-" for each in stay.ours) == ours
    assert stay.begins_within is begins_within


def test_who_put_us_out() -> None:
    """The sender of the last event that ended our membership."""
    events = (move("leave", sender=RECORDER), move("join"), move("ban"), message("x"))
    assert own_leaver(events, RECORDER) == CLERK
    assert own_leaver(events[:2], RECORDER) == RECORDER
    assert own_leaver((), RECORDER) is None


def test_a_join_that_is_known() -> None:
    """The first join of ours counts as delivered again if it is the one we know, by its id."""
    join, later = LETTERS["j"], move("join", before="leave").replace(b"$first", b"$later")
    assert is_replayed((message("x"), join, later), RECORDER, join)
    assert not is_replayed((later, join), RECORDER, join)
    assert not is_replayed((join,), RECORDER, None)
    assert not is_replayed((message("x"),), RECORDER, join)
    assert not is_replayed((), RECORDER, b"no event")
