"""Webhooks: where updates are brought, and until when."""

from __future__ import annotations

import pytest

from bridge.demo.ports import free_ports
from tests.servers.bot_api.wire import JsonObject
from tests.unit.servers.bot_api.receiver import receiver
from tests.unit.servers.bot_api.scene import Scene, numbers, texts


async def test_updates_are_brought_with_the_secret(scene: Scene) -> None:
    """What waited and what comes is posted with the token that was set."""
    scene.anna.say(scene.room, "before")
    async with receiver() as hook:
        said = await scene.ask("setWebhook", {"url": hook.url, "secret_token": "quite-secret"})
        assert said.body["description"] == "Webhook was set"
        scene.anna.say(scene.room, "after")
        assert sorted(texts(await hook.count(2))) == ["after", "before"]
        assert hook.secrets == ["quite-secret"] * 2
        await scene.ask("deleteWebhook")
    assert await scene.updates() == []


async def test_an_update_is_brought_until_it_is_taken(scene: Scene) -> None:
    """A refusal is repeated, and told by getWebhookInfo."""
    async with receiver() as hook:
        hook.refuse = 3
        await scene.ask("setWebhook", {"url": hook.url})
        scene.anna.say(scene.room, "at last")
        assert texts(await hook.count(1)) == ["at last"]
        info = (await scene.ask("getWebhookInfo")).object
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"
    assert info["last_error_date"] == int(scene.clock.now())


async def test_what_is_not_taken_within_24_hours_is_gone(scene: Scene) -> None:
    """It is pending until then."""
    async with receiver() as hook:
        hook.refuse = 1_000_000
        await scene.ask("setWebhook", {"url": hook.url})
        scene.anna.say(scene.room, "lost")
        assert (await scene.ask("getWebhookInfo")).object["pending_update_count"] == 1
        scene.clock.advance(24 * 3600)
        assert (await scene.ask("getWebhookInfo")).object["pending_update_count"] == 0


async def test_no_more_connections_than_allowed(scene: Scene) -> None:
    """Two at once, where two are allowed."""
    async with receiver() as hook:
        hook.open.clear()
        await scene.ask("setWebhook", {"url": hook.url, "max_connections": 2})
        for number in range(5):
            scene.anna.say(scene.room, str(number))
        await hook.under_way(2)
        hook.open.set()
        await hook.count(5)
        assert hook.most == 2


async def test_one_refused_may_be_overtaken(scene: Scene) -> None:
    """The order is in the identifiers, not in the deliveries."""
    async with receiver() as hook:
        scene.anna.say(scene.room, "first")
        scene.anna.say(scene.room, "second")
        hook.refuse = 1
        await scene.ask("setWebhook", {"url": hook.url, "max_connections": 1})
        taken = await hook.count(2)
        assert texts(taken) == ["second", "first"]
        assert numbers(taken) == sorted(numbers(taken), reverse=True)


async def test_get_updates_is_refused_while_a_webhook_is_set(scene: Scene) -> None:
    """One that waits is ended, a new one refused, until the webhook is deleted."""
    poll = await scene.poll()
    async with receiver() as hook:
        await scene.ask("setWebhook", {"url": hook.url})
        assert (await poll).refusal == (409, "Conflict: terminated by setWebhook request")
        status, said = (await scene.ask("getUpdates")).refusal
        assert status == 409
        assert said.startswith("Conflict: can't use getUpdates method while webhook is active")
        info = (await scene.ask("getWebhookInfo")).object
        assert info["url"] == hook.url
        await scene.ask("setWebhook", {"url": ""})
    assert (await scene.ask("getWebhookInfo")).object["url"] == ""
    assert await scene.updates() == []


async def test_a_webhook_is_served_again_after_an_outage(scene: Scene) -> None:
    """What came while the server was down is brought when it is up."""
    async with receiver() as hook:
        await scene.ask("setWebhook", {"url": hook.url})
        await scene.api.down()
        scene.anna.say(scene.room, "meanwhile")
        await scene.api.up()
        assert texts(await hook.count(1)) == ["meanwhile"]


async def test_a_webhook_that_nobody_serves_is_an_error_and_loses_nothing(scene: Scene) -> None:
    """The error is told, and getUpdates has the update once the webhook is deleted."""
    (port,) = free_ports(1)
    await scene.ask("setWebhook", {"url": f"http://127.0.0.1:{port}/hook"})
    scene.anna.say(scene.room, "unheard")
    info: JsonObject = {}
    while "last_error_message" not in info:
        info = (await scene.ask("getWebhookInfo")).object
    assert info["last_error_message"] == "Connection refused"
    await scene.ask("deleteWebhook")
    assert texts(await scene.updates()) == ["unheard"]


@pytest.mark.parametrize("method", ["setWebhook", "deleteWebhook"])
async def test_what_is_pending_can_be_dropped(scene: Scene, method: str) -> None:
    """drop_pending_updates forgets what waited."""
    scene.anna.say(scene.room, "unwanted")
    async with receiver() as hook:
        await scene.ask(method, {"url": hook.url, "drop_pending_updates": True})
        assert (await scene.ask("getWebhookInfo")).object["pending_update_count"] == 0
        assert hook.taken == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://example.org/hook"}, "An HTTPS URL must be provided for webhook"),
        ({"url": "https://example.org:8080/hook"}, "only on ports 80, 88, 443 or 8443"),
        ({"url": "http://127.0.0.1:9/", "secret_token": "a b"}, "unallowed characters"),
    ],
)
async def test_a_webhook_that_may_not_be_is_refused(
    scene: Scene, given: dict[str, str], said: str
) -> None:
    """It is no webhook then."""
    status, description = (await scene.ask("setWebhook", given)).refusal
    assert status == 400
    assert said in description
    assert (await scene.ask("getWebhookInfo")).object["url"] == ""
