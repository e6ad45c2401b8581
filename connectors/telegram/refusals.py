"""What the Bot API says instead of an answer, as our errors. Its own words are not repeated."""

from __future__ import annotations

from bridge.errors import ConnectorError, ConnectorRejectedError, ConnectorUnavailableError
from bridge.rawjson.fields import JsonObject, count, decode, table, text, whole

LONGEST_WAIT = 3600.0

REVOKED = "revoked"
"""The token is good for nothing any more, or never was."""
KICKED = "kicked"
"""The bot is not in the chat any more."""
FORBIDDEN = "forbidden"
"""Something else that this bot may not do there."""
OTHER_POLLER = "other_poller"
"""Somebody else asks for the same updates."""
WEBHOOK_SET = "webhook_set"
"""The updates go to a webhook, so that they cannot be asked for."""
MIGRATED = "migrated"
"""The group is a supergroup now; ``migrated_to`` is its number."""
CHAT_NOT_FOUND = "chat_not_found"
NO_RIGHTS = "no_rights"
FILE_TOO_BIG = "file_too_big"
FILE_UNAVAILABLE = "file_unavailable"
"""The platform's own word for it holds both: wrong, or not there for a while."""
BAD_WEBHOOK = "bad_webhook"
"""The platform does not take the address that it is to bring updates to."""
REDIRECTED = "redirected"
FOREIGN = ""
"""Not the Bot API refused, but something before it."""

_OF_THE_ACCOUNT = frozenset({REVOKED, OTHER_POLLER, WEBHOOK_SET, BAD_WEBHOOK, REDIRECTED, FOREIGN})
_NOT_THERE = ("kicked", "not a member", "blocked by the user", "deactivated", "was deleted")
_SAID = (
    ("chat not found", CHAT_NOT_FOUND),
    ("not enough rights", NO_RIGHTS),
    ("have no rights", NO_RIGHTS),
    ("need administrator rights", NO_RIGHTS),
    ("chat_write_forbidden", NO_RIGHTS),
    ("file is too big", FILE_TOO_BIG),
    ("wrong file_id", FILE_UNAVAILABLE),
    ("wrong file identifier", FILE_UNAVAILABLE),
    ("temporarily unavailable", FILE_UNAVAILABLE),
    ("bad webhook", BAD_WEBHOOK),
)
_MEANS = {
    REVOKED: "The Bot API does not know the bot's token (any more).",
    KICKED: "The bot is not in the group any more.",
    FORBIDDEN: "The Bot API forbids the bot to do this.",
    OTHER_POLLER: "Somebody else asks for the bot's updates.",
    WEBHOOK_SET: "The bot's updates go to a webhook.",
    MIGRATED: "The group became a supergroup.",
    CHAT_NOT_FOUND: "The Bot API knows no such group, or the bot was never in it.",
    NO_RIGHTS: "The bot has no right to do this in the group.",
    FILE_TOO_BIG: "The attachment is larger than the Bot API lets a bot fetch.",
    FILE_UNAVAILABLE: "The Bot API does not have the attachment, or not now.",
    BAD_WEBHOOK: "The Bot API does not take the address of the webhook.",
}
_REMEDY = {
    REVOKED: "Get the bot's token from @BotFather and put it into [[telegram]] token_file.",
    KICKED: "Ask in the group why, and add the bot again.",
    OTHER_POLLER: "Stop the other program. If you know of none, revoke the token with @BotFather.",
    WEBHOOK_SET: "Remove the webhook (deleteWebhook), or configure [[telegram]] webhook_url."
    " If it is not yours, revoke the token with @BotFather first.",
    NO_RIGHTS: "Give the bot the right in the group's settings.",
    FILE_TOO_BIG: "Only a Bot API server of your own lifts the limit: [[telegram]] local_files.",
    FILE_UNAVAILABLE: "Nothing to do: the recorder tries again.",
    BAD_WEBHOOK: "Set [[telegram]] webhook_url to an https address that Telegram can reach, on port"
    " 443, 80, 88 or 8443.",
}


class RefusedError(ConnectorRejectedError):
    """A refusal with its HTTP status; ``code`` is one of the names above, or the status."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        hint: str | None = None,
        migrated_to: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.migrated_to = migrated_to


def is_of_the_account(error: ConnectorRejectedError) -> bool:
    """Whether a refusal says nothing of the group or file that was asked for."""
    return error.code in _OF_THE_ACCOUNT


def unsettled(error: ConnectorRejectedError) -> ConnectorUnavailableError:
    """A refusal, where only one of another kind would settle anything."""
    return ConnectorUnavailableError(str(error), hint=error.hint)


def error_of(status: int, body: bytes, *, wait: str = "") -> ConnectorError:
    """What an answer other than a 200 means. ``wait``: its ``Retry-After`` header."""
    fields = decode(body) or {}
    if status == 429:
        return ConnectorUnavailableError(
            "The Bot API asks us to wait (429).", retry_after=_wait(fields, wait)
        )
    if status >= 500:
        return ConnectorUnavailableError(f"The Bot API answers {status}.")
    if 300 <= status < 400:
        return RefusedError(
            f"The Bot API redirects us ({status}); redirects are not followed.",
            status=status,
            code=REDIRECTED,
            hint="Set [[telegram]] api_base to the address it redirects to.",
        )
    if fields.get("ok") is not False:
        return RefusedError(
            f"Something before the Bot API refuses ({status}).",
            status=status,
            code=FOREIGN,
            hint="Check [[telegram]] api_base, [service] http_proxy and what lies between.",
        )
    return _refused(status, fields)


def too_big(size: int | None, limit: int) -> RefusedError:
    """The attachment cannot be had from this Bot API server, and why."""
    has = "is larger than that" if size is None else f"has {size} bytes"
    return RefusedError(
        f"The Bot API lets a bot fetch {limit} bytes at most; the attachment {has}.",
        status=400,
        code=FILE_TOO_BIG,
        hint=_REMEDY[FILE_TOO_BIG],
    )


def _refused(status: int, fields: JsonObject) -> RefusedError:
    to = whole(table(fields, "parameters"), "migrate_to_chat_id")
    code = _code(status, (text(fields, "description") or "").lower(), to)
    means = _MEANS.get(code, "The Bot API refuses.")
    return RefusedError(
        f"{means[:-1]} ({status}).",
        status=status,
        code=code,
        hint=_REMEDY.get(code),
        migrated_to=to,
    )


def _code(status: int, said: str, migrated_to: int | None) -> str:
    if status == 401 or (status == 404 and said == "not found"):
        return REVOKED
    if status == 403:
        return KICKED if any(each in said for each in _NOT_THERE) else FORBIDDEN
    if status == 409:
        return WEBHOOK_SET if "webhook" in said else OTHER_POLLER
    if migrated_to is not None:
        return MIGRATED
    return next((code for part, code in _SAID if part in said), str(status))


def _wait(fields: JsonObject, header: str) -> float | None:
    """Seconds to wait: the Bot API's own word, or that of a proxy before it."""
    asked = count(table(fields, "parameters"), "retry_after")
    if not asked and header.isascii() and header.isdecimal() and len(header) < 10:
        asked = int(header)
    return min(float(asked), LONGEST_WAIT) if asked else None
