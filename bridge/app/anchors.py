"""Witnesses and the time-stamping authority from settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.anchoring import Anchoring
from bridge.app.reading import as_config_error
from bridge.errors import ConfigError
from bridge.notekeys import Algorithm, NoteVerifier, parse_verifier
from bridge.protocols import (
    Clock,
    Journal,
    ObjectStore,
    Published,
    TimestampAuthority,
    Witness,
)
from config.secrets import read_public
from config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsiders:
    """Who vouches for the log from outside."""

    witnesses: tuple[Witness, ...] = ()
    authority: TimestampAuthority | None = None

    async def aclose(self) -> None:
        """Give up connections."""
        for witness in self.witnesses:
            await witness.aclose()
        if self.authority is not None:
            await self.authority.aclose()


async def outsiders_of(settings: Settings, *, store: ObjectStore, clock: Clock) -> Outsiders:
    """Those that the settings name. Nothing is asked of them yet.

    Raises:
        ConfigError: a key or a certificate cannot be read, or is none.
    """
    return await asyncio.to_thread(
        lambda: Outsiders(
            witnesses=witnesses_of(settings, store=store, clock=clock),
            authority=authority_of(settings),
        )
    )


def anchoring_of(
    settings: Settings,
    outsiders: Outsiders,
    *,
    journal: Journal,
    store: ObjectStore,
    clock: Clock,
    published: Callable[[], Published | None],
) -> Anchoring:
    """What asks them."""
    return Anchoring(
        journal=journal,
        store=store,
        clock=clock,
        tenant=settings.service.tenant,
        retention_days=settings.longest_retention(),
        published=published,
        witnesses=outsiders.witnesses,
        quorum=settings.witness.quorum,
        authority=outsiders.authority,
    )


def witnesses_of(settings: Settings, *, store: ObjectStore, clock: Clock) -> tuple[Witness, ...]:
    """The configured witnesses. Nothing is asked of them yet. Blocks: reads their keys.

    Raises:
        ConfigError: a key cannot be read, is none of a witness, or stands there twice.
    """
    found = settings.all_witnesses()
    if not found:
        return ()
    from storage.translog.post import Outside
    from storage.translog.proving import StoredProofs
    from storage.translog.witness_client import HttpWitness

    proofs = StoredProofs(store)
    witnesses: dict[str, Witness] = {}
    for each in found:
        verifier = _verifier(each.public_key_file)
        if verifier.name in witnesses:
            raise ConfigError(
                f"{each.public_key_file} is the key of a witness that is named already.",
                hint="Give each witness the key of its own in [witness] and [[witnesses]].",
            )
        witnesses[verifier.name] = HttpWitness(
            Outside(
                url=each.url,
                ca_file=settings.service.ca_file,
                http_proxy=settings.service.http_proxy,
            ),
            verifier=verifier,
            consistency=proofs.consistency,
            clock=clock,
        )
    return tuple(witnesses.values())


def authority_of(settings: Settings) -> TimestampAuthority | None:
    """The configured time-stamping authority. Blocks: reads its root certificates.

    Raises:
        ConfigError: they cannot be read.
    """
    if settings.timestamp.url is None:
        return None
    from storage.translog.malformed import MalformedError
    from storage.translog.post import Outside
    from storage.translog.timestamps import HttpTimestampAuthority, read_roots

    file = settings.timestamp.ca_file
    try:
        with as_config_error():
            roots = read_roots(read_public(file).encode()) if file is not None else ()
    except MalformedError as error:
        raise ConfigError(
            f"[timestamp] ca_file {file}: {error}.",
            hint="Name a PEM file with the root certificate of the authority.",
        ) from None
    outside = Outside(
        url=settings.timestamp.url,
        ca_file=settings.service.ca_file,
        http_proxy=settings.service.http_proxy,
    )
    return HttpTimestampAuthority(outside, roots=roots)


def _verifier(file: Path) -> NoteVerifier:
    with as_config_error():
        line = read_public(file)
    try:
        return parse_verifier(line, algorithm=Algorithm.COSIGNATURE)
    except ConfigError as error:
        raise ConfigError(
            f"[witness] public_key_file {file}: {error}.",
            hint="Name the file with the one-line verifier key that the witness's operator gave.",
        ) from None
