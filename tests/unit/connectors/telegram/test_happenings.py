"""Updates without a message: reactions, votes, members, deletions, and what is unknown."""

from __future__ import annotations

import pytest

from bridge.canonical.json import Json
from bridge.model import EventKind, Presence, RelationType, Sender, Timer
from connectors.telegram.timers import group_timer, set_by
from connectors.telegram.timers import setting as timer_setting
from connectors.telegram.update import open_update
from tests.unit.connectors.telegram.examples import POLL
from tests.unit.connectors.telegram.payloads import (
    BOT,
    CHAT,
    CLERK,
    DATE,
    DAY,
    GROUP,
    HERE,
    MAYOR,
    NEWS,
    RECORDER,
    SENT_AT,
    UPDATE_ID,
    all_mapped,
    content,
    facts,
    mapped,
    message,
    setting,
    to_message,
    update,
)

THUMB: Json = {"type": "emoji", "emoji": "👍"}
FIRE: Json = {"type": "emoji", "emoji": "🔥"}
OWN: Json = {"type": "custom_emoji", "custom_emoji_id": "5368"}


def reaction(old: Json, new: Json, **fields: Json) -> bytes:
    """A changed reaction to message 9."""
    about: dict[str, Json] = {"chat": HERE, "message_id": 9, "date": DATE, "user": CLERK}
    return update("message_reaction", {**about, "old_reaction": old, "new_reaction": new, **fields})


def member(kind: str, status: str, user: Json = MAYOR, **fields: Json) -> bytes:
    """A changed member."""
    return update(
        kind,
        {
            "chat": HERE,
            "from": CLERK,
            "date": DATE,
            "old_chat_member": {"user": user, "status": "left"},
            "new_chat_member": {"user": user, "status": status, **fields},
        },
    )


def test_reactions() -> None:
    """The body is the key that was added; all that stand now are facts."""
    found = mapped(reaction([THUMB], [THUMB, FIRE]))
    assert (found.kind, found.body, found.sent_at) == (EventKind.REACTION, "🔥", SENT_AT)
    assert found.relates_to == to_message(RelationType.REACTION, 9)
    assert found.sender == Sender(id="5000000042", display_name="Ann Clerk")
    assert (found.upstream_id, found.revision) == (f"update:{UPDATE_ID}", f"u{UPDATE_ID}")
    assert facts(found)["reactions_before"] == "👍"
    assert facts(found)["reactions"] == "👍\n🔥"
    found = mapped(reaction([THUMB], []))
    assert (found.kind, found.body) == (EventKind.REACTION, "")
    found = mapped(reaction([], [OWN, {"type": "paid"}]))
    assert found.body == "custom_emoji:5368\npaid"
    found = mapped(reaction([], [THUMB], user=None, actor_chat=NEWS))
    assert found.sender == Sender(id="-1009", display_name="Town news")


def test_counted_reactions() -> None:
    """Anonymous reactions come as counts, from nobody."""
    about: Json = {
        "chat": HERE,
        "message_id": 9,
        "date": DATE,
        "reactions": [{"type": THUMB, "total_count": 3}, {"type": FIRE, "total_count": 1}],
    }
    found = mapped(update("message_reaction_count", about))
    assert (found.kind, found.body, found.sender) == (EventKind.REACTION, "👍 3\n🔥 1", None)
    assert found.relates_to == to_message(RelationType.REACTION, 9)


def test_polls_and_votes() -> None:
    """A poll's state and its votes come without their chat; the connector knows the message."""
    known = setting(poll_message=f"{CHAT}:8")
    state: Json = {
        **POLL,
        "options": [{"text": "Yes", "voter_count": 2}, {"text": "No", "voter_count": 0}],
        "total_voter_count": 2,
        "is_closed": True,
    }
    raw = update("poll", state)
    found = mapped(raw, known)
    assert (found.kind, found.body) == (EventKind.POLL, "Approve the permit?\nYes (2)\nNo")
    assert found.relates_to == to_message(RelationType.REPLY, 8)
    assert (facts(found)["poll_closed"], facts(found)["poll_voters"]) == ("true", "2")
    assert (found.sent_at, "problem" in facts(found)) == (None, False)
    opened = open_update(raw)
    assert (opened.chat_id, opened.poll_id) == (None, "5411")
    vote: Json = {"poll_id": "5411", "user": CLERK, "option_ids": [0, 2]}
    found = mapped(update("poll_answer", vote), known)
    assert (found.kind, found.body) == (EventKind.POLL_ANSWER, "0\n2")
    assert found.relates_to == to_message(RelationType.REPLY, 8)
    hidden: Json = {"poll_id": "5411", "voter_chat": NEWS, "option_ids": []}
    found = mapped(update("poll_answer", hidden))
    assert (found.body, found.relates_to) == ("", None)
    assert found.sender == Sender(id="-1009", display_name="Town news")
    assert open_update(message(poll=POLL)).poll_id == "5411"


