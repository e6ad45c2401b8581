"""Each kind of message becomes the kind, text and relation that the record format names."""

from __future__ import annotations

import pytest

from bridge.canonical.json import Json
from bridge.deadlines import LASTING
from bridge.model import Attachment, Event, EventKind, RelationType, Sender
from connectors.telegram.media import PREVIEW, file_names, file_url
from connectors.telegram.update import open_update
from tests.unit.connectors.telegram.examples import CONTENT, PHOTO, POLL, SERVICE, Example, file
from tests.unit.connectors.telegram.payloads import (
    CHAT,
    CLERK,
    DATE,
    DAY,
    GROUP,
    MAYOR,
    NEWS,
    RECORDER,
    SEEN_AT,
    SENT_AT,
    UPDATE_ID,
    content,
    facts,
    mapped,
    message,
    setting,
    to_message,
    update,
)

EXAMPLES = CONTENT | SERVICE
ANN = Sender(id="5000000042", display_name="Ann Clerk")


def address(name: str) -> str:
    """Where the connector fetches an example's file."""
    return file_url(f"id-{name}", f"unique-{name}")


def test_a_text_message_whole() -> None:
    """Every field of a plain message is mapped."""
    raw = message(text="The permit is granted.")
    found = mapped(raw, setting(default=DAY))
    assert found == Event(
        group_id=GROUP,
        upstream_id=f"{CHAT}:15",
        kind=EventKind.MESSAGE,
        sender=ANN,
        sent_at=SENT_AT,
        observed_at=SEEN_AT,
        body="The permit is granted.",
        timer=DAY,
        own_timer=DAY,
        upstream=(
            ("type", "message"),
            ("update_id", str(UPDATE_ID)),
            ("username", "clerk"),
            ("content", "text"),
        ),
        raw=raw,
    )


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
@pytest.mark.parametrize("kind", ["message", "channel_post", "business_message"])
def test_each_content(example: Example, kind: str) -> None:
    """Each content has its kind and text wherever it was said; unknown fields change nothing."""
    fields, expected, body = example
    found = mapped(update(kind, content(**fields)), setting(default=DAY))
    assert (found.kind, found.body) == (expected, body)
    assert facts(found)["content"] in fields
    assert "problem" not in facts(found)
    assert found.revision is None
    assert (found.timer is None) == (expected in LASTING)
    strange = mapped(update(kind, content(**fields, of_tomorrow={"a": [1]}), tomorrow=None))
    assert (strange.kind, strange.body) == (expected, body)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
@pytest.mark.parametrize(
    "kind", ["edited_message", "edited_channel_post", "edited_business_message"]
)
def test_each_edit(example: Example, kind: str) -> None:
    """An edit is a revision of the message it edits, with the new content."""
    fields, _, body = example
    found = mapped(update(kind, content(**fields, edit_date=DATE + 60)))
    assert (found.kind, found.body, found.sent_at) == (EventKind.EDIT, body, SENT_AT)
    assert found.relates_to == to_message(RelationType.EDIT, 15)
    assert (found.upstream_id, found.revision) == (f"{CHAT}:15", f"u{UPDATE_ID}")
    assert facts(found)["edited_at"] == "2025-06-15T15:07:40.000Z"


ATTACHED = {
    "photo": ["large"],
    "photo without caption": ["large"],
    "animation": ["gif"],
    "live photo": ["live", "large"],
    "document": ["doc"],
    "video": ["video"],
    "audio": ["audio"],
    "voice": ["voice"],
    "video note": ["note"],
    "paid media": ["large", "paid"],
    "sticker": ["sticker"],
    "game": ["large"],
    "picture": ["large"],
}


@pytest.mark.parametrize("name", EXAMPLES.keys())
def test_each_file(name: str) -> None:
    """Every file is offered once, of a photo the largest size; copies in other places are not."""
    found = mapped(message(**EXAMPLES[name][0]))
    assert [each.url for each in found.attachments] == [
        address(each) for each in ATTACHED.get(name, [])
    ]


def test_a_document_whole() -> None:
    """A file has its name, type and size as declared, and both its ids."""
    whole = file("doc", file_name="plan.pdf", mime_type="application/pdf", file_size=25_000_000)
    found = mapped(message(document=whole, media_group_id="13"))
    assert found.attachments == (
        Attachment(
            url=address("doc"),
            name="plan.pdf",
            declared_type="application/pdf",
            size=25_000_000,
        ),
    )
    assert file_names(found.attachments[0].url) == ("id-doc", "unique-doc")
    assert facts(found)["media_group"] == "13"


@pytest.mark.parametrize("size", [-1, 2**53, "4", 1.5, None, True, 10**30])
def test_odd_sizes_are_left_out(size: Json) -> None:
    """A size that canonical JSON cannot carry as a whole number is none."""
    found = mapped(message(document=file("doc", file_size=size)))
    assert found.attachments[0].size is None


