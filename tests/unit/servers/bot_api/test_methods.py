"""Methods about chats, and what they refuse."""

from __future__ import annotations

import pytest

from tests.servers.bot_api import ALL_RIGHTS
from tests.unit.servers.bot_api.scene import Scene, kinds


async def test_get_me_says_what_the_bot_may_hear(scene: Scene) -> None:
    """It is a bot, and privacy mode is off."""
    about = (await scene.ask("getMe")).object
    assert about["id"] == scene.bot.id
    assert about["is_bot"] is True
    assert about["can_read_all_group_messages"] is True


async def test_get_chat_tells_the_timer_only_while_there_is_one(scene: Scene) -> None:
    """message_auto_delete_time is absent where messages stay."""
    given = {"chat_id": scene.room.id}
    assert "message_auto_delete_time" not in (await scene.ask("getChat", given)).object
    scene.anna.timer(scene.room, 86400)
    assert (await scene.ask("getChat", given)).object["message_auto_delete_time"] == 86400
    scene.anna.timer(scene.room, 0)
    assert "message_auto_delete_time" not in (await scene.ask("getChat", given)).object


async def test_get_chat_member_follows_the_standing(scene: Scene) -> None:
    """A member becomes an administrator with rights, then restricted."""
    given = {"chat_id": scene.room.id, "user_id": scene.bot.id}
    assert (await scene.ask("getChatMember", given)).object["status"] == "member"
    scene.anna.promote(scene.room, scene.bot, rights=frozenset({"can_pin_messages"}))
    found = (await scene.ask("getChatMember", given)).object
    assert (found["status"], found["can_pin_messages"]) == ("administrator", True)
    assert found["can_manage_chat"] is False
    scene.anna.restrict(scene.room, scene.bot)
    assert (await scene.ask("getChatMember", given)).object["status"] == "restricted"


async def test_administrators_are_listed_without_other_bots(scene: Scene) -> None:
    """The bot itself is in the list, the other one is not."""
    other = scene.api.bot("Other", "other_bot")
    scene.anna.add(scene.room, other)
    scene.anna.promote(scene.room, other)
    scene.anna.promote(scene.room, scene.bot)
    said = await scene.ask("getChatAdministrators", {"chat_id": scene.room.id})
    assert isinstance(said.result, list)
    assert [each["user"]["id"] for each in said.result] == [scene.anna.user.id, scene.bot.id]


async def test_send_message_returns_the_message_and_knows_its_limits(scene: Scene) -> None:
    """Empty texts and texts beyond 4096 UTF-16 units are refused."""
    given = {"chat_id": scene.room.id, "text": "This group is recorded"}
    sent = (await scene.ask("sendMessage", given)).object
    assert sent["text"] == "This group is recorded"
    assert sent["from"] == scene.bot.shown()
    empty = await scene.ask("sendMessage", given | {"text": " "})
    assert empty.refusal == (400, "Bad Request: message text is empty")
    longer = await scene.ask("sendMessage", given | {"text": "\N{GRINNING FACE}" * 2049})
    assert longer.refusal == (400, "Bad Request: message is too long")


async def test_send_message_answers_a_message_that_is_there(scene: Scene) -> None:
    """A reply shows what it answers; to one that is gone it is refused."""
    post = scene.anna.say(scene.room, "who are you")
    given = {"chat_id": scene.room.id, "text": "A recorder"}
    said = await scene.ask("sendMessage", given | {"reply_parameters": {"message_id": post.id}})
    replied = said.object["reply_to_message"]
    assert isinstance(replied, dict)
    assert replied["text"] == "who are you"
    scene.anna.delete(post)
    gone = await scene.ask("sendMessage", given | {"reply_parameters": {"message_id": post.id}})
    assert gone.refusal == (400, "Bad Request: message to be replied not found")


async def test_a_bot_speaks_in_a_topic_that_is_there(scene: Scene) -> None:
    """The number is that of the message that opened the topic."""
    forum = scene.api.supergroup("Forum", scene.anna, forum=True)
    scene.anna.add(forum, scene.bot)
    topic, other = scene.anna.topic(forum, "Power"), scene.anna.say(forum, "outside")
    given = {"chat_id": forum.id, "text": "Noted", "message_thread_id": topic.id}
    assert (await scene.ask("sendMessage", given)).object["is_topic_message"] is True
    wrong = await scene.ask("sendMessage", given | {"message_thread_id": other.id})
    assert wrong.refusal == (400, "Bad Request: message thread not found")