@pytest.mark.parametrize("kind", ["chat_member", "my_chat_member"])
def test_members(kind: str) -> None:
    """A changed member has its new status, and who changed it; no timer removes that."""
    raw = member(kind, "administrator", custom_title="Chair")
    found = mapped(raw, setting(default=DAY))
    assert (found.kind, found.body) == (EventKind.MEMBERSHIP, "administrator: Max: Chair")
    assert found.sender == Sender(id="5000000042", display_name="Ann Clerk")
    assert (found.timer, found.own_timer) == (None, None)
    told = facts(found)
    assert (told["membership"], told["membership_before"]) == ("administrator", "left")
    assert told["subject"] == "43"
    assert facts(mapped(member(kind, "kicked", until_date=DATE)))["until"].startswith("2025-06-15")
    assert "until" not in facts(mapped(member(kind, "kicked", until_date=0)))


def test_asking_to_join() -> None:
    """A request to join is a membership, with what the asker says of himself."""
    asked: Json = {"chat": HERE, "from": MAYOR, "user_chat_id": 43, "date": DATE, "bio": "Mayor"}
    found = mapped(update("chat_join_request", asked))
    assert (found.kind, found.body) == (EventKind.MEMBERSHIP, "requested: Max: Mayor")


PRESENCES: list[tuple[str, Json, dict[str, Json], Presence | None]] = [
    ("creator", CLERK, {}, Presence.JOINED),
    ("administrator", CLERK, {}, Presence.JOINED),
    ("member", CLERK, {}, Presence.JOINED),
    ("restricted", CLERK, {"is_member": True}, Presence.JOINED),
    ("restricted", CLERK, {"is_member": False}, Presence.REMOVED),
    ("left", RECORDER, {}, Presence.LEFT),
    ("left", CLERK, {}, Presence.REMOVED),
    ("kicked", CLERK, {}, Presence.REMOVED),
    ("of tomorrow", CLERK, {}, None),
]


@pytest.mark.parametrize(("status", "by", "fields", "expected"), PRESENCES)
def test_own_presence(
    status: str, by: Json, fields: dict[str, Json], expected: Presence | None
) -> None:
    """What is told of ourselves says where we stand; what is told of others does not."""
    change: Json = {
        "chat": HERE,
        "from": by,
        "date": DATE,
        "new_chat_member": {"user": {"id": BOT}, "status": status, **fields},
    }
    assert open_update(update("my_chat_member", change)).own_presence is expected
    assert open_update(update("chat_member", change)).own_presence is None


def test_deletions_of_business_messages() -> None:
    """Each message that was deleted has an event of its own, whole in its bytes."""
    gone: Json = {"business_connection_id": "bc", "chat": MAYOR, "message_ids": [4, 5, 4, "x"]}
    raw = update("deleted_business_messages", gone)
    found = all_mapped(raw, setting(group_id="business:bc:43"))
    assert [event.kind for event in found] == [EventKind.REDACTION] * 2
    assert [event.relates_to and event.relates_to.upstream_id for event in found] == [
        "business:bc:43:4",
        "business:bc:43:5",
    ]
    assert [event.upstream_id for event in found] == [
        f"update:{UPDATE_ID}:4",
        f"update:{UPDATE_ID}:5",
    ]
    assert facts(found[0]) == {}
    nothing = mapped(update("deleted_business_messages", {"message_ids": 5}))
    assert (nothing.kind, nothing.upstream_id) == (EventKind.REDACTION, f"update:{UPDATE_ID}")


