"""Updates that were made to break readers are kept, and stop nothing."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canonical.json import Json
from bridge.model import EventKind, Sender
from connectors.telegram.entities import CUTTING, OUTSIDE
from connectors.telegram.media import file_names, file_url
from connectors.telegram.update import KNOWN, open_update
from tests.unit.connectors.matrix.payloads import dumps, texts, values
from tests.unit.connectors.telegram.examples import CONTENT, SERVICE
from tests.unit.connectors.telegram.payloads import (
    CHAT,
    DATE,
    GROUP,
    HERE,
    SENT_AT,
    UPDATE_ID,
    all_mapped,
    content,
    facts,
    mapped,
    message,
    update,
)
from tests.unit.connectors.telegram.test_envelope import HOSTILE

KINDS = sorted({*KNOWN, "thing_of_tomorrow"})
EXAMPLES = [fields for fields, _, _ in (CONTENT | SERVICE).values()]
KEYS = sorted({key for fields in EXAMPLES for key in fields})
AROUND = [
    "message_id", "chat", "from", "date", "sender_chat", "reply_to_message", "external_reply",
    "quote", "message_thread_id", "entities", "caption_entities", "caption", "forward_origin",
    "via_bot", "edit_date", "media_group_id", "business_connection_id", "message_ids", "user",
    "actor_chat", "voter_chat", "new_reaction", "old_reaction", "reactions", "new_chat_member",
    "old_chat_member", "option_ids", "question", "options", "id", "poll_id", "boost", "message",
    "migrate_to_chat_id", "reply_to_story", "bio", "invite_link", "remove_date",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_undecodable_updates_are_unparsed(hostile: bytes) -> None:
    """What no parser takes is kept as it is, with the chat, sender and time that can be told."""
    inside = dumps(content())[:-1] + b',"text":' + hostile + b"}"
    raw = b'{"update_id":%d,"message":%s}' % (UPDATE_ID, inside)
    found = mapped(raw)
    if hostile == b"null":
        assert found.kind is EventKind.UNKNOWN
        return
    assert (found.kind, found.body) == (EventKind.UNPARSED, None)
    assert (found.upstream_id, found.revision) == (f"{CHAT}:15", None)
    assert (found.sender, found.sent_at) == (
        Sender(id="5000000042", display_name="Ann Clerk"),
        SENT_AT,
    )
    assert open_update(raw).chat_id == GROUP


def test_a_hostile_title_hides_no_chat() -> None:
    """A chat or sender whose name is broken is still known by its number."""
    raw = (
        rb'{"update_id":1,"message":{"message_id":2,"date":%d,"chat":{"id":-5,"title":"\ud800"},'
        rb'"from":{"id":6,"first_name":"\udfff"},"text":"x"}}' % DATE
    )
    found = mapped(raw)
    assert open_update(raw).chat_id == "-5"
    assert (found.kind, found.upstream_id) == (EventKind.UNPARSED, "-5:2")
    assert found.sender == Sender(id="6", display_name="\ufffd")


def test_undecodable_deletions_and_edits() -> None:
    """One that cannot be decoded is one unparsed event, under the update's own name."""
    raw = b'{"update_id":1,"deleted_business_messages":{"message_ids":[1,2],"x":NaN}}'
    assert mapped(raw).kind is EventKind.UNPARSED
    raw = b'{"update_id":1,"edited_message":{"message_id":2,"chat":{"id":-5},"x":NaN}}'
    found = mapped(raw)
    assert (found.kind, found.upstream_id, found.revision) == (EventKind.UNPARSED, "-5:2", "u1")


