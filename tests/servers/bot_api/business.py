"""A business account that a bot works for.

Documentation: ``BusinessConnection``, ``business_message``, ``edited_business_message`` and
``deleted_business_messages``: the one place where the Bot API tells of deletions.
"""

from __future__ import annotations

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.chats import Chat, ChatKind
from tests.servers.bot_api.entities import found_in
from tests.servers.bot_api.wire import JsonObject
from tests.servers.bot_api.world import World


class Business:
    """One connection of an account with a bot, told to the bot when it is made."""

    def __init__(self, world: World, owner: User, bot: Bot) -> None:
        self.id = f"biz{world.new_id()}"
        self._world = world
        self._owner = owner
        self._bot = bot
        self._tell_connection(enabled=True)

    def say(self, customer: User, text: str, *, by_owner: bool = False) -> JsonObject:
        """A message in the account's chat with a customer."""
        chat = Chat(id=customer.id, kind=ChatKind.PRIVATE, partner=customer)
        message: JsonObject = {
            "business_connection_id": self.id,
            "message_id": self._world.new_message_id(chat),
            "from": (self._owner if by_owner else customer).shown(),
            "chat": chat.shown(),
            "date": self._world.now(),
            "text": text,
        }
        if entities := found_in(text):
            message["entities"] = entities
        self._world.tell(self._bot, "business_message", message)
        return message

    def edit(self, message: JsonObject, text: str) -> None:
        """Another text."""
        message |= {"edit_date": self._world.now(), "text": text}
        self._world.tell(self._bot, "edited_business_message", message)

    def delete(self, *messages: JsonObject) -> None:
        """Messages of one chat, taken back."""
        value: JsonObject = {
            "business_connection_id": self.id,
            "chat": messages[0]["chat"],
            "message_ids": [each["message_id"] for each in messages],
        }
        self._world.tell(self._bot, "deleted_business_messages", value)

    def end(self) -> None:
        """The account has done with the bot."""
        self._tell_connection(enabled=False)

    def _tell_connection(self, *, enabled: bool) -> None:
        value: JsonObject = {
            "id": self.id,
            "user": self._owner.shown(),
            "user_chat_id": self._owner.id,
            "date": self._world.now(),
            "rights": {"can_reply": True, "can_read_messages": True},
            "is_enabled": enabled,
        }
        self._world.tell(self._bot, "business_connection", value)
