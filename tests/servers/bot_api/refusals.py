"""Answers that say no.

Documentation: "Making requests" and ``ResponseParameters``. The descriptions are not part of the
documentation ("human-readable"); these are the ones that the public service gives.
"""

from __future__ import annotations

from collections.abc import Mapping


class RefusalError(Exception):
    """``ok`` is false: a status, a description, and perhaps parameters."""

    def __init__(
        self, status: int, description: str, parameters: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(f"{status} {description}")
        self.status = status
        self.description = description
        self.parameters = parameters or {}


def bad_request(what: str) -> RefusalError:
    """400: the request cannot be carried out as it is."""
    return RefusalError(400, f"Bad Request: {what}")


def migrated(to: int) -> RefusalError:
    """400 for a group that became a supergroup (``ResponseParameters.migrate_to_chat_id``)."""
    what = "Bad Request: group chat was upgraded to a supergroup chat"
    return RefusalError(400, what, {"migrate_to_chat_id": to})


def forbidden(what: str) -> RefusalError:
    """403: not for this bot, or not any more."""
    return RefusalError(403, f"Forbidden: {what}")


def unauthorized() -> RefusalError:
    """401: the token was revoked, or never given out."""
    return RefusalError(401, "Unauthorized")


def not_found(what: str = "") -> RefusalError:
    """404: no such method, no such token in form, no such file any more."""
    return RefusalError(404, f"Not Found: {what}" if what else "Not Found")


def too_many(retry_after: int) -> RefusalError:
    """429 (``ResponseParameters.retry_after``)."""
    what = f"Too Many Requests: retry after {retry_after}"
    return RefusalError(429, what, {"retry_after": retry_after})


def other_poller() -> RefusalError:
    """409: a second ``getUpdates`` ended this one."""
    return RefusalError(
        409,
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running",
    )


def webhook_active() -> RefusalError:
    """409: ``getUpdates`` while a webhook is set."""
    return RefusalError(
        409,
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first",
    )


def webhook_came() -> RefusalError:
    """409: a webhook was set while ``getUpdates`` waited."""
    return RefusalError(409, "Conflict: terminated by setWebhook request")
