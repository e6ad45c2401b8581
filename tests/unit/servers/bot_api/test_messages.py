"""What people do, as it comes to a bot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers.bot_api import Chat, How, Person, Post, Upload
from tests.unit.servers.bot_api.scene import Scene, kinds, texts

FILE = Upload(data=b"bytes", name="plan.pdf", mime="application/pdf")

SENT: dict[str, Callable[[Person, Chat], Post]] = {
    "photo": lambda who, where: who.photo(where, FILE, "look"),
    "document": lambda who, where: who.document(where, FILE, "read"),
    "audio": lambda who, where: who.audio(where, FILE),
    "video": lambda who, where: who.video(where, FILE),
    "animation": lambda who, where: who.animation(where, FILE),
    "voice": lambda who, where: who.voice(where, FILE),
    "video_note": lambda who, where: who.video_note(where, FILE),
    "sticker": lambda who, where: who.sticker(where, FILE),
    "contact": lambda who, where: who.contact(where, "+15550100", "Bert"),
    "location": lambda who, where: who.location(where, 52.5, 13.4),
    "venue": lambda who, where: who.venue(where, (52.5, 13.4), "Town hall", "Market 1"),
    "dice": lambda who, where: who.dice(where, 6),
    "story": lambda who, where: who.story(where, where, 7),
    "poll": lambda who, where: who.poll(where, "When?", ["now", "later"]),
    "new_chat_title": lambda who, where: who.title(where, "New name"),
    "message_auto_delete_timer_changed": lambda who, where: who.timer(where, 86400),
    "forum_topic_created": lambda who, where: who.topic(where, "Power"),
}


@pytest.mark.parametrize("kind", SENT)
async def test_every_kind_of_message_comes_under_its_name(scene: Scene, kind: str) -> None:
    """Sender, chat, date and the member of the kind are there."""
    post = SENT[kind](scene.anna, scene.room)
    message = await scene.one("message")
    assert kind in message
    assert message["message_id"] == post.id
    assert message["from"] == scene.anna.user.shown()
    assert message["date"] == int(scene.clock.now())


async def test_an_edit_comes_with_the_whole_message(scene: Scene) -> None:
    """Text or caption is new, the rest stays, and edit_date is there."""
    post = scene.anna.document(scene.room, FILE, "first")
    scene.clock.advance(3)
    await scene.news()
    scene.anna.edit(post, "second")
    message = await scene.one("edited_message")
    assert message["caption"] == "second"
    assert message["edit_date"] == int(scene.clock.now()) == int(str(message["date"])) + 3
    assert "document" in message


async def test_entities_count_in_utf16_units(scene: Scene) -> None:
    """What stands before a mention counts two for each emoji."""
    scene.anna.say(scene.room, "\N{GRINNING FACE} @recorder_bot")
    message = await scene.one("message")
    assert message["entities"] == [{"offset": 3, "length": 13, "type": "mention"}]


async def test_a_reply_and_a_quote_show_what_they_answer(scene: Scene) -> None:
    """The message answered does not show what it answers itself."""
    first = scene.anna.say(scene.room, "one two three")
    second = scene.anna.reply(first, "which", quote="two")
    scene.anna.reply(second, "that")
    quoted, last = [each["message"] for each in (await scene.news())[1:]]
    assert isinstance(quoted, dict)
    assert isinstance(last, dict)
    assert quoted["quote"] == {"text": "two", "position": 4, "is_manual": True}
    assert quoted["reply_to_message"]["message_id"] == first.id
    assert last["reply_to_message"]["message_id"] == second.id
    assert "reply_to_message" not in last["reply_to_message"]


async def test_a_reply_from_another_chat_is_external(scene: Scene) -> None:
    """It shows where it comes from and embeds nothing."""
    other = scene.api.supergroup("Other", scene.anna)
    post = scene.anna.say(other, "elsewhere")
    scene.anna.say(scene.room, "as said", How(reply_to=post))
    message = await scene.one("message")
    external = message["external_reply"]
    assert isinstance(external, dict)
    assert external["message_id"] == post.id
    assert "reply_to_message" not in message


async def test_a_topic_goes_by_the_message_that_opened_it(scene: Scene) -> None:
    """Messages in it carry its number, replies stay in it."""
    forum = scene.api.supergroup("Forum", scene.anna, forum=True)
    scene.anna.add(forum, scene.bot)
    await scene.news()
    topic = scene.anna.topic(forum, "Power")
    said = scene.anna.say(forum, "It is back", How(topic=topic))
    scene.anna.reply(said, "Good")
    for each in await scene.news():
        message = each["message"]
        assert isinstance(message, dict)
        assert message["message_thread_id"] == topic.id
        assert message["is_topic_message"] is True
        assert message["chat"]["is_forum"] is True


async def test_an_album_is_a_message_for_each_picture(scene: Scene) -> None:
    """They share a number and the first has the caption."""
    scene.anna.album(scene.room, [FILE, FILE, FILE], "three views")
    messages = [each["message"] for each in await scene.news()]
    albums = {each["media_group_id"] for each in messages if isinstance(each, dict)}
    captions = [each.get("caption") for each in messages if isinstance(each, dict)]
    assert len(messages) == 3
    assert len(albums) == 1
    assert captions == ["three views", None, None]


async def test_a_deletion_sends_nothing(scene: Scene) -> None:
    """The Bot API does not tell of it."""
    post = scene.anna.say(scene.room, "regretted")
    await scene.news()
    scene.anna.delete(post)
    assert await scene.news() == []


async def test_reactions_are_for_administrators(scene: Scene) -> None:
    """Old and new are told, of an anonymous one only the chat."""
    post = scene.anna.say(scene.room, "good news")
    scene.anna.react(post, "\N{FIRE}")
    assert [kinds(each) for each in await scene.news()] == ["message"]
    scene.anna.promote(scene.room, scene.bot)
    await scene.news()
    scene.anna.react(post, "\N{THUMBS UP SIGN}", "5368324170671202286")
    change = await scene.one("message_reaction")
    assert change["old_reaction"] == [{"type": "emoji", "emoji": "\N{FIRE}"}]
    assert change["new_reaction"] == [
        {"type": "emoji", "emoji": "\N{THUMBS UP SIGN}"},
        {"type": "custom_emoji", "custom_emoji_id": "5368324170671202286"},
    ]
    assert change["user"] == scene.anna.user.shown()
    scene.anna.hide(scene.room)
    scene.anna.react(post)
    assert "actor_chat" in await scene.one("message_reaction")


async def test_a_channel_has_posts_without_from_and_counts_reactions(scene: Scene) -> None:
    """Post, edit and reaction come under the channel's own types."""
    channel = scene.api.channel("Announcements", scene.anna)
    scene.anna.add(channel, scene.bot)
    assert [kinds(each) for each in await scene.news()] == ["my_chat_member"]
    post = scene.anna.say(channel, "To all")
    scene.anna.edit(post, "To everybody")
    scene.anna.react(post, "\N{FIRE}")
    found = await scene.news()
    expected = ["channel_post", "edited_channel_post", "message_reaction_count"]
    assert [kinds(each) for each in found] == expected
    first = found[0]["channel_post"]
    assert isinstance(first, dict)
    assert "from" not in first
    assert first["sender_chat"]["id"] == channel.id