def test_what_was_not_paid_for_is_missing() -> None:
    """The preview of a paid medium is a known loss."""
    paid: Json = {"star_count": 1, "paid_media": [{"type": "preview", "width": 9}]}
    found = mapped(message(paid_media=paid))
    assert (found.kind, found.attachments, found.missing) == (EventKind.MESSAGE, (), PREVIEW)


def test_files_of_polls() -> None:
    """Media of a poll, its options and its explanation are fetched."""
    poll: Json = {
        "id": "1",
        "media": {"photo": PHOTO},
        "explanation_media": {"video": file("why")},
        "options": [{"text": "a", "media": {"document": file("a")}}],
    }
    found = mapped(message(poll=poll))
    assert {each.url for each in found.attachments} == set(map(address, ("large", "why", "a")))


def test_unknown_content() -> None:
    """A content of tomorrow is kept as unknown, with its caption, its name and its file."""
    hologram: Json = {"hologram": file("hologram"), "depth": 3, "caption": "Behold"}
    assert isinstance(hologram, dict)
    found = mapped(message(**hologram))
    assert (found.kind, found.body) == (EventKind.UNKNOWN, "Behold")
    assert facts(found)["content"] == "hologram depth"
    assert [each.url for each in found.attachments] == [address("hologram")]
    found = mapped(message())
    assert (found.kind, found.body) == (EventKind.UNKNOWN, None)


def test_replies_and_topics() -> None:
    """A reply names what it answers and its topic; a message of a topic belongs to its root."""
    root = content(message_id=3, forum_topic_created={"name": "Roads", "icon_color": 1})
    answered: Json = content(message_id=9, text="May I?")
    within: dict[str, Json] = {"text": "Yes", "message_thread_id": 3, "is_topic_message": True}
    found = mapped(message(text="Yes", reply_to_message=answered))
    assert found.relates_to == to_message(RelationType.REPLY, 9)
    assert "thread" not in facts(found)
    for more in ({"reply_to_message": root}, {}):
        found = mapped(message(**within, **more))
        assert found.relates_to == to_message(RelationType.THREAD, 3)
    found = mapped(message(**within, reply_to_message=answered))
    assert found.relates_to == to_message(RelationType.REPLY, 9)
    assert facts(found)["thread"] == f"{CHAT}:3"
    comment = mapped(
        message(text="Yes", message_thread_id=3, reply_to_message=content(message_id=3, text="x"))
    )
    assert comment.relates_to == to_message(RelationType.REPLY, 3)


def test_edits_name_what_they_answer() -> None:
    """An edit relates to its message, and what that answers is a fact."""
    fields = content(text="No", reply_to_message=content(message_id=9))
    found = mapped(update("edited_message", fields))
    assert found.relates_to == to_message(RelationType.EDIT, 15)
    assert facts(found)["reply_to"] == f"{CHAT}:9"
    found = mapped(update("edited_message", content(text="No", message_thread_id=3)))
    assert facts(found)["thread"] == f"{CHAT}:3"


def test_quotes_from_elsewhere() -> None:
    """A quote of a message in another chat has its words, its author and its address."""
    origin: Json = {"type": "channel", "chat": NEWS, "message_id": 77, "date": DATE}
    found = mapped(
        message(
            text="Is this so?",
            external_reply={"origin": origin, "chat": NEWS, "message_id": 77, "photo": PHOTO},
            quote={"text": "Roads close", "position": 4, "is_manual": True},
        )
    )
    assert found.relates_to == to_message(RelationType.REPLY, 77, -1_009)
    assert found.attachments == ()
    told = facts(found)
    assert (told["quote"], told["reply_name"]) == ("Roads close", "Town news")
    assert told["reply_message"] == "-1009:77"
    hidden: Json = {"type": "hidden_user", "sender_user_name": "Someone", "date": DATE}
    found = mapped(message(text="?", external_reply={"origin": hidden}))
    assert (found.relates_to, facts(found)["reply_name"]) == (None, "Someone")
    found = mapped(message(text="?", reply_to_story={"chat": NEWS, "id": 2}))
    assert facts(found)["reply_to_story"] == "-1009:2"


ORIGINS: list[tuple[dict[str, Json], str | None, str | None]] = [
    ({"type": "user", "sender_user": CLERK}, "5000000042", "Ann Clerk"),
    ({"type": "hidden_user", "sender_user_name": "Someone"}, None, "Someone"),
    ({"type": "chat", "sender_chat": NEWS, "author_signature": "Ed"}, "-1009", "Town news"),
    ({"type": "channel", "chat": NEWS, "message_id": 5}, "-1009", "Town news"),
    ({"type": "of tomorrow"}, None, None),
]


