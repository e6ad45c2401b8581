"""Updates by a webhook: each post is answered 200 once what it brought is durable."""

from __future__ import annotations

from bridge.errors import ConnectorRejectedError
from bridge.rawjson.fields import text
from connectors.telegram.bot_api import BotApi
from connectors.telegram.polling import ALLOWED, WEBHOOK_SET
from connectors.telegram.ports import Arrival, Mark, Source
from connectors.telegram.webhook import Webhook


class Hooked:
    """See :class:`connectors.telegram.ports.Source`."""

    def __init__(self, api: BotApi, webhook: Webhook) -> None:
        self._api = api
        self._webhook = webhook
        self._url = str(webhook.parameters["url"])

    async def start(self) -> None:
        """Listen, and have the updates sent here. Setting the same webhook again changes nothing.

        A process that does not record only looks: it would take the updates from one that polls.
        A webhook that somebody else set is an error until a person removed it: that bot may be in
        use.
        """
        await self._webhook.start()
        found = text(await self._api.call("getWebhookInfo"), "url")
        if found and found != self._url:
            raise _elsewhere()
        if not self._webhook.listens:
            return
        await self._api.call(
            "setWebhook", **self._webhook.parameters, allowed_updates=list(ALLOWED)
        )

    async def next(self, mark: Mark, *, seconds: float) -> Arrival:
        """See :meth:`connectors.telegram.ports.Source.next`.

        Where nothing comes the Bot API is asked whether anything would: nobody else shows it.
        """
        # What the cursor names is durable. Crash before: it is posted again, and known already.
        self._webhook.confirm(mark.posts)
        posted = await self._webhook.posted(seconds=seconds)
        if posted.updates:
            return Arrival(updates=posted.updates, posts=posted.mark)
        if text(await self._api.call("getWebhookInfo"), "url") != self._url:
            raise _elsewhere()
        return Arrival()

    async def aclose(self) -> None:
        """Listen no more; what is not confirmed is posted again."""
        await self._webhook.aclose()


def _elsewhere() -> ConnectorRejectedError:
    return ConnectorRejectedError(
        "The updates of this bot go to another webhook, or to none.",
        code=WEBHOOK_SET,
        hint="Find out who changed it; then remove it with deleteWebhook and wait, or start again.",
    )


def _conforms(source: Hooked) -> Source:
    return source