async def test_votes_are_told_to_the_bot_that_asked(scene: Scene) -> None:
    """Of a person's poll a bot learns the end only, by hand."""
    asked = scene.anna.poll(scene.room, "When?", ["now", "later"])
    await scene.news()
    scene.anna.vote(asked, 1)
    assert await scene.news() == []
    scene.anna.stop_poll(asked)
    assert (await scene.one("poll"))["is_closed"] is True
    own = scene.anna.poll(scene.room, "Well?", ["yes", "no"], by=scene.bot)
    scene.anna.vote(own, 0)
    poll, answer = await scene.news()
    assert isinstance(poll["poll"], dict)
    assert poll["poll"]["total_voter_count"] == 1
    assert isinstance(answer["poll_answer"], dict)
    assert answer["poll_answer"]["option_ids"] == [0]


async def test_joining_and_leaving_are_told(scene: Scene) -> None:
    """To members as messages and to administrators as changes of standing too."""
    bert = scene.api.person("Bert")
    bert.join(scene.room)
    bert.leave(scene.room)
    assert [kinds(each) for each in await scene.news()] == ["message", "message"]
    scene.anna.promote(scene.room, scene.bot)
    await scene.news()
    bert.join(scene.room)
    assert [kinds(each) for each in await scene.news()] == ["chat_member", "message"]


