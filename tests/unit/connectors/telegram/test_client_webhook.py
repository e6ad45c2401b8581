"""The same connector behind a webhook."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from bridge.demo.ports import free_ports
from bridge.errors import ConnectorRejectedError, EnvelopeError
from bridge.model import EventKind
from connectors.telegram.webhook import Webhook, WebhookPlace
from tests.fakes.intake import Intake, telegram_connector
from tests.unit.connectors.telegram.scene import Office


@pytest.fixture(name="hooked")
async def _hooked(at: Office) -> AsyncIterator[Office]:
    (port,) = free_ports(1)
    boots = iter(f"boot {n}" for n in range(99))
    url = f"http://127.0.0.1:{port}/hook"
    place = WebhookPlace(url=url, host="127.0.0.1", port=port, secret="s3cret")
    await at.intake.connector.aclose()
    at.intake = Intake(
        lambda: telegram_connector(
            at.api.url, at.bot.token, at.clock, webhook=Webhook(place, boot=next(boots))
        )
    )
    yield at
    at.bot.webhook = None


async def test_a_process_that_does_not_record_sets_no_webhook(at: Office) -> None:
    """It looks only: a recorder that asks for the same updates goes on."""
    room, _ = await at.recorded()
    place = WebhookPlace(url="http://127.0.0.1:9/hook", host="127.0.0.1", port=9, secret="s3cret")
    webhook = Webhook(place, boot="boot", listens=False)
    probe = telegram_connector(at.api.url, at.bot.token, at.clock, webhook=webhook)
    await probe.start()
    await probe.aclose()
    assert at.bot.webhook is None
    await at.hears(room, "undisturbed")


async def test_confirmed_once_durable(hooked: Office) -> None:
    """An update stays with the platform until the cursor that covers it is given back."""
    at = hooked
    room, group = await at.recorded()
    await at.intake.take(keep=False) if at.bot.updates.pending() else None
    at.clerk.say(room, "said")
    await at.intake.until(lambda: "said" in at.intake.bodies(group))
    assert at.bot.updates.pending()
    at.clerk.say(room, "next")
    await at.intake.until(lambda: "next" in at.intake.bodies(group))
    assert at.intake.bodies(group) == ["said", "next"]


async def test_a_process_that_died_gets_it_again(hooked: Office) -> None:
    """What was not durable is delivered to the next process, in order."""
    at = hooked
    room, group = await at.recorded()
    for n in range(5):
        at.clerk.say(room, f"message {n}")
        await at.intake.take(keep=False)
        await at.intake.restart()
    await at.intake.until(lambda: len(at.intake.bodies(group)) == 5)
    assert at.intake.bodies(group) == [f"message {n}" for n in range(5)]


async def test_what_was_refused_is_not_left_out(hooked: Office) -> None:
    """Back at long polling, an update that others overtook is still asked for."""
    at = hooked
    room, group = await at.recorded()
    at.clerk.say(room, "one")
    await at.intake.until(lambda: "one" in at.intake.bodies(group))
    assert at.place.offset is None
    assert at.place.posts


async def test_a_post_that_cannot_be_split(hooked: Office) -> None:
    """It is kept, told as a loss of each group once, and holds up nothing."""
    at = hooked
    room, group = await at.recorded()
    broken = at.api.raw(at.bot, b'"message":{"date":[1}')
    with pytest.raises(EnvelopeError) as error:
        await at.intake.until(lambda: False)
    assert str(broken).encode() in error.value.body
    at.bot.updates.forget()
    at.clerk.say(room, "after")
    while "after" not in at.intake.bodies(group):
        with contextlib.suppress(EnvelopeError):
            await at.intake.take()
    at.clerk.say(room, "and on")
    await at.intake.until(lambda: "and on" in at.intake.bodies(group))
    assert [(loss.group_id, loss.why) for loss in at.intake.losses] == [
        (group, "response_unreadable")
    ]


async def test_a_webhook_of_somebody_else(hooked: Office) -> None:
    """A webhook that is not ours is not taken over."""
    at = hooked
    await at.intake.start()
    assert at.bot.webhook is not None
    at.bot.webhook = type(at.bot.webhook)(
        url="http://127.0.0.1:9/other",
        secret_token="",
        max_connections=1,
        ip_address="127.0.0.1",
        has_custom_certificate=False,
    )
    with pytest.raises(ConnectorRejectedError, match="another webhook"):
        await at.intake.connector.start()
    assert at.intake.of("x", EventKind.MESSAGE) == []
