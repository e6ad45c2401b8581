"""A person says something, changes it, answers, and takes it back.

Documentation: ``Message`` (``from``, ``sender_chat``, ``reply_to_message``, ``external_reply``,
``quote``, ``message_thread_id``, ``media_group_id``, ``edit_date``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.servers.bot_api.accounts import ANONYMOUS, AS_CHANNEL, User
from tests.servers.bot_api.chats import Chat, ChatKind, Post
from tests.servers.bot_api.entities import found_in, units
from tests.servers.bot_api.wire import JsonObject
from tests.servers.bot_api.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """In which way something is sent.

    ``extra`` is laid over the message at last, and so can add fields that do not exist yet or
    spoil those that do; ``without`` takes fields away.
    """

    reply_to: Post | None = None
    quote: str | None = None
    topic: Post | None = None
    album: str | None = None
    as_chat: Chat | None = None
    entities: Sequence[Mapping[str, object]] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    without: frozenset[str] = frozenset()


PLAIN = How()


class Speaker:
    """A person at a client. Nothing here asks for permission: a person's client would."""

    def __init__(self, world: World, user: User) -> None:
        self.world = world
        self.user = user

    def say(self, chat: Chat, text: str, how: How = PLAIN) -> Post:
        """A text."""
        return self.send(chat, _worded("text", "entities", text, how), how)

    def reply(self, post: Post, text: str, *, quote: str | None = None) -> Post:
        """A text in answer to a message, quoting a part of it if so wanted."""
        return self.say(post.chat, text, How(reply_to=post, quote=quote))

    def send(self, chat: Chat, content: Mapping[str, object], how: How = PLAIN) -> Post:
        """Any content: the members of a ``Message`` beside the sender and the chat."""
        fields = self._sender(chat, how) | _topic(how, chat) | _reply(how, chat)
        if how.album is not None:
            fields["media_group_id"] = how.album
        whole = fields | dict(content) | dict(how.extra)
        left = {key: each for key, each in whole.items() if key not in how.without}
        return self.world.post(chat, self.user, left, replied=how.reply_to)

    def edit(self, post: Post, text: str | None = None, how: How = PLAIN) -> Post:
        """A new text, or caption where the message has no text; ``extra`` changes the rest."""
        date = self.world.now()
        changed: JsonObject = {"edit_date": date}
        if text is not None:
            key = "text" if "text" in post.fields else "caption"
            entities = "entities" if key == "text" else "caption_entities"
            post.fields.pop(entities, None)
            changed |= _worded(key, entities, text, how)
        whole = post.fields | changed | dict(how.extra)
        post.fields = {key: each for key, each in whole.items() if key not in how.without}
        self.world.publish(post, edited=True)
        return post

    def delete(self, post: Post) -> None:
        """Take a message back. The Bot API says nothing of it to anybody."""
        post.deleted = True
        post.chat.posts.pop(post.id, None)

    def serve(self, chat: Chat, kind: str, content: object, how: How = PLAIN) -> Post:
        """A service message of this kind, caused by this person."""
        fields = self._sender(chat, how) | _topic(how, chat) | {kind: content} | dict(how.extra)
        return self.world.post(chat, self.user, fields, service=kind)

    def _sender(self, chat: Chat, how: How) -> JsonObject:
        member = chat.member(self.user)
        if chat.kind is ChatKind.CHANNEL:
            return {"author_signature": self.user.first_name, "sender_chat": chat.shown()}
        if how.as_chat is not None:
            return {"from": AS_CHANNEL.shown(), "sender_chat": how.as_chat.shown()}
        if member is not None and member.anonymous:
            return {"from": ANONYMOUS.shown(), "sender_chat": chat.shown()}
        return {"from": self.user.shown()}


def _worded(key: str, entities: str, text: str, how: How) -> JsonObject:
    found = found_in(text) if how.entities is None else [dict(each) for each in how.entities]
    worded: JsonObject = {key: text}
    return worded | {entities: found} if found else worded


def captioned(caption: str | None, how: How) -> JsonObject:
    """A caption and its entities, if there is one."""
    return {} if caption is None else _worded("caption", "caption_entities", caption, how)


def _topic(how: How, chat: Chat) -> JsonObject:
    topic = how.topic
    if topic is None and how.reply_to is not None and how.reply_to.topic is not None:
        topic = chat.posts.get(how.reply_to.topic)
    if topic is None:
        return {}
    found: JsonObject = {"message_thread_id": topic.id, "is_topic_message": True}
    # In a topic, what answers nothing else answers the message that opened the topic.
    return found if how.reply_to else found | {"reply_to_message": topic.embedded()}


def _reply(how: How, chat: Chat) -> JsonObject:
    answered = how.reply_to
    if answered is None:
        return {}
    found: JsonObject = {}
    if answered.chat is chat:
        found["reply_to_message"] = answered.embedded()
    else:
        found["external_reply"] = _elsewhere(answered)
    if how.quote is not None:
        before = answered.text.partition(how.quote)[0]
        found["quote"] = {"text": how.quote, "position": units(before), "is_manual": True}
    return found


def _elsewhere(post: Post) -> JsonObject:
    origin: JsonObject = {"type": "user", "sender_user": post.fields.get("from")}
    origin["date"] = post.fields["date"]
    return {"origin": origin, "chat": post.chat.shown(), "message_id": post.id}
