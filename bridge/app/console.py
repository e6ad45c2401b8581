"""The console from settings: what it reads, and the office that it writes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from zoneinfo import ZoneInfo

import structlog

from bridge.app.adapters import (
    CATALOG_FILE,
    OFFICE,
    open_journal,
    open_office,
    open_store,
)
from bridge.app.policies import policy_of
from bridge.app.proofs import proofs_of
from bridge.app.reading import as_config_error
from bridge.app.rules import platforms_of, schedule_of
from bridge.app.standing import RecorderBeside
from bridge.clock import SystemClock
from bridge.console.callers import is_loopback
from bridge.console.gate import Gate
from bridge.console.oidc import Claims, Provider
from bridge.console.serving import console, listen, serve
from bridge.console.site import Parts
from bridge.console.wire import Wire
from bridge.errors import ConfigError, JournalError, JournalUnavailableError, MunimentError
from bridge.protocols import Clock, Journal
from bridge.protocols.people import Role
from config.secrets import read_key, read_secret
from config.settings import Settings
from config.values import host_and_port
from storage.catalog import SqliteCatalog
from storage.office.holds import SqliteHolds
from storage.office.people import SqlitePeople

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 5.0
"""How long ``run --console`` waits before it tries again to serve what it could not."""


def check_console(settings: Settings) -> None:
    """Refuse what would let people in who should stay out.

    Raises:
        ConfigError: local accounts would sign in from afar, or a role is none.
    """
    host, _ = host_and_port(settings.service.console)
    if settings.console.oidc_issuer is None and not is_loopback(host):
        raise ConfigError(
            f"[service] console {settings.service.console} can be reached from other machines, and"
            " local accounts sign in on this one only.",
            hint="Set [console] oidc_issuer and oidc_client_id, or let it listen on 127.0.0.1.",
        )
    roles_of(settings.console.oidc_roles)


def roles_of(pairs: Sequence[str]) -> Mapping[str, frozenset[Role]]:
    """The roles by the values of a claim, from ``VALUE=ROLE``.

    Raises:
        ConfigError: a role is none.
    """
    found: dict[str, frozenset[Role]] = {}
    for pair in pairs:
        value, _, name = pair.rpartition("=")
        found[value.strip()] = found.get(value.strip(), frozenset()) | {role_named(name.strip())}
    return found


def role_named(name: str) -> Role:
    """The role of this name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return Role(name)
    except ValueError:
        names = ", ".join(sorted(each.value for each in Role))
        raise ConfigError(f"{name!r} is no role.", hint=f"Use one of: {names}.") from None