@pytest.mark.parametrize(("origin", "number", "name"), ORIGINS)
def test_forwards(origin: dict[str, Json], number: str | None, name: str | None) -> None:
    """A forwarded message says whose it was, as far as its author allows."""
    found = mapped(message(text="x", forward_origin={**origin, "date": DATE}))
    told = facts(found)
    assert found.sender == ANN
    assert told["forward_origin"] == origin["type"]
    assert told["forward_date"] == "2025-06-15T15:06:40.000Z"
    assert (told.get("forward_id"), told.get("forward_name")) == (number, name)
    assert told.get("forward_message") == ("-1009:5" if "message_id" in origin else None)


def test_senders() -> None:
    """Users, bots, deleted accounts, administrators behind the group, channels and nobody."""
    here: Json = {"id": CHAT, "title": "Permits", "type": "supergroup"}
    found = mapped(message(text="x", sender_chat=here, author_signature="Chair"))
    assert found.sender == Sender(id=GROUP, display_name="Permits")
    assert facts(found)["sender_type"] == "anonymous_admin"
    assert facts(found)["author_signature"] == "Chair"
    found = mapped(message(text="x", sender_chat=NEWS))
    assert found.sender == Sender(id="-1009", display_name="Town news")
    assert facts(found)["sender_type"] == "channel"
    deleted: Json = {"id": 77, "is_bot": False, "first_name": ""}
    found = mapped(message(text="x", **{"from": deleted}))
    assert (found.sender, facts(found)["sender_type"]) == (Sender(id="77"), "deleted")
    found = mapped(message(text="x", via_bot={"id": 9, "is_bot": True}, sender_tag="Legal"))
    assert (facts(found)["via_bot"], facts(found)["sender_tag"]) == ("9", "Legal")
    found = mapped(message(text="x", **{"from": {**MAYOR, "is_bot": True}}))
    assert facts(found)["sender_type"] == "bot"
    post: dict[str, Json] = {"message_id": 1, "chat": NEWS, "date": DATE, "text": "x"}
    for more in ({}, {"sender_chat": NEWS}):
        found = mapped(update("channel_post", post | more), setting(group_id="-1009"))
        assert found.sender == Sender(id="-1009", display_name="Town news")
    nobody = content(text="x")
    del nobody["from"]
    assert mapped(update("message", nobody)).sender is None


def test_only_our_own_messages_are_notices() -> None:
    """What the recorder said itself is no message of the group's."""
    assert mapped(message(text="x", **{"from": RECORDER})).kind is EventKind.NOTICE
    pinned = mapped(message(pinned_message=content(message_id=2), **{"from": RECORDER}))
    assert pinned.kind is EventKind.PIN


def test_links_and_mentions_behind_words() -> None:
    """What only the entities say stands in the facts."""
    entities: Json = [
        {"type": "text_link", "offset": 0, "length": 2, "url": "https://town.example/plan"},
        {"type": "text_mention", "offset": 3, "length": 3, "user": MAYOR},
        {"type": "bold", "offset": 0, "length": 6},
    ]
    for words, listed in (("text", "entities"), ("caption", "caption_entities")):
        found = mapped(message(**{words: "👍 Max", listed: entities, "photo": PHOTO}))
        assert facts(found)["links"] == "https://town.example/plan"
        assert facts(found)["mentions"] == "43"
        assert "problem" not in facts(found)


def test_service_facts() -> None:
    """Who came, where a group moved to, and where a pinned or changed thing stands, are facts."""
    assert facts(mapped(message(new_chat_members=[CLERK, MAYOR])))["subject"] == "5000000042\n43"
    told = facts(mapped(message(migrate_to_chat_id=-100_7)))
    assert (told["predecessor"], told["successor"]) == (GROUP, "-1007")
    told = facts(mapped(message(migrate_from_chat_id=-7)))
    assert (told["predecessor"], told["successor"]) == ("-7", GROUP)
    change: Json = {"poll_message": content(message_id=8), "option_text": "Maybe"}
    assert facts(mapped(message(poll_option_added=change)))["poll_message"] == f"{CHAT}:8"
    told = facts(mapped(message(location={"latitude": 1, "longitude": 2, "live_period": 60})))
    assert (told["geo_uri"], told["live_period"]) == ("geo:1,2", "60")
    assert facts(mapped(message(poll=POLL)))["poll"] == "5411"


def test_both_ids_of_a_migrated_group() -> None:
    """In a group that became a supergroup events keep the old id, and tell of the new one."""
    found = mapped(message(text="x"), setting(group_id="-4000"))
    assert (found.group_id, found.upstream_id) == ("-4000", f"{CHAT}:15")
    assert facts(found)["chat"] == GROUP
    assert open_update(message(migrate_from_chat_id=-4000)).migration == (-4000, CHAT)
    assert open_update(message(migrate_to_chat_id=-100_5)).migration == (CHAT, -1005)
    assert open_update(message(text="x")).migration is None
