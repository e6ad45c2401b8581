"""Users, and the bots among them.

Documentation: ``User``, ``getMe``, and "Privacy mode" in the page on bot features.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers.bot_api.updates import UpdateQueue
from tests.servers.bot_api.wire import JsonObject


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """An account. A deleted one has an empty first name and nothing else."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None
    is_bot: bool = False
    is_premium: bool = False

    def shown(self) -> JsonObject:
        """The ``User`` object."""
        found: JsonObject = {
            "id": self.id,
            "is_bot": self.is_bot,
            "first_name": self.first_name,
        }
        optional = {
            "last_name": self.last_name,
            "username": self.username,
            "language_code": self.language_code,
            "is_premium": self.is_premium or None,
        }
        return found | {key: value for key, value in optional.items() if value is not None}


ANONYMOUS = User(id=1_087_968_824, first_name="Group", username="GroupAnonymousBot", is_bot=True)
"""Who stands in ``from`` where an administrator hides behind the group."""

AS_CHANNEL = User(id=136_817_688, first_name="Channel", username="Channel_Bot", is_bot=True)
"""Who stands in ``from`` where somebody speaks as a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where updates are sent to, by ``setWebhook``."""

    url: str
    secret_token: str
    max_connections: int
    ip_address: str
    has_custom_certificate: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Bot(User):
    """A bot: its token, its settings with BotFather, its updates."""

    token: str
    updates: UpdateQueue
    can_read_all_group_messages: bool = False
    can_join_groups: bool = True
    webhook: Webhook | None = None
    webhook_error: tuple[int, str] | None = None

    def about(self) -> JsonObject:
        """What ``getMe`` returns."""
        return self.shown() | {
            "can_join_groups": self.can_join_groups,
            "can_read_all_group_messages": self.can_read_all_group_messages,
            "supports_inline_queries": False,
            "can_connect_to_business": True,
            "has_main_web_app": False,
            "has_topics_enabled": False,
            "allows_users_to_create_topics": False,
            "can_manage_bots": False,
        }
