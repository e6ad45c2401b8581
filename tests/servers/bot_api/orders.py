"""What people are to do, told from another process: ``POST /-/do`` with one order as JSON.

An order names its verb under ``do`` and everybody by names given before: ``{"do": "person",
"as": "anna", "name": "Anna"}``, ``{"do": "supergroup", "as": "room", "by": "anna", "title":
"Incident room"}``, ``{"do": "bot", "as": "recorder", "name": "Recorder", "username":
"recorder_bot"}``, ``{"do": "add", "by": "anna", "chat": "room", "whom": "recorder"}``,
``{"do": "say", "as": "first", "by": "anna", "chat": "room", "text": "Good morning"}``. What was
made is answered with its number, a bot with its token too.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.cast import Cast
from tests.servers.bot_api.chats import Chat, Post
from tests.servers.bot_api.clock import HandClock
from tests.servers.bot_api.files import Upload
from tests.servers.bot_api.person import Person
from tests.servers.bot_api.refusals import bad_request
from tests.servers.bot_api.speaking import How
from tests.servers.bot_api.wire import JsonObject, Parameters

Made: TypeAlias = Bot | Person | Chat | Post | None


class Stage:
    """Who and what was given a name, and the verbs."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self._named: dict[str, Made] = {}

    def carry_out(self, order: Parameters) -> JsonObject:
        """Do one thing.

        Raises:
            RefusalError: no such verb, or no such name.
        """
        verb = _VERBS.get(order.text("do"))
        if verb is None:
            raise bad_request(f"there is no verb {order.text('do')!r}")
        made = verb(self, order)
        self._named[order.text("as")] = made
        return _shown(made)

    def person(self, order: Parameters, key: str = "by") -> Person:
        """The person named under this key."""
        found = self._named.get(order.text(key))
        if not isinstance(found, Person):
            raise bad_request(f"{key} names nobody")
        return found

    def user(self, order: Parameters) -> User:
        """The person or bot named as ``whom``."""
        found = self._named.get(order.text("whom"))
        if isinstance(found, Bot):
            return found
        return self.person(order, "whom").user

    def bot(self, order: Parameters) -> Bot:
        """The bot named as ``whom``."""
        found = self.user(order)
        if not isinstance(found, Bot):
            raise bad_request("whom names no bot")
        return found

    def chat(self, order: Parameters) -> Chat:
        """The chat named as ``chat``."""
        found = self._named.get(order.text("chat"))
        if not isinstance(found, Chat):
            raise bad_request("chat names no chat")
        return found

    def post(self, order: Parameters, key: str = "post") -> Post:
        """The message named under this key."""
        found = self._named.get(order.text(key))
        if not isinstance(found, Post):
            raise bad_request(f"{key} names no message")
        return found

    def how(self, order: Parameters) -> How:
        """In answer to what, and in which topic."""
        replied = self.post(order, "reply_to") if "reply_to" in order else None
        topic = self.post(order, "topic") if "topic" in order else None
        return How(reply_to=replied, topic=topic, quote=order.text("quote") or None)


def _shown(made: Made) -> JsonObject:
    if isinstance(made, Bot):
        return {"id": made.id, "token": made.token}
    if isinstance(made, Person):
        return {"id": made.user.id}
    return {} if made is None else {"id": made.id}


def _upload(order: Parameters) -> Upload:
    size = order.integer("size") if "size" in order else None
    return Upload(
        data=base64.b64decode(order.text("data")),
        name=order.text("name") or "file.bin",
        mime=order.text("mime") or "application/octet-stream",
        size=size,
    )


def _bot(stage: Stage, order: Parameters) -> Made:
    open_ears = order.flag("hears_all")
    return stage.cast.bot(order.text("name"), order.text("username"), privacy=not open_ears)


def _person(stage: Stage, order: Parameters) -> Made:
    return stage.cast.person(order.text("name"), username=order.text("username") or None)


def _say(stage: Stage, order: Parameters) -> Made:
    who = stage.person(order)
    return who.say(stage.chat(order), order.text("text"), stage.how(order))


def _send(stage: Stage, order: Parameters) -> Made:
    who, caption = stage.person(order), order.text("caption") or None
    kinds = {
        "photo": who.photo,
        "document": who.document,
        "audio": who.audio,
        "video": who.video,
        "voice": who.voice,
    }
    return kinds[order.text("do")](stage.chat(order), _upload(order), caption, stage.how(order))


def _supergroup(stage: Stage, order: Parameters) -> Made:
    return stage.cast.supergroup(
        order.text("title"), stage.person(order), forum=order.flag("forum")
    )


def _advance(stage: Stage, order: Parameters) -> None:
    clock = stage.cast.world.clock
    if not isinstance(clock, HandClock):
        raise bad_request("the clock is not set by hand")
    clock.advance(order.integer("seconds"))


def _revoke(stage: Stage, order: Parameters) -> Made:
    bot = stage.bot(order)
    stage.cast.world.revoke(bot)
    return bot


def _react(stage: Stage, order: Parameters) -> None:
    emojis = [order.text("emoji")] if order.text("emoji") else []
    stage.person(order).react(stage.post(order), *emojis)


_VERBS: Mapping[str, Callable[[Stage, Parameters], Made]] = {
    "bot": _bot,
    "person": _person,
    "group": lambda at, it: at.cast.group(it.text("title"), at.person(it)),
    "supergroup": _supergroup,
    "channel": lambda at, it: at.cast.channel(it.text("title"), at.person(it)),
    "add": lambda at, it: at.person(it).add(at.chat(it), at.user(it)),
    "join": lambda at, it: at.person(it).join(at.chat(it)),
    "leave": lambda at, it: at.person(it).leave(at.chat(it)),
    "kick": lambda at, it: at.person(it).kick(at.chat(it), at.user(it)),
    "promote": lambda at, it: at.person(it).promote(at.chat(it), at.user(it)),
    "demote": lambda at, it: at.person(it).demote(at.chat(it), at.user(it)),
    "say": _say,
    "photo": _send,
    "document": _send,
    "audio": _send,
    "video": _send,
    "voice": _send,
    "edit": lambda at, it: at.person(it).edit(at.post(it), it.text("text")),
    "delete": lambda at, it: at.person(it).delete(at.post(it)),
    "pin": lambda at, it: at.person(it).pin(at.post(it)),
    "react": _react,
    "topic": lambda at, it: at.person(it).topic(at.chat(it), it.text("name")),
    "title": lambda at, it: at.person(it).title(at.chat(it), it.text("title")),
    "timer": lambda at, it: at.person(it).timer(at.chat(it), it.integer("seconds")),
    "migrate": lambda at, it: at.person(it).migrate(at.chat(it)),
    "revoke": _revoke,
    "advance": _advance,
}
