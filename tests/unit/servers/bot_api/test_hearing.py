"""Which messages a bot gets, by privacy mode."""

from __future__ import annotations

import pytest

from tests.servers.bot_api import Bot, How
from tests.unit.servers.bot_api.scene import EVERYTHING, Scene, kinds, texts


async def shy(scene: Scene, name: str = "shy_bot") -> Bot:
    """A bot with privacy mode on, in the room."""
    bot = scene.api.bot("Shy", name)
    scene.anna.add(scene.room, bot)
    await scene.ask("getUpdates", {"allowed_updates": EVERYTHING}, bot)
    await scene.news(bot)
    await scene.news()
    return bot


async def test_privacy_mode_hides_plain_messages_and_their_edits(scene: Scene) -> None:
    """A bot that hears all gets them and the other gets neither."""
    bot = await shy(scene)
    post = scene.anna.say(scene.room, "between us")
    scene.anna.edit(post, "between us two")
    assert await scene.news(bot) == []
    assert texts(await scene.news()) == ["between us", "between us two"]


async def test_privacy_mode_lets_service_messages_through(scene: Scene) -> None:
    """Titles, pins and members are for every bot."""
    bot = await shy(scene)
    post = scene.anna.say(scene.room, "unheard")
    scene.anna.title(scene.room, "Another name")
    scene.anna.pin(post)
    scene.anna.timer(scene.room, 86400)
    assert len(await scene.news(bot)) == 3


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("/status@shy_bot now", True),
        ("/status@recorder_bot now", False),
        ("/status", False),
        ("status /status@shy_bot", False),
    ],
)
async def test_privacy_mode_lets_commands_through(scene: Scene, said: str, *, heard: bool) -> None:
    """Those that name the bot, and no others."""
    bot = await shy(scene)
    scene.anna.say(scene.room, said)
    assert texts(await scene.news(bot)) == [said] * heard


async def test_a_general_command_is_for_the_bot_that_spoke_last(scene: Scene) -> None:
    """Once the bot has said something it gets commands without a name."""
    bot = await shy(scene)
    await scene.ask("sendMessage", {"chat_id": scene.room.id, "text": "Here I am"}, bot)
    scene.anna.say(scene.room, "/status")
    assert texts(await scene.news(bot)) == ["/status"]


async def test_replies_to_a_bot_are_for_it_even_with_another_ones_command(scene: Scene) -> None:
    """A reply decides before a command does."""
    first, second = await shy(scene), await shy(scene, "other_bot")
    await scene.ask("sendMessage", {"chat_id": scene.room.id, "text": "Ask me"}, first)
    asked = scene.room.posts[max(scene.room.posts)]
    answer = scene.anna.reply(asked, "/help@other_bot")
    scene.anna.reply(answer, "and again")
    assert texts(await scene.news(first)) == ["/help@other_bot", "and again"]
    assert await scene.news(second) == []


async def test_an_administrator_hears_all(scene: Scene) -> None:
    """Privacy mode is not for administrators."""
    bot = await shy(scene)
    scene.anna.promote(scene.room, bot)
    scene.anna.say(scene.room, "aloud")
    assert texts(await scene.news(bot)) == ["aloud"]


async def test_the_privacy_switch_counts_for_groups_joined_later(scene: Scene) -> None:
    """GetMe says so at once; the group the bot is in changes when it is added again."""
    bot = await shy(scene)
    scene.api.privacy(bot, on=False)
    assert (await scene.ask("getMe", bot=bot)).object["can_read_all_group_messages"] is True
    scene.anna.say(scene.room, "unheard")
    assert await scene.news(bot) == []
    scene.anna.kick(scene.room, bot)
    scene.anna.add(scene.room, bot)
    scene.anna.say(scene.room, "heard")
    assert texts(await scene.news(bot)) == ["heard"]


async def test_bots_do_not_hear_bots_nor_themselves(scene: Scene) -> None:
    """What is sent by sendMessage comes to nobody, not even to an administrator."""
    bot = await shy(scene)
    scene.anna.promote(scene.room, bot)
    await scene.ask("sendMessage", {"chat_id": scene.room.id, "text": "This group is recorded"})
    assert [kinds(each) for each in await scene.news()] == []
    assert texts(await scene.news(bot)) == []


async def test_an_anonymous_administrator_is_heard_though_from_is_a_bot(scene: Scene) -> None:
    """The fake sender is a bot, the message is a person's."""
    scene.anna.hide(scene.room)
    scene.anna.say(scene.room, "from behind")
    message = await scene.one("message")
    assert message["from"] == {
        "id": 1087968824,
        "is_bot": True,
        "first_name": "Group",
        "username": "GroupAnonymousBot",
    }
    chat = message["chat"]
    assert message["sender_chat"] == chat


async def test_a_bot_outside_hears_nothing(scene: Scene) -> None:
    """Neither before it joined nor after it was thrown out."""
    post = scene.anna.say(scene.room, "last words")
    scene.anna.kick(scene.room, scene.bot)
    await scene.news()
    scene.anna.say(scene.room, "among us")
    scene.anna.edit(post, "changed")
    assert await scene.news() == []


async def test_an_edit_of_a_message_from_before_is_not_told(scene: Scene) -> None:
    """An edited message is known to the bot or it is none of its business."""
    late = scene.api.bot("Late", "late_bot", privacy=False)
    post = scene.anna.say(scene.room, "early")
    scene.anna.add(scene.room, late)
    await scene.news(late)
    scene.anna.edit(post, "late")
    assert await scene.news(late) == []
    await scene.news()


async def test_a_private_chat_is_heard_by_its_bot_only(scene: Scene) -> None:
    """Each bot has its own chat with a person, under the same number."""
    other = scene.api.bot("Other", "other_bot")
    chat = scene.anna.start(other)
    scene.anna.say(chat, "for you", How())
    assert texts(await scene.news(other)) == ["/start", "for you"]
    assert await scene.news() == []
    assert chat.id == scene.anna.user.id