def test_chats_of_others_are_not_ours() -> None:
    """Chats of a business account and of a guest's host share numbers with ours, and no names."""
    business = open_update(update("business_message", content(business_connection_id="bc")))
    assert (business.chat_id, business.upstream_id) == (
        f"business:bc:{CHAT}",
        f"business:bc:{CHAT}:15",
    )
    guest = open_update(update("guest_message", content(guest_query_id="q")))
    assert (guest.chat_id, guest.upstream_id) == (f"guest:{CHAT}", f"guest:{CHAT}:15")
    assert mapped(update("guest_message", content(text="x"))).body == "x"


KNOWN: dict[str, Json] = {
    "business_connection": {"id": "bc", "user": CLERK, "date": DATE},
    "callback_query": {"id": "1", "from": CLERK, "message": content(), "data": "x"},
    "chat_boost": {"chat": HERE, "boost": {"boost_id": "1", "add_date": DATE}},
    "removed_chat_boost": {"chat": HERE, "boost_id": "1", "remove_date": DATE},
    "inline_query": {"id": "1", "from": CLERK, "query": "", "offset": ""},
    "chosen_inline_result": {"result_id": "1", "from": CLERK, "query": ""},
    "managed_bot": {"user": CLERK, "bot": MAYOR},
    "pre_checkout_query": {"id": "1", "from": CLERK},
    "purchased_paid_media": {"from": CLERK, "paid_media_payload": "x"},
    "shipping_query": {"id": "1", "from": CLERK},
}


@pytest.mark.parametrize(("kind", "subject"), KNOWN.items(), ids=KNOWN.keys())
def test_other_updates_are_kept(kind: str, subject: Json) -> None:
    """What says nothing to a reader is a service event that names its chat, if it has one."""
    raw = update(kind, subject)
    found = mapped(raw)
    assert (found.kind, found.body) == (EventKind.SERVICE, None)
    assert (found.upstream_id, found.revision) == (f"update:{UPDATE_ID}", f"u{UPDATE_ID}")
    assert "problem" not in facts(found)
    has_chat = kind in {"callback_query", "chat_boost", "removed_chat_boost"}
    assert open_update(raw).chat_id == (GROUP if has_chat else None)


def test_updates_of_tomorrow() -> None:
    """An unknown kind of update is unknown, and still names its chat, sender and time."""
    raw = update("thing_of_tomorrow", {"chat": HERE, "user": CLERK, "date": DATE, "message_id": 9})
    found = mapped(raw)
    assert (found.kind, found.sent_at) == (EventKind.UNKNOWN, SENT_AT)
    assert found.sender == Sender(id="5000000042", display_name="Ann Clerk")
    assert (found.upstream_id, found.revision) == (f"update:{UPDATE_ID}", f"u{UPDATE_ID}")
    assert found.upstream[0] == ("type", "thing_of_tomorrow")
    assert open_update(raw).chat_id == GROUP


def changed(seconds: Json) -> bytes:
    """A changed auto-delete timer."""
    return message(message_auto_delete_timer_changed={"message_auto_delete_time": seconds})


def test_timers() -> None:
    """A timer that is set runs for what is said from then on; zero ends it."""
    found = set_by(open_update(changed(86_400)))
    assert found is not None
    assert found.timer == DAY
    assert group_timer(GROUP, found).shortest == DAY
    off = set_by(open_update(changed(0)))
    assert off is not None
    assert (off.timer, off.problem) == (None, None)
    assert set_by(open_update(message(text="x"))) is None
    assert timer_setting({}).timer is None
    assert timer_setting({"message_auto_delete_time": 60}).timer == Timer(
        seconds=60.0, basis="message_auto_delete_time"
    )


@pytest.mark.parametrize("seconds", [-1, 1.5, "60", True, 2**62, 2**70, [], {}])
def test_unusable_timers(seconds: Json) -> None:
    """A timer that is none is said to be unusable, and stops nothing."""
    found = mapped(changed(seconds))
    assert (found.kind, found.body) == (EventKind.TIMER, "unusable")
    assert "no usable number" in facts(found)["problem"]
