"""Methods by which a bot gets its updates.

Documentation: ``getUpdates`` (``limit`` 1 to 100; "will not work if an outgoing webhook is set
up"), ``setWebhook`` (HTTPS; ports 443, 80, 88, 8443; ``secret_token`` of 1 to 256 characters of
A-Z, a-z, 0-9, _ and -; ``max_connections`` 1 to 100), ``deleteWebhook``, ``getWebhookInfo``
(``WebhookInfo``), "Using a Local Bot API Server" (HTTP, any address, any port).

Not documented, as the public service does it: numbers out of range are drawn into it, a poll is
held for 50 seconds at most, and of two polls the older one ends with 409.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.servers.bot_api.accounts import Bot, Webhook
from tests.servers.bot_api.methods import Call
from tests.servers.bot_api.refusals import bad_request, other_poller, webhook_active, webhook_came
from tests.servers.bot_api.wire import JsonObject

LONGEST_POLL = 50
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_PORTS = {443, 80, 88, 8443}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


async def get_updates(call: Call) -> bytes:
    """``getUpdates``: the updates as they are kept, byte for byte."""
    updates, given = call.bot.updates, call.given
    if call.bot.webhook is not None:
        raise webhook_active()
    updates.end_poll(other_poller())
    updates.allow(given.names("allowed_updates"))
    limit = min(max(given.integer("limit", 100), 1), 100)
    timeout = min(max(given.integer("timeout"), 0), LONGEST_POLL)
    found = await updates.poll(given.integer("offset"), limit, timeout)
    return b"[" + b",\n".join(each.raw for each in found) + b"]"


def set_webhook(call: Call, changed: Callable[[Bot], None]) -> str:
    """``setWebhook``; what is said of it."""
    given, bot = call.given, call.bot
    url = given.text("url")
    if not url:
        return delete_webhook(call, changed)
    _check_url(url, local=call.world.local is not None)
    secret = given.text("secret_token")
    if not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    bot.updates.allow(given.names("allowed_updates"))
    if given.flag("drop_pending_updates"):
        bot.updates.forget()
    new = Webhook(
        url=url,
        secret_token=secret,
        max_connections=min(max(given.integer("max_connections", 40), 1), 100),
        ip_address=given.text("ip_address") or "127.0.0.1",
        has_custom_certificate="certificate" in given,
    )
    said = "Webhook is already set" if new == bot.webhook else "Webhook was set"
    bot.webhook, bot.webhook_error = new, None
    bot.updates.end_poll(webhook_came())
    changed(bot)
    return said


def delete_webhook(call: Call, changed: Callable[[Bot], None]) -> str:
    """``deleteWebhook``; what is said of it."""
    bot = call.bot
    if call.given.flag("drop_pending_updates"):
        bot.updates.forget()
    said = "Webhook is already deleted" if bot.webhook is None else "Webhook was deleted"
    bot.webhook = bot.webhook_error = None
    changed(bot)
    return said


def get_webhook_info(call: Call) -> JsonObject:
    """``getWebhookInfo``."""
    bot, hook = call.bot, call.bot.webhook
    found: JsonObject = {
        "url": hook.url if hook else "",
        "has_custom_certificate": hook.has_custom_certificate if hook else False,
        "pending_update_count": len(bot.updates.pending()),
    }
    if hook is not None:
        if bot.webhook_error is not None:
            found["last_error_date"], found["last_error_message"] = bot.webhook_error
        found |= {"max_connections": hook.max_connections, "ip_address": hook.ip_address}
    if bot.updates.allowed:
        found["allowed_updates"] = sorted(bot.updates.allowed)
    return found


def _check_url(url: str, *, local: bool) -> None:
    # Loopback over HTTP is let through always: in a test it stands for what is behind the
    # balancer that ends TLS.
    parts = urlsplit(url)
    if local or parts.hostname in _LOOPBACK:
        return
    if parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if (parts.port or 443) not in _PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
