"""A person sends files and things: see ``content`` for their shapes.

Documentation: ``Message`` (the member of each kind, ``caption``, ``media_group_id``), ``Poll``
("bots receive only updates about manually stopped polls and polls which are sent by the bot"),
``PollAnswer`` (non-anonymous polls that the bot itself sent).
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.bot_api import content
from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.chats import Chat, Post
from tests.servers.bot_api.files import Upload
from tests.servers.bot_api.speaking import PLAIN, How, Speaker, captioned
from tests.servers.bot_api.wire import JsonObject


class Sender(Speaker):
    """A person who sends more than words."""

    def photo(self, chat: Chat, file: Upload, caption: str | None = None, how: How = PLAIN) -> Post:
        """A picture."""
        shown = content.photo(self.world.files, file)
        return self.send(chat, shown | captioned(caption, how), how)

    def document(
        self, chat: Chat, file: Upload, caption: str | None = None, how: How = PLAIN
    ) -> Post:
        """A file as it is."""
        shown = content.document(self.world.files, file)
        return self.send(chat, shown | captioned(caption, how), how)

    def audio(self, chat: Chat, file: Upload, caption: str | None = None, how: How = PLAIN) -> Post:
        """Music."""
        shown = content.audio(self.world.files, file)
        return self.send(chat, shown | captioned(caption, how), how)

    def video(self, chat: Chat, file: Upload, caption: str | None = None, how: How = PLAIN) -> Post:
        """A film."""
        shown = content.video(self.world.files, file)
        return self.send(chat, shown | captioned(caption, how), how)

    def animation(self, chat: Chat, file: Upload, how: How = PLAIN) -> Post:
        """A film without sound."""
        return self.send(chat, content.animation(self.world.files, file), how)

    def voice(self, chat: Chat, file: Upload, caption: str | None = None, how: How = PLAIN) -> Post:
        """A voice message."""
        shown = content.voice(self.world.files, file)
        return self.send(chat, shown | captioned(caption, how), how)

    def video_note(self, chat: Chat, file: Upload, how: How = PLAIN) -> Post:
        """A round film."""
        return self.send(chat, content.video_note(self.world.files, file), how)

    def sticker(self, chat: Chat, file: Upload, emoji: str = "\N{WHITE HEAVY CHECK MARK}") -> Post:
        """A sticker."""
        return self.send(chat, content.sticker(self.world.files, file, emoji))

    def album(self, chat: Chat, files: Sequence[Upload], caption: str | None = None) -> list[Post]:
        """Pictures that belong together: a message each, the caption at the first."""
        how = How(album=str(13_000_000_000_000_000 + self.world.new_id()))
        first = [self.photo(chat, each, caption, how) for each in files[:1]]
        return first + [self.photo(chat, each, None, how) for each in files[1:]]

    def contact(self, chat: Chat, phone_number: str, first_name: str, how: How = PLAIN) -> Post:
        """Somebody's number."""
        shown: JsonObject = {"phone_number": phone_number, "first_name": first_name}
        return self.send(chat, {"contact": shown}, how)

    def location(self, chat: Chat, latitude: float, longitude: float, how: How = PLAIN) -> Post:
        """A point on the map."""
        return self.send(chat, content.location(latitude, longitude), how)

    def venue(
        self, chat: Chat, at: tuple[float, float], title: str, address: str, how: How = PLAIN
    ) -> Post:
        """A place with a name."""
        return self.send(chat, content.venue(*at, title, address), how)

    def dice(self, chat: Chat, value: int, emoji: str = "\N{GAME DIE}", how: How = PLAIN) -> Post:
        """A die, and how it fell."""
        return self.send(chat, {"dice": {"emoji": emoji, "value": value}}, how)

    def story(self, chat: Chat, source: Chat, number: int, how: How = PLAIN) -> Post:
        """Another chat's story, forwarded."""
        return self.send(chat, {"story": {"chat": source.shown(), "id": number}}, how)

    def forward(self, post: Post, chat: Chat, how: How = PLAIN) -> Post:
        """Somebody's message, in another chat."""
        origin: JsonObject = {"type": "user", "sender_user": post.fields.get("from")}
        kept = {key: each for key, each in post.fields.items() if key not in _OF_ITS_PLACE}
        return self.send(
            chat, {"forward_origin": origin | {"date": post.fields["date"]}} | kept, how
        )

    def poll(
        self,
        chat: Chat,
        question: str,
        options: Sequence[str],
        *,
        anonymous: bool = False,
        by: Bot | None = None,
    ) -> Post:
        """A poll by this person, or by a bot: only that bot learns of votes."""
        shown = content.poll(self.world.new_id(), question, options, anonymous=anonymous)
        if by is None:
            return self.send(chat, {"poll": shown})
        return self.world.post(chat, by, {"from": by.shown(), "poll": shown})

    def vote(self, post: Post, *options: int) -> None:
        """Choose these options, or none any more."""
        post.votes[self.user.id] = options
        poll = content.counted(_poll(post), post.votes)
        post.fields["poll"] = poll
        if not isinstance(post.author, Bot):
            return
        self.world.tell(post.author, "poll", poll)
        if not poll["is_anonymous"]:
            self.world.tell(post.author, "poll_answer", _answer(poll, self.user, options))

    def stop_poll(self, post: Post) -> None:
        """End a poll by hand: who knows the poll learns the result."""
        post.fields["poll"] = _poll(post) | {"is_closed": True}
        for bot in post.chat.bots():
            if bot.id in post.known_to or bot is post.author:
                self.world.tell(bot, "poll", _poll(post))


_OF_ITS_PLACE = frozenset(
    [
        "message_id",
        "from",
        "sender_chat",
        "author_signature",
        "chat",
        "date",
        "edit_date",
        "message_thread_id",
        "is_topic_message",
        "reply_to_message",
        "external_reply",
        "quote",
        "media_group_id",
    ]
)


def _poll(post: Post) -> JsonObject:
    poll = post.fields["poll"]
    assert isinstance(poll, dict)
    return poll


def _answer(poll: JsonObject, user: User, options: Sequence[int]) -> JsonObject:
    return {
        "poll_id": poll["id"],
        "user": user.shown(),
        "option_ids": list(options),
        "option_persistent_ids": [str(each) for each in options],
    }
