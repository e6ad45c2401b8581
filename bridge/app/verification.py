"""``verify``: what it takes to ask, from arguments alone or from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.app.evidence import KEY_NAME, S3_THREADS, evidence_at
from bridge.app.places import StorePlace, place_at, place_of
from bridge.app.reading import VERSION, as_config_error
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.notekeys import Algorithm, NoteVerifier, parse_verifier
from bridge.protocols.evidence import Evidence
from config.secrets import read_public
from storage.translog.malformed import MalformedError
from storage.translog.verify.engine import Question, verify
from storage.translog.verify.heads import SignedHead, read_known
from storage.translog.verify.one import Proof, verify_one
from storage.translog.verify.report import Report
from storage.translog.verify.workers import cores

if TYPE_CHECKING:
    from cryptography import x509

    from config.settings import Settings

__all__ = ["Asked", "Report", "verification", "verification_of_one"]

LARGEST_KNOWN = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments. Without ``store`` that of the settings is meant, and their key."""

    store: str | None = None
    public_key: Path | None = None
    endpoint_url: str | None = None
    region: str | None = None
    credentials_file: Path | None = None
    known: tuple[Path, ...] = ()
    witness_keys: tuple[Path, ...] = ()
    tsa_ca: Path | None = None
    since: datetime | None = None
    objects: bool = True


def verification(
    asked: Asked,
    settings: Callable[[], Settings],
    *,
    step: Callable[[str, int, int | None], None] = lambda _what, _done, _total: None,
) -> Report:
    """Verify a store. ``settings`` are read only where an argument is missing. Blocks.

    Raises:
        ConfigError: an argument cannot be used, or the store is empty.
        ObjectStoreError: the store cannot be read.
    """
    question, evidence = _prepared(asked, settings, step)
    try:
        return verify(evidence, question)
    finally:
        evidence.close()


def verification_of_one(
    asked: Asked, settings: Callable[[], Settings], *, key: str
) -> tuple[Report, tuple[Proof, ...]]:
    """Verify one record, reading only what that takes; gives the proofs of its leaves. Blocks.

    Raises:
        ConfigError: an argument cannot be used, or the store is empty.
        ObjectStoreError: the store cannot be read.
    """
    question, evidence = _prepared(asked, settings, lambda _what, _done, _total: None)
    try:
        return verify_one(evidence, question, key.removeprefix(f"v1/{question.tenant}/"))
    finally:
        evidence.close()


def _prepared(
    asked: Asked,
    settings: Callable[[], Settings],
    step: Callable[[str, int, int | None], None],
) -> tuple[Question, Evidence]:
    key_file = asked.public_key or settings().keys.public_key_file
    keys = _keys(key_file, Algorithm.ED25519)
    tenant, shard = _tenant_and_shard(keys[0].name)
    if any(key.name != keys[0].name for key in keys):
        raise ConfigError(f"{key_file} holds keys of several logs", hint=KEY_NAME)
    place = _place(asked, settings)
    is_folder = place.location.folder is not None
    question = Question(
        keys=keys,
        tenant=tenant,
        shard=shard,
        now=SystemClock().now(),
        version=VERSION,
        known=tuple(_known(path) for path in asked.known),
        witnesses=tuple(
            key for path in asked.witness_keys for key in _keys(path, Algorithm.COSIGNATURE)
        ),
        authorities=_authorities(asked.tsa_ca),
        since=asked.since,
        objects=asked.objects,
        threads=1 if is_folder else S3_THREADS,
        processes=cores() if is_folder else 1,
        step=step,
    )
    return question, evidence_at(place, tenant)


def _tenant_and_shard(name: str) -> tuple[str, str]:
    parts = name.rsplit("/", 3)
    if len(parts) != 4 or parts[2] != "log" or not all(parts):
        raise ConfigError(f'The key is named "{name}", which names no log of ours.', hint=KEY_NAME)
    return parts[1], parts[3]


def _keys(path: Path, algorithm: Algorithm) -> tuple[NoteVerifier, ...]:
    """The keys in a file, one on a line."""
    with as_config_error():
        lines = read_public(path).splitlines()
    try:
        return tuple(parse_verifier(line, algorithm=algorithm) for line in lines if line.strip())
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", hint=error.hint) from None


def _known(path: Path) -> SignedHead:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_KNOWN + 1)
    except OSError as error:
        raise ConfigError(
            f"--known {path} cannot be read ({error.strerror}).", hint="Correct the path."
        ) from None
    return read_known(data, str(path))


def _authorities(path: Path | None) -> tuple[x509.Certificate, ...]:
    if path is None:
        return ()
    from storage.translog.timestamps import read_roots

    try:
        return read_roots(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"--tsa-ca {path} cannot be read ({error.strerror}).", hint="Correct the path."
        ) from None
    except MalformedError as error:
        raise ConfigError(
            f"--tsa-ca {path}: {error}.", hint="Give the authority's certificates as PEM."
        ) from None


def _place(asked: Asked, settings: Callable[[], Settings]) -> StorePlace:
    if asked.store is None:
        return place_of(settings())
    place = place_at(asked.store, Path.cwd(), None)
    return StorePlace(
        url=place.url,
        location=place.location,
        lock_mode=place.lock_mode,
        endpoint_url=asked.endpoint_url,
        region=asked.region,
        credentials_file=asked.credentials_file,
    )