async def test_business_deletions_are_told(scene: Scene) -> None:
    """The one place where a bot learns what was deleted."""
    bert = scene.api.person("Bert")
    business = scene.api.business(scene.anna, scene.bot)
    said = business.say(bert.user, "An order")
    business.edit(said, "Two orders")
    business.delete(said)
    found = await scene.news()
    assert [kinds(each) for each in found] == [
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
    ]
    deleted = found[-1]["deleted_business_messages"]
    assert isinstance(deleted, dict)
    assert deleted["message_ids"] == [said["message_id"]]


async def test_fields_and_types_of_the_future_come_through(scene: Scene) -> None:
    """A field is added, one is taken away, and an update has a type nobody knows."""
    how = How(extra={"aura": {"colour": 7}, "date": -5}, without=frozenset({"from"}))
    scene.anna.say(scene.room, "hello", how)
    scene.api.future(scene.bot, "hologram", {"id": 1})
    scene.api.future(scene.bot, "hologram", {"id": 2}, unlisted=True)
    message, hologram = await scene.news()
    assert isinstance(message["message"], dict)
    assert message["message"]["aura"] == {"colour": 7}
    assert message["message"]["date"] == -5
    assert "from" not in message["message"]
    assert hologram["hologram"] == {"id": 2}


async def test_bytes_come_through_as_they_are(scene: Scene) -> None:
    """Spaces, order and numbers of an update are not touched."""
    number = scene.api.raw(scene.bot, b'"message" : {"date":1e3, "text":"\\ud83d"}')
    said = await scene.ask("getUpdates")
    body = b'{"update_id":%d,\n"message" : {"date":1e3, "text":"\\ud83d"}}' % number
    assert said.raw == b'{"ok":true,"result":[' + body + b"]}"


async def test_a_deleted_account_has_no_name(scene: Scene) -> None:
    """Only its number is left."""
    scene.anna.delete_account()
    scene.anna.say(scene.room, "a ghost")
    sender = {"id": scene.anna.user.id, "is_bot": False, "first_name": ""}
    assert (await scene.one("message"))["from"] == sender


async def test_message_numbers_jump_where_told(scene: Scene) -> None:
    """A supergroup counts its own messages, what a bot does not get leaves a gap."""
    first = scene.anna.say(scene.room, "one")
    scene.api.skip_messages(scene.room, 3)
    assert scene.anna.say(scene.room, "two").id == first.id + 4
    assert texts(await scene.news()) == ["one", "two"]


async def test_speaking_as_a_channel_shows_the_channel(scene: Scene) -> None:
    """From is the fake account for channels and sender_chat is the channel."""
    channel = scene.api.channel("Press office", scene.anna)
    scene.anna.say(scene.room, "A statement", How(as_chat=channel))
    message = await scene.one("message")
    assert message["sender_chat"] == channel.shown()
    sender = message["from"]
    assert isinstance(sender, dict)
    assert sender["username"] == "Channel_Bot"


async def test_a_forward_names_its_origin(scene: Scene) -> None:
    """Who said it first and when stand in forward_origin."""
    other = scene.api.supergroup("Other", scene.anna)
    post = scene.anna.say(other, "elsewhere")
    scene.anna.forward(post, scene.room)
    message = await scene.one("message")
    origin = message["forward_origin"]
    assert isinstance(origin, dict)
    assert origin["sender_user"] == scene.anna.user.shown()
    assert message["text"] == "elsewhere"
