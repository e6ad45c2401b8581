"""``muniment keys``: room keys out to a file and in from one, by ``run`` or in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import structlog

from bridge.app.asking import Errand, Show, fulfil
from bridge.app.platforms import kept_keys_of
from bridge.app.reading import as_config_error
from bridge.clock import SystemClock
from bridge.errors import ConfigError, ConnectorError
from bridge.protocols import Clock, Connector, KeyFiles, KeyTransfer, Request, RequestKind
from bridge.reconcile import Advance, Answer, Answering
from config.secrets import read_secret
from config.settings import Settings
from config.tables import MatrixAccount

log = structlog.get_logger(__name__)

KeysOf = Callable[[str], AbstractAsyncContextManager[KeyFiles]]
"""The keys of the connector of a name; raises where there are none."""

OPENED_NOW = "What waited for one of them is opened now."
OPENED_LATER = "What waits for one of them is opened once `muniment run` runs."


async def transfer_keys(
    settings: Settings,
    *,
    kind: RequestKind,
    keys: KeyTransfer,
    by: str,
    show: Show,
    clock: Clock | None = None,
) -> str:
    """Export or import the room keys of a connector; gives a sentence with the counts.

    Raises:
        ConfigError: it was not done; nothing was replaced, and no key is worse than before.
        JournalError: office or journal cannot be used.
    """
    clock = clock or SystemClock()
    account = _account(settings, keys.connector)
    request = Request(kind=kind, by=by, at=clock.now(), keys=keys)

    @asynccontextmanager
    async def kept(_name: str) -> AsyncIterator[KeyFiles]:
        found = await kept_keys_of(settings, account, clock)
        try:
            yield found
        finally:
            await found.aclose()

    errand = Errand(
        request=request,
        ended=lambda progress: progress.answer,
        here=lambda advance: _answer(request, advance, kept, opened=OPENED_LATER),
    )
    answer = await fulfil(settings, errand, show=show, clock=clock)
    if not answer.done:
        raise ConfigError(answer.sentence, hint=answer.hint)
    return answer.sentence


def answering(connectors: Mapping[str, Connector]) -> Answering:
    """How a running recorder answers requests for keys."""

    @asynccontextmanager
    async def held(name: str) -> AsyncIterator[KeyFiles]:
        if name not in connectors:
            raise ConfigError(
                f"The running recorder has no connector {name}.",
                hint="Restart `muniment run`, so that it reads the settings again.",
            )
        decrypter = connectors[name].decrypter
        if decrypter is None:
            raise _keyless(name)
        yield decrypter

    async def answer(request: Request, advance: Advance) -> Answer:
        return await _answer(request, advance, held, opened=OPENED_NOW)

    return answer


def _account(settings: Settings, name: str) -> MatrixAccount:
    found = {account.name: account for account in settings.matrix}
    if name in found:
        return found[name]
    if any(each.name == name for each in settings.telegram):
        raise _keyless(name)
    named = ", ".join(found) or "there are no [[matrix]] tables"
    raise ConfigError(
        f"The settings have no connector {name}.", hint=f"Name a [[matrix]] table: {named}."
    )


def _keyless(name: str) -> ConfigError:
    return ConfigError(
        f"The connector {name} has no room keys.", hint="Name a connector that encrypts."
    )


async def _answer(request: Request, advance: Advance, keys_of: KeysOf, *, opened: str) -> Answer:
    asked = request.keys
    if asked is None:
        raise RuntimeError(f"a request of kind {request.kind} names no keys")
    try:
        passphrase = await asyncio.to_thread(_passphrase, asked.passphrase_file)
        async with keys_of(asked.connector) as keys:
            if request.kind is RequestKind.KEYS_EXPORT:
                advance.begin("exporting keys")
                sentence = await _export(request, asked, keys, passphrase)
            else:
                advance.begin("importing keys")
                sentence = await _import(request, asked, keys, passphrase, opened=opened)
    except (ConfigError, ConnectorError) as error:
        return Answer(done=False, sentence=str(error), hint=error.hint)
    return Answer(done=True, sentence=sentence)


async def _export(request: Request, asked: KeyTransfer, keys: KeyFiles, passphrase: bytes) -> str:
    count = await keys.export_keys(asked.file, passphrase)
    # A warning, since they open everything that was said.
    log.warning("keys_exported", connector=asked.connector, count=count, by=request.by)
    return f"{count} keys of {asked.connector} were exported to {asked.file}."


async def _import(
    request: Request, asked: KeyTransfer, keys: KeyFiles, passphrase: bytes, *, opened: str
) -> str:
    found = await keys.import_keys(asked.file, passphrase)
    log.warning(
        "keys_imported",
        connector=asked.connector,
        new=found.new,
        known=found.known,
        unreadable=found.unreadable,
        by=request.by,
    )
    count = found.new + found.known + found.unreadable
    return (
        f"Of {count} keys in {asked.file} {found.new} were new or better for {asked.connector}, "
        f"{found.known} brought nothing new, {found.unreadable} could not be read. {opened}"
    )


def _passphrase(file: Path) -> bytes:
    """What the file holds, as clients take it: UTF-8, without one newline at its end."""
    with as_config_error():
        return read_secret(file).encode()
