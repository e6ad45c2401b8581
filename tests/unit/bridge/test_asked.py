"""What a message asks of the recorder."""

from __future__ import annotations

import pytest

from bridge.asked import Ask, asked, target_of
from bridge.model import CaptureMethod, Event, EventKind, Relation, RelationType
from tests.fakes.samples import event

REPLY = Relation(type=RelationType.REPLY, upstream_id="$target")
REACTION = Relation(type=RelationType.REACTION, upstream_id="$target")


@pytest.mark.parametrize(
    ("body", "ask"),
    [
        ("!record keep", Ask.KEEP),
        ("  !RECORD  Keep please", Ask.KEEP),
        ("!record why", Ask.WHY),
        ("!record status", Ask.STATUS),
        ("!record help", Ask.HELP),
        ("!record", Ask.HELP),
        ("!record discard", Ask.UNKNOWN),
        ("!record delete", Ask.UNKNOWN),
        ("!recorder keep", None),
        ("please !record keep", None),
        ("the record", None),
        ("", None),
        ("> !record keep", None),
        ("> <@bo:example.org> see you\n\n!record why", None),
    ],
)
def test_the_first_words_count(body: str, ask: Ask | None) -> None:
    """A command begins the message; nothing of the kind can discard."""
    assert asked(event(body=body)) is ask


def test_quoted_lines_above_a_reply_do_not_count() -> None:
    """Some clients put what is answered above the answer."""
    quoted = "> <@bo:example.org> see you\n> at 3\n\n!record why"
    assert asked(event(body=quoted, relates_to=REPLY)) is Ask.WHY
    assert asked(event(body="> a\n\n", relates_to=REPLY)) is None


@pytest.mark.parametrize("body", ["📌", "📌\ufe0f", "👍\n📌"])
def test_a_pin_keeps(body: str) -> None:
    """A reaction with a pin, in either style, among others too."""
    assert asked(event(kind=EventKind.REACTION, body=body, relates_to=REACTION)) is Ask.PIN


@pytest.mark.parametrize(
    "silent",
    [
        event(kind=EventKind.REACTION, body="👍", relates_to=REACTION),
        event(kind=EventKind.REACTION, body="📌 3", relates_to=REACTION),
        event(kind=EventKind.REACTION, body="📌"),
        event(kind=EventKind.REACTION, body="📌", relates_to=REACTION, sender=None),
        event(kind=EventKind.EDIT, body="!record keep", relates_to=REPLY),
        event(kind=EventKind.NOTICE, body="!record help"),
        event(body="!record keep", sender=None),
        event(body="!record keep", method=CaptureMethod.IMPORT),
        event(body=None),
        event(body="📌"),
    ],
)
def test_what_asks_nothing(silent: Event) -> None:
    """Counts, edits, notices, and what nobody is known to have sent."""
    assert asked(silent) is None


def test_the_target_is_what_is_answered() -> None:
    """A thread alone means no message of it."""
    assert target_of(event(relates_to=REPLY)) == "$target"
    assert target_of(event()) is None
    thread = Relation(type=RelationType.THREAD, upstream_id="$root")
    assert target_of(event(relates_to=thread)) is None