NAMELESS = {
    "empty": b"",
    "no object": b"[]",
    "a number": b"5",
    "empty object": b"{}",
    "nothing known": b'{"message":{"text":"x"}}',
    "an edit without update": dumps({"edited_message": content(text="x")}),
    "id negative": b'{"update_id":-1,"message":{}}',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("raw", NAMELESS.values(), ids=NAMELESS.keys())
def test_updates_without_name_are_named_by_their_digest(raw: bytes) -> None:
    """No two of them are ever taken for one, nor for the message that they change."""
    found = mapped(raw)
    assert found.upstream_id == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert found.revision is None


def test_messages_that_are_still_to_be_sent() -> None:
    """The message number 0 stands for many: each is named by its update."""
    found = mapped(message(message_id=0, text="x"))
    assert (found.upstream_id, found.revision) == (f"update:{UPDATE_ID}", f"u{UPDATE_ID}")


@pytest.mark.parametrize("number", [-(2**63), -1, 1, 2**31, 2**52 + 1, 2**63 - 1])
def test_numbers_of_64_bits(number: int) -> None:
    """Ids keep every digit, whatever their sign."""
    sender: Json = {"id": number, "first_name": "x"}
    raw = message(chat={**HERE, "id": number}, message_id=number, **{"from": sender})
    found = mapped(raw)
    assert (found.upstream_id, found.sender) == (
        f"{number}:{number}",
        Sender(id=str(number), display_name="x"),
    )
    assert open_update(raw).chat_id == str(number)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, 1.5, "5", True, None, [], {}])
def test_numbers_that_are_none(number: Json) -> None:
    """What is no number of 64 bits names no chat and nobody."""
    raw = message(chat={**HERE, "id": number}, **{"from": {"id": number}})
    assert open_update(raw).chat_id is None
    assert mapped(raw).sender is None
    assert mapped(raw).upstream_id == f"update:{UPDATE_ID}"


DATES: list[tuple[Json, str]] = [
    (-1, "before 1990"),
    (0, "before 1990"),
    (-62_135_596_800, "before 1990"),
    (DATE + 100_000, "a day ahead"),
    (253_402_300_799, "a day ahead"),
    (253_402_300_800, "no usable"),
    (2**63 - 1, "no usable"),
    (2**70, "no usable"),
    (-(2**62), "no usable"),
    (1.5, "no usable"),
    ("now", "no usable"),
    (True, "no usable"),
    (None, "no usable"),
]


@pytest.mark.parametrize(("date", "problem"), DATES)
def test_odd_times(date: Json, problem: str) -> None:
    """A time before 1970 or far ahead is kept with a problem; one that is none is left out."""
    found = mapped(message(text="x", date=date))
    assert found.kind is EventKind.MESSAGE
    assert problem in facts(found)["problem"]
    assert (found.sent_at is None) == (problem == "no usable")


EMOJI = "👩‍👩‍👧‍👦" * 372 + "👍" * 2


def test_long_captions_of_emoji() -> None:
    """4,096 UTF-16 units of emoji are one caption, and an entity over all of it fits."""
    units = len(EMOJI.encode("utf-16-le")) // 2
    assert units == 4_096
    whole: Json = [{"type": "bold", "offset": 0, "length": units}]
    found = mapped(message(photo=[], caption=EMOJI, caption_entities=whole))
    assert found.body == EMOJI
    assert "problem" not in facts(found)


ENTITIES: list[tuple[Json, Json, str | None]] = [
    (0, 3, None),
    (3, 0, None),
    (0, 2, None),
    (0, 1, CUTTING),
    (1, 2, CUTTING),
    (0, 4, OUTSIDE),
    (4, 0, OUTSIDE),
    (2**62, 2**62, OUTSIDE),
    (-1, 2, OUTSIDE),
    (0, -1, OUTSIDE),
    (0, None, OUTSIDE),
    ("0", 1, OUTSIDE),
    (True, 1, OUTSIDE),
    (10**30, 1, OUTSIDE),
]


