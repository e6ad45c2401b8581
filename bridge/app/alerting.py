"""Who is told by which way, and of what besides the alarms that ``/readyz`` has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from bridge import keys
from bridge.alerts import Channel, Webhook
from bridge.app.reading import as_config_error
from bridge.errors import ConfigError, JournalUnavailableError
from bridge.health import Alarm
from bridge.model import GroupState
from bridge.protocols import Clock, Counts, Journal
from bridge.reconcile import read_fixity
from bridge.undecided import BEFORE
from config.secrets import read_secret
from config.settings import Settings
from config.values import is_local, is_web_address

LOOK_SECONDS = 10.0
WITHHELD = timedelta(minutes=10)
"""Keys that take longer than this to come are withheld, by mistake or on purpose."""

UNDECIDED_SOON = timedelta(days=3)
"""So long before policy decides in people's place they are reminded."""


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """The configured ways. Nothing is sent yet. Blocks: reads their secrets.

    Raises:
        ConfigError: a secret cannot be read, or is none.
    """
    found: list[Channel] = []
    alerts, service = settings.alerts, settings.service
    if alerts.webhook_url_file is not None:
        found.append(
            Webhook(
                _address(alerts.webhook_url_file),
                tenant=service.tenant,
                ca_file=service.ca_file,
                http_proxy=service.http_proxy,
            )
        )
    if alerts.email_to and alerts.email_from and alerts.smtp_host:
        from bridge.alerts.mail import Mail, MailServer, Security

        password = None
        if alerts.smtp_password_file is not None:
            with as_config_error():
                password = read_secret(alerts.smtp_password_file)
        server = MailServer(
            host=alerts.smtp_host,
            port=alerts.port,
            security=Security(alerts.smtp_security),
            user=alerts.smtp_user,
            password=password,
            ca_file=service.ca_file,
        )
        found.append(
            Mail(
                server,
                sender=alerts.email_from,
                recipients=alerts.email_to,
                tenant=service.tenant,
            )
        )
    return tuple(found)


def _address(file: Path) -> str:
    with as_config_error():
        address = read_secret(file)
    if not is_web_address(address):
        # Not repeated: whoever knows it can send.
        raise ConfigError(
            f"[alerts] webhook_url_file {file} holds no web address.",
            hint="Write https://HOST/PATH into it, on one line, without user name or password.",
        )
    if not address.startswith("https:") and not is_local(address):
        raise ConfigError(
            f"[alerts] webhook_url_file {file} holds an address that is not https: it and the"
            " alerts would go in the clear.",
            hint="Write https://HOST/PATH into it; http is for a receiver on this machine alone.",
        )
    return address


class Conditions:
    """What people are told though it is no alarm of ``/readyz``: a restart of nothing mends it."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        blind_key: bytes,
        review: timedelta,
        fixity: Path,
    ) -> None:
        """``review`` is the time that reviews have; ``fixity`` where comparisons end."""
        self._journal = journal
        self._clock = clock
        self._blind_key = blind_key
        self._review = review
        self._fixity_file = fixity
        self._found: tuple[Alarm, ...] = ()
        self._next_look = float("-inf")

    async def now(self) -> tuple[Alarm, ...]:
        """What stands, looked at every few seconds; as before while the journal is away."""
        if self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + LOOK_SECONDS
            with suppress(JournalUnavailableError):  # the parts that need it say so
                self._found = (*await self._groups(), *await self._counted(), *await self._fixity())
        return self._found

    async def _groups(self) -> list[Alarm]:
        """Groups that the recorder should hear and does not."""
        told = {
            GroupState.REMOVED: "recorder removed",
            GroupState.NOT_RECORDING: "not recording",
        }
        return [
            _said(
                "groups",
                told[group.state],
                subject=keys.group_gid(self._blind_key, group.platform, group.group_id),
            )
            for group in await self._journal.groups()
            if group.state in told
        ]

    async def _counted(self) -> list[Alarm]:
        counts = await self._journal.counts(now=self._clock.now())
        return [_said(part, trouble) for part, trouble in self._backlogs(counts)]

    def _backlogs(self, counts: Counts) -> list[tuple[str, str]]:
        now = self._clock.now()
        found = []
        if counts.overdue:
            found.append(("messages", "overdue"))
        if counts.oldest_encrypted is not None and now - counts.oldest_encrypted > WITHHELD:
            found.append(("messages", "keys withheld"))
        decided = max(self._review - BEFORE, timedelta(0))
        latest = max(decided - UNDECIDED_SOON, decided / 2)
        if counts.oldest_review is not None and now - counts.oldest_review > latest:
            found.append(("reviews", "soon decided by policy"))
        return found

    async def _fixity(self) -> Sequence[Alarm]:
        """Whether the last comparison with the store found what does not fit."""
        last = await asyncio.to_thread(read_fixity, self._fixity_file)
        fits = last is None or last.fits
        return () if fits else (_said("store", "does not fit the journal"),)


def _said(part: str, trouble: str, *, subject: str = "") -> Alarm:
    return Alarm(part=part, trouble=trouble, sentence=f"{part}: {trouble}.", subject=subject)
