"""Note keys: their two line formats, read and written (C2SP signed-note). Pure.

A signing key is ``PRIVATE+KEY+<name>+<hash>+<data>``, a verifier key ``<name>+<hash>+<data>``:
``hash`` is eight hex digits, ``data`` the standard base64 of the algorithm's byte and the 32-byte
seed or public key. The hash is over name, algorithm and public key, so both lines of a pair carry
the same one, and a key cannot be passed off under another name or for another use. Files are read
elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.errors import ConfigError

_PRIVATE = "PRIVATE+KEY+"
_SIGNING_HINT = "Set [keys] signing_key_file to the one-line signing key that `init` wrote."
_VERIFIER_HINT = "Give the one-line verifier key (public.key) of the log."


class Algorithm(IntEnum):
    """What a key signs: a log its checkpoints, a witness its dated cosignatures. Both Ed25519."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteVerifier:
    """Who may have signed: the key's name, its hash, the raw public key, and for what."""

    name: str
    key_hash: int
    public_key: bytes
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def line(self) -> str:
        """The verifier key as foreign tools read it."""
        return _line(self, self.public_key)

    @property
    def short(self) -> str:
        """Name and hash: as much of it as people compare."""
        return f"{self.name}+{self.key_hash:08x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSigner:
    """A signing key. ``seed`` is secret and stays out of every message and representation."""

    verifier: NoteVerifier
    seed: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The key's name, which is the log's origin."""
        return self.verifier.name

    @property
    def line(self) -> str:
        """The signing key as its file holds it."""
        return _PRIVATE + _line(self.verifier, self.seed)


def origin(log_origin: str, tenant: str, shard: str = "0") -> str:
    """The log's origin, and the name of the key that signs it."""
    return f"{log_origin}/{tenant}/log/{shard}"


def generate(
    name: str,
    random_bytes: Callable[[int], bytes],
    *,
    algorithm: Algorithm = Algorithm.ED25519,
) -> tuple[str, str]:
    """A new pair for ``name``: the signing line and the verifier line.

    Raises:
        ConfigError: ``name`` cannot name a key.
    """
    if not _is_name(name):
        raise ConfigError(
            f"{name!r} cannot name a signing key",
            hint="Use a log origin and tenant without spaces and without +.",
        )
    signer = _signer(name, random_bytes(32), algorithm)
    return signer.line, signer.verifier.line


def parse_signing_key(line: str, *, algorithm: Algorithm = Algorithm.ED25519) -> NoteSigner:
    """Read a signing key of this algorithm.

    Raises:
        ConfigError: it is not one, or its hash does not fit its name and key.
    """
    text = line.strip()
    if not text.startswith(_PRIVATE):
        raise ConfigError("the signing key does not begin with PRIVATE+KEY+", hint=_SIGNING_HINT)
    name, key_hash, seed = _split(text.removeprefix(_PRIVATE), "signing", _SIGNING_HINT, algorithm)
    signer = _signer(name, seed, algorithm)
    if signer.verifier.key_hash != key_hash:
        raise ConfigError(
            f"the signing key of {name!r} does not have the hash it states", hint=_SIGNING_HINT
        )
    return signer


def parse_verifier(line: str, *, algorithm: Algorithm = Algorithm.ED25519) -> NoteVerifier:
    """Read a verifier key of this algorithm.

    Raises:
        ConfigError: it is not one, or its hash does not fit its name and key.
    """
    text = line.strip()
    if text.startswith(_PRIVATE):
        raise ConfigError("this is the signing key, not the verifier key", hint=_VERIFIER_HINT)
    name, key_hash, public_key = _split(text, "verifier", _VERIFIER_HINT, algorithm)
    if _hash(name, public_key, algorithm) != key_hash:
        raise ConfigError(
            f"the verifier key of {name!r} does not have the hash it states", hint=_VERIFIER_HINT
        )
    return NoteVerifier(name=name, key_hash=key_hash, public_key=public_key, algorithm=algorithm)


def _signer(name: str, seed: bytes, algorithm: Algorithm) -> NoteSigner:
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    verifier = NoteVerifier(
        name=name,
        key_hash=_hash(name, public_key, algorithm),
        public_key=public_key,
        algorithm=algorithm,
    )
    return NoteSigner(verifier=verifier, seed=seed)


def _hash(name: str, public_key: bytes, algorithm: Algorithm) -> int:
    digest = hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public_key).digest()
    return int.from_bytes(digest[:4], "big")


def _line(verifier: NoteVerifier, key: bytes) -> str:
    data = base64.b64encode(bytes([verifier.algorithm]) + key).decode("ascii")
    return f"{verifier.name}+{verifier.key_hash:08x}+{data}"


def _split(text: str, what: str, hint: str, algorithm: Algorithm) -> tuple[str, int, bytes]:
    """Name, stated hash and 32 key bytes. The last part may itself hold a ``+`` (base64)."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]):
        raise ConfigError(f"the {what} key is not of the form name+hash+data", hint=hint)
    name, stated, encoded = parts
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = None
    if data is None or re.fullmatch("[0-9a-fA-F]{8}", stated) is None:
        # The text itself may be secret, so the message does not repeat it.
        raise ConfigError(f"the {what} key is damaged", hint=hint)
    if len(data) != 33 or data[0] != algorithm:
        wanted = "an Ed25519 key" if algorithm is Algorithm.ED25519 else "a cosigning key"
        raise ConfigError(f"the {what} key is not {wanted}", hint=hint)
    return name, int(stated, 16), data[1:]


def _is_name(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)