@pytest.mark.parametrize(("offset", "length", "problem"), ENTITIES)
def test_entities_outside_the_text(offset: Json, length: Json, problem: str | None) -> None:
    """An entity that does not fit is a problem of the record, and costs neither text nor link."""
    entity: Json = {"type": "text_link", "offset": offset, "length": length, "url": "https://x"}
    shown: Json = {"text": "👍a", "entities": [entity]}
    assert isinstance(shown, dict)
    for fields in (
        shown,
        {"caption": "👍a", "caption_entities": [entity], "photo": []},
        {"text": "x", "quote": shown},
    ):
        found = mapped(message(**fields))
        assert found.kind is EventKind.MESSAGE
        assert facts(found).get("problem") == problem
    assert mapped(message(**shown)).body == "👍a"


def test_places_that_are_nowhere() -> None:
    """A place beyond the poles has no address, and is still a location."""
    for place in ({"latitude": 91, "longitude": 0}, {"latitude": "1"}, {"latitude": True}, {}):
        found = mapped(message(location=place))
        assert (found.kind, found.body) == (EventKind.LOCATION, None)


def test_updates_of_two_things() -> None:
    """The known one of two things in one update is read, and that there were two is said."""
    raw = update("thing_of_tomorrow", {"chat": HERE}, message=content(text="x"))
    found = mapped(raw)
    assert (found.kind, found.body) == (EventKind.MESSAGE, "x")
    assert facts(found)["problem"] == "The update holds more than one thing."


def test_a_great_many_deletions() -> None:
    """However many messages one update deletes, so many copies of it are never made."""
    gone: Json = {"chat": HERE, "message_ids": list(range(1, 5000))}
    assert len(all_mapped(update("deleted_business_messages", gone))) == 1000


@settings(max_examples=100, deadline=None, database=None)
@given(file_id=texts(20), unique_id=st.one_of(st.none(), texts(20)))
def test_names_of_files_come_back(file_id: str, unique_id: str | None) -> None:
    """Whatever a file is called, both names are found in its address."""
    assert file_names(file_url(file_id, unique_id)) == (file_id, unique_id)


WRONG: list[Json] = [None, True, 5, -1.5, "", "text", [], ["a"], [[]], {}, {"a": {}}]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_everywhere(wrong: Json) -> None:
    """Any value in any place leaves events that can be recorded."""
    for kind in KINDS:
        all_mapped(update(kind, wrong))
        all_mapped(update(kind, dict.fromkeys([*KEYS, *AROUND], wrong)))
    for key in KEYS:
        all_mapped(message(**{key: wrong}))
    for fields in EXAMPLES:
        for key, value in fields.items():
            inside = value if isinstance(value, dict) else {}
            for inner in inside:
                all_mapped(message(**{key: {**inside, inner: wrong}}))
    for key in AROUND:
        all_mapped(message(**{"text": "x", key: wrong}))


@settings(max_examples=100, deadline=None, database=None)
@given(raw=st.binary(max_size=120))
def test_no_bytes_stop_the_mapping(raw: bytes) -> None:
    """Any bytes, alone or within an update, give an event with exactly these bytes."""
    all_mapped(raw)
    all_mapped(b'{"update_id":1,"message":{"chat":{"id":-5},"text":"' + raw + b'"}}')
    all_mapped(b'{"update_id":1,"message":' + raw)


@settings(max_examples=200, deadline=None, database=None)
@given(
    kind=st.sampled_from(KINDS),
    key=st.sampled_from([*KEYS, *AROUND]),
    fields=st.sampled_from(EXAMPLES),
    value=values(),
    top=values(),
)
def test_no_json_stops_the_mapping(
    kind: str, key: str, fields: dict[str, Json], value: Json, top: Json
) -> None:
    """Any JSON in any place gives events that can be recorded."""
    all_mapped(dumps(top))
    all_mapped(update(kind, value))
    all_mapped(update(kind, content(**{**fields, key: value})))
    all_mapped(update(kind, {**fields, key: [value, {key: value}], "chat": HERE, "text": top}))