class LookedAt:
    """The journal of a recorder beside us. Implements :class:`bridge.console.site.Ledger`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._path = settings.service.data_dir / "journal.db"
        self._file: int | None = None
        self._found: Journal | MunimentError = JournalUnavailableError("Not looked for yet.")
        self._looking = asyncio.Lock()

    @property
    def journal(self) -> Journal:
        """The journal."""
        if isinstance(self._found, MunimentError):
            raise self._found
        return self._found

    async def look(self) -> None:
        """Open it where it was not, and where a restored one stands in its place."""
        file = await asyncio.to_thread(_inode, self._settings)
        async with self._looking:
            if file is not None and file == self._file:
                return
            await self.aclose()
            try:
                self._found = await open_journal(self._settings, self._clock, look=True)
                self._file = file
            except MunimentError as error:
                self._found = error

    async def aclose(self) -> None:
        """Close it, if it is open."""
        journal, self._file = self._found, None
        self._found = JournalUnavailableError("The journal was closed.")
        if not isinstance(journal, MunimentError):
            with suppress(JournalError):
                await journal.aclose()


def _inode(settings: Settings) -> int | None:
    try:
        return (settings.service.data_dir / "journal.db").stat().st_ino
    except OSError:
        return None


@asynccontextmanager
async def console_of(settings: Settings) -> AsyncIterator[Gate]:
    """The console of a recorder, which need not run, or ever have run.

    Raises:
        MunimentError: what it stands on cannot be opened.
    """
    check_console(settings)
    folder, clock = settings.service.data_dir, SystemClock()
    with as_config_error():
        blind_key = await asyncio.to_thread(read_key, settings.keys.blind_key_file)
    provider = await asyncio.to_thread(_provider, settings)
    zone = await asyncio.to_thread(ZoneInfo, "Europe/London")
    async with AsyncExitStack() as stack:
        office = await SqlitePeople.open(folder / OFFICE)
        stack.push_async_callback(office.aclose)
        orders = await open_office(settings)
        stack.push_async_callback(orders.aclose)
        holds = await SqliteHolds.open(folder / OFFICE)
        stack.push_async_callback(holds.aclose)
        ledger = LookedAt(settings, clock)
        stack.push_async_callback(ledger.aclose)
        store = open_store(settings, clock)
        stack.push_async_callback(store.aclose)
        catalog = SqliteCatalog(folder / CATALOG_FILE)
        stack.push_async_callback(catalog.aclose)
        proofs = proofs_of(settings, clock)
        stack.push_async_callback(proofs.aclose)
        policy = await asyncio.to_thread(policy_of, settings)
        parts = Parts(
            catalog=catalog,
            ledger=ledger,
            store=store,
            office=office,
            clock=clock,
            blind_key=blind_key,
            zone=zone,
            department=settings.service.department or settings.service.tenant,
            tenant=settings.service.tenant,
            hosts=frozenset(settings.console.hosts),
            trusted_proxy=settings.console.trusted_proxy,
            provider=provider,
            address=settings.console.address,
            recorder=RecorderBeside(settings, clock),
            proofs=proofs,
            policy=policy,
            orders=orders,
            holds=holds,
            schedule=schedule_of(settings),
            connectors=platforms_of(settings),
            unfit_group=settings.unfit_group,
        )
        stack.push_async_callback(parts.exports.aclose)
        yield await asyncio.to_thread(console, parts, random_bytes=os.urandom)


def _provider(settings: Settings) -> Provider | None:
    """Where people sign in, where that is not here."""
    asked = settings.console
    if asked.oidc_issuer is None or asked.oidc_client_id is None:
        return None
    secret = None
    if asked.oidc_client_secret_file is not None:
        with as_config_error():
            secret = read_secret(asked.oidc_client_secret_file)
    return Provider(
        issuer=asked.oidc_issuer,
        client_id=asked.oidc_client_id,
        client_secret=secret,
        claims=Claims(
            name=asked.oidc_name_claim,
            roles=asked.oidc_roles_claim,
            groups=asked.oidc_groups_claim,
            mapping=roles_of(asked.oidc_roles),
        ),
        wire=Wire(ca_file=settings.service.ca_file, http_proxy=settings.service.http_proxy),
    )


async def serve_console(
    settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve it on ``[service] console`` until ``stop`` is set; ``ready`` once it listens.

    Raises:
        MunimentError: it cannot be served.
    """
    async with console_of(settings) as app:
        listener = await listen(*host_and_port(settings.service.console))
        ready()
        await serve(app, listener, stop=stop)


async def serve_beside(
    settings: Settings, *, stop: asyncio.Event, trouble: Callable[[str], None]
) -> None:
    """Serve it in the process of a recorder, which goes on whatever happens here.

    ``trouble`` is told in a sentence why it is not served, and nothing once it is.
    """
    while not stop.is_set():
        try:
            await serve_console(settings, stop=stop, ready=lambda: trouble(""))
        except MunimentError as error:
            trouble(f"The console is not served: {error}")
        except Exception as error:  # a fault of the console must not end the recording
            log.error("console_ended", error=type(error).__name__)  # noqa: TRY400
            trouble("The console ended by a fault of its own, and is started again.")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)
