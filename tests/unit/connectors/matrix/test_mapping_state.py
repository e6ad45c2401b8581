"""State, ciphertext, calls and what was removed: the kinds beside messages."""

from __future__ import annotations

import pytest

from bridge.canonical.json import Json
from bridge.model import EventKind, RelationType
from connectors.matrix.mapping import REDACTED
from tests.unit.connectors.matrix.payloads import (
    CLERK,
    event,
    facts,
    mapped,
    related,
    state,
    to_target,
)


def test_membership() -> None:
    """A membership names its subject, and its reason where one is given."""
    found = mapped(state("m.room.member", {"membership": "join"}, CLERK))
    assert (found.kind, found.body) == (EventKind.MEMBERSHIP, "join")
    assert facts(found) == {"membership": "join", "subject": CLERK, "state_key": CLERK}
    found = mapped(state("m.room.member", {"membership": "ban", "reason": "spam"}, CLERK))
    assert found.body == "ban: spam"
    before: Json = {"prev_content": {"membership": "join", "displayname": "Clerk"}}
    found = mapped(state("m.room.member", {"membership": "join"}, CLERK, unsigned=before))
    assert facts(found)["membership_before"] == "join"


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("name", {"name": "Permits"}, "Permits"),
        ("topic", {"topic": "Building"}, "Building"),
        ("avatar", {"url": "mxc://x/6"}, "mxc://x/6"),
        ("tombstone", {"body": "moved", "replacement_room": "!new:x"}, "moved"),
        ("create", {"room_version": "12"}, "12"),
        ("canonical_alias", {"alias": "#permits:x"}, "#permits:x"),
        ("join_rules", {"join_rule": "invite"}, "invite"),
        ("history_visibility", {"history_visibility": "joined"}, "joined"),
        ("guest_access", {"guest_access": "forbidden"}, "forbidden"),
        ("encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, "m.megolm.v1.aes-sha2"),
        ("power_levels", {"users": {}}, None),
        ("server_acl", {"allow": ["*"]}, None),
    ],
)
def test_the_group_itself(kind: str, content: Json, body: str | None) -> None:
    """State of the room is of kind group; sent as a mere message it is unknown."""
    found = mapped(state(f"m.room.{kind}", content))
    assert (found.kind, found.body, found.timer) == (EventKind.GROUP, body, None)
    assert facts(found)["state_key"] == ""
    assert mapped(event(f"m.room.{kind}", content)).kind is EventKind.UNKNOWN


def test_an_upgrade_names_the_successor() -> None:
    """The room that replaces this one is kept as a fact."""
    found = mapped(state("m.room.tombstone", {"replacement_room": "!new:x"}))
    assert facts(found)["successor"] == "!new:x"


def test_pins() -> None:
    """Pinned events stand one a line."""
    found = mapped(state("m.room.pinned_events", {"pinned": ["$a", "$b"]}))
    assert (found.kind, found.body) == (EventKind.PIN, "$a\n$b")


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("m.room.retention", {"max_lifetime": 30_000}, "30 s"),
        ("m.room.retention", {"max_lifetime": 1500}, "1.5 s"),
        ("m.room.retention", {}, "off"),
        ("m.room.retention", {"max_lifetime": "x"}, "unusable"),
        ("com.beeper.disappearing_timer", {"type": "after_read", "timer": 86_400_000}, "86400 s"),
        ("com.beeper.disappearing_timer", {}, "off"),
    ],
)
def test_timer_changes(kind: str, content: Json, body: str) -> None:
    """A change of the timer reads as its length; state itself has no timer."""
    found = mapped(state(kind, content), default_retention=60)
    assert (found.kind, found.body, found.timer) == (EventKind.TIMER, body, None)


def test_encrypted_events() -> None:
    """Ciphertext keeps what stands beside it in clear."""
    content: Json = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "session_id": "S",
        "device_id": "D",
        "ciphertext": "AwgA",
        "m.relates_to": related("m.thread"),
    }
    found = mapped(event("m.room.encrypted", content))
    assert (found.kind, found.body) == (EventKind.ENCRYPTED, None)
    assert found.relates_to == to_target(RelationType.THREAD)
    expected = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "S", "device_id": "D"}
    assert facts(found) == expected


@pytest.mark.parametrize("kind", ["m.call.invite", "org.matrix.msc3401.call.member"])
def test_calls(kind: str) -> None:
    """Signals of calls are of kind call, complete or not."""
    assert mapped(event(kind, {})).kind is EventKind.CALL


@pytest.mark.parametrize("kind", ["org.example.ballot", "m.room.member", "m.space.child"])
def test_everything_else_is_unknown(kind: str) -> None:
    """An unknown type is kept, with its body if it has one."""
    found = mapped(event(kind, {"body": "Readable"}))
    assert (found.kind, found.body) == (EventKind.UNKNOWN, "Readable")


@pytest.mark.parametrize(
    ("kind", "mapped_kind"),
    [("m.room.message", EventKind.MESSAGE), ("m.room.encrypted", EventKind.ENCRYPTED)],
)
def test_redacted_before_delivery(kind: str, mapped_kind: EventKind) -> None:
    """An event whose content was removed keeps its kind and says what is missing."""
    found = mapped(event(kind, {}, unsigned={"redacted_because": {"event_id": "$r"}}))
    assert (found.kind, found.body, found.missing) == (mapped_kind, None, REDACTED)
    assert mapped(event(kind, {})).missing is None