async def test_pinning_needs_the_right(scene: Scene) -> None:
    """A member may not pin in a supergroup; an administrator may, and is told of it."""
    post = scene.anna.say(scene.room, "pin me")
    given = {"chat_id": scene.room.id, "message_id": post.id}
    refused = await scene.ask("pinChatMessage", given)
    rights = "Bad Request: not enough rights to manage pinned messages in the chat"
    assert refused.refusal == (400, rights)
    scene.anna.promote(scene.room, scene.bot, rights=ALL_RIGHTS)
    assert (await scene.ask("pinChatMessage", given)).result is True
    found = await scene.news()
    assert kinds(found[-1]) == "message"
    assert b"pinned_message" in (await scene.ask("getChat", given)).raw
    missing = await scene.ask("pinChatMessage", given | {"message_id": 999_999})
    assert missing.refusal == (400, "Bad Request: message to pin not found")


async def test_a_chat_left_or_never_seen_is_refused(scene: Scene) -> None:
    """403 where it left or was thrown out, 400 where it never was."""
    given: dict[str, object] = {"chat_id": scene.room.id}
    assert (await scene.ask("leaveChat", given)).result is True
    left = await scene.ask("getChat", given)
    assert left.refusal == (403, "Forbidden: bot is not a member of the supergroup chat")
    scene.anna.add(scene.room, scene.bot)
    scene.anna.kick(scene.room, scene.bot)
    kicked = await scene.ask("getChat", given)
    assert kicked.refusal == (403, "Forbidden: bot was kicked from the supergroup chat")
    elsewhere = scene.api.supergroup("Elsewhere", scene.anna)
    unknown = await scene.ask("getChat", {"chat_id": elsewhere.id})
    assert unknown.refusal == (400, "Bad Request: chat not found")


async def test_leaving_is_told_to_the_bot_itself(scene: Scene) -> None:
    """It gets the service message and its new standing."""
    await scene.ask("leaveChat", {"chat_id": scene.room.id})
    assert [kinds(each) for each in await scene.news()] == ["message", "my_chat_member"]


async def test_who_blocks_a_bot_is_not_written_to(scene: Scene) -> None:
    """The bot may write once the chat was started, and not while it is blocked."""
    given = {"chat_id": scene.anna.user.id, "text": "Hello"}
    before = await scene.ask("sendMessage", given)
    assert before.refusal == (400, "Bad Request: chat not found")
    scene.anna.start(scene.bot)
    assert (await scene.ask("sendMessage", given)).status == 200
    scene.anna.block(scene.bot)
    blocked = await scene.ask("sendMessage", given)
    assert blocked.refusal == (403, "Forbidden: bot was blocked by the user")


async def test_a_migrated_group_names_its_successor(scene: Scene) -> None:
    """Both chats get their message, and the old one is refused with the new number."""
    group = scene.api.group("Small", scene.anna)
    scene.anna.add(group, scene.bot)
    await scene.news()
    grown = scene.anna.migrate(group)
    old, new = (each["message"] for each in await scene.news())
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert old["migrate_to_chat_id"] == grown.id == new["chat"]["id"]
    assert new["migrate_from_chat_id"] == group.id == old["chat"]["id"]
    refused = await scene.ask("sendMessage", {"chat_id": group.id, "text": "Hello"})
    assert refused.status == 400
    assert refused.body["parameters"] == {"migrate_to_chat_id": grown.id}


@pytest.mark.parametrize("name", ["@incidents", "@nobody"])
async def test_a_public_chat_goes_by_its_name(scene: Scene, name: str) -> None:
    """The name of a public supergroup stands for its number."""
    public = scene.api.supergroup("Public", scene.anna, username="incidents")
    scene.anna.add(public, scene.bot)
    assert (await scene.ask("getChat", {"chat_id": name})).body["ok"] is (name == "@incidents")
