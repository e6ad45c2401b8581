"""Methods of the Bot API about the bot itself, chats, messages and files.

Documentation: "Available methods": ``getMe``, ``getChat``, ``getChatMember``,
``getChatMemberCount``, ``getChatAdministrators`` ("except other bots"), ``leaveChat``,
``sendMessage`` (1 to 4096 characters), ``pinChatMessage`` (an administrator with
``can_pin_messages`` in supergroups, ``can_edit_messages`` in channels), ``getFile``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tests.servers.bot_api.accounts import Bot
from tests.servers.bot_api.chats import Chat, ChatKind, Post
from tests.servers.bot_api.entities import found_in, units
from tests.servers.bot_api.members import Membership, Status
from tests.servers.bot_api.refusals import bad_request, forbidden, migrated
from tests.servers.bot_api.wire import JsonObject, Parameters
from tests.servers.bot_api.world import World

LONGEST_TEXT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a method by a bot."""

    world: World
    bot: Bot
    given: Parameters


Method: TypeAlias = Callable[[Call], object]


def get_me(call: Call) -> object:
    """``getMe``."""
    return call.bot.about()


def get_chat(call: Call) -> object:
    """``getChat``."""
    return call.world.as_seen_by(call.bot, chat_of(call).full())


def get_chat_member(call: Call) -> object:
    """``getChatMember``."""
    chat = chat_of(call)
    user = call.world.users.get(call.given.integer("user_id"))
    if user is None:
        raise bad_request("user not found")
    found = chat.member(user) or Membership(user=user, status=Status.LEFT)
    return found.shown(channel=chat.kind is ChatKind.CHANNEL)


def get_chat_member_count(call: Call) -> object:
    """``getChatMemberCount``."""
    return sum(member.present for member in chat_of(call).members.values())


def get_chat_administrators(call: Call) -> object:
    """``getChatAdministrators``."""
    chat = chat_of(call)
    if chat.kind is ChatKind.PRIVATE:
        raise bad_request("there are no administrators in the private chat")
    members = [each for each in chat.members.values() if each.administers]
    return [
        each.shown(channel=chat.kind is ChatKind.CHANNEL)
        for each in members
        if each.user is call.bot or not each.user.is_bot
    ]


def leave_chat(call: Call) -> object:
    """``leaveChat``."""
    chat, bot = chat_of(call), call.bot
    if chat.kind is ChatKind.PRIVATE:
        raise bad_request("chat member status can't be changed in private chats")
    if chat.kind is not ChatKind.CHANNEL:
        gone = {"from": bot.shown(), "left_chat_member": bot.shown()}
        call.world.post(chat, bot, gone, service="left_chat_member")
    call.world.change_member(chat, bot, Membership(user=bot, status=Status.LEFT))
    return True


def send_message(call: Call) -> object:
    """``sendMessage``. Formatting (``parse_mode``) is not carried out."""
    chat, text = chat_of(call), call.given.text("text")
    if not text.strip():
        raise bad_request("message text is empty")
    if units(text) > LONGEST_TEXT:
        raise bad_request("message is too long")
    fields: JsonObject = {}
    if chat.kind is ChatKind.CHANNEL:
        fields |= {"sender_chat": chat.shown()}
    else:
        fields |= {"from": call.bot.shown()}
    fields |= _in_topic(call, chat)
    replied = _replied(call, chat)
    if replied is not None:
        fields["reply_to_message"] = replied.embedded()
    fields["text"] = text
    if entities := found_in(text):
        fields["entities"] = entities
    post = call.world.post(chat, call.bot, fields, replied=replied)
    return call.world.as_seen_by(call.bot, post.fields)


def pin_chat_message(call: Call) -> object:
    """``pinChatMessage``."""
    chat, bot = chat_of(call), call.bot
    right = "can_edit_messages" if chat.kind is ChatKind.CHANNEL else "can_pin_messages"
    member = chat.member(bot)
    needed = chat.kind in {ChatKind.SUPERGROUP, ChatKind.CHANNEL}
    if needed and (member is None or not member.may(right)):
        raise bad_request("not enough rights to manage pinned messages in the chat")
    post = chat.posts.get(call.given.integer("message_id"))
    if post is None:
        raise bad_request("message to pin not found")
    chat.pinned = post
    shown = {"from": bot.shown(), "pinned_message": post.embedded()}
    call.world.post(chat, bot, shown, service="pinned_message")
    return True


def get_file(call: Call) -> object:
    """``getFile``."""
    return call.world.files.ask(call.bot, call.given.text("file_id"))


METHODS: Mapping[str, Method] = {
    "getme": get_me,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatmembercount": get_chat_member_count,
    "getchatadministrators": get_chat_administrators,
    "leavechat": leave_chat,
    "sendmessage": send_message,
    "pinchatmessage": pin_chat_message,
    "getfile": get_file,
}


def chat_of(call: Call) -> Chat:
    """The chat that a call is about, given by number or ``@name``.

    Raises:
        RefusalError: the bot does not know it, is not in it, or it was migrated.
    """
    bot, named = call.bot, call.given.text("chat_id")
    if named.startswith("@"):
        chats = call.world.chats.values()
        chat = next((each for each in chats if each.username == named[1:]), None)
    else:
        chat = call.world.seen_chat(bot, call.given.integer("chat_id"))
    member = chat.member(bot) if chat is not None else None
    if chat is None or member is None:
        raise bad_request("chat not found")
    if chat.migrated_to is not None:
        raise migrated(chat.migrated_to)
    if member.status is Status.KICKED:
        if chat.kind is ChatKind.PRIVATE:
            raise forbidden("bot was blocked by the user")
        raise forbidden(f"bot was kicked from the {chat.kind} chat")
    if member.status is Status.LEFT:
        raise forbidden(f"bot is not a member of the {chat.kind} chat")
    return chat


def _in_topic(call: Call, chat: Chat) -> JsonObject:
    number = call.given.integer("message_thread_id")
    if not number:
        return {}
    topic = chat.posts.get(number)
    if topic is None or topic.topic != number:
        raise bad_request("message thread not found")
    return {"message_thread_id": number, "is_topic_message": True}


def _replied(call: Call, chat: Chat) -> Post | None:
    asked = call.given.loaded("reply_parameters")
    number = asked.get("message_id") if isinstance(asked, dict) else None
    if number is None:
        return None
    found = chat.posts.get(number) if isinstance(number, int) else None
    if found is None and not (isinstance(asked, dict) and asked.get("allow_sending_without_reply")):
        raise bad_request("message to be replied not found")
    return found
