"""The recovery key: what opens the account's secret storage, as people write it down.

``0x8B 0x01``, 32 bytes of key, and a byte that makes the exclusive or of all of them zero, in
base58, in groups of four (Matrix specification, "Cryptographic key representation").
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Self

from bridge.errors import ConfigError
from bridge.whole_file import sync_folder
from connectors.matrix.crypto.refusals import RecoveryKeyFormatError

KEY_BYTES = 32
PREFIX = b"\x8b\x01"
WHOLE_BYTES = len(PREFIX) + KEY_BYTES + 1
GROUP = 4
LONGEST_FILE = 4096
_LONGEST_TEXT = 256
_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}

RandomBytes = Callable[[int], bytes]
"""Gives that many bytes that nobody can foresee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKey:
    """The 32 bytes. They stay out of its representation."""

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES:
            raise RuntimeError("a recovery key has 32 bytes")

    @classmethod
    def make(cls, random: RandomBytes) -> Self:
        """A new one."""
        return cls(raw=random(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person gives; white space is nothing.

        Raises:
            RecoveryKeyFormatError: it is empty, holds other characters, is too short or too
                long, mistyped, or some other kind of key.
        """
        whole = _from_base58("".join(text.split()))
        if len(whole) != WHOLE_BYTES:
            longer = "long" if len(whole) > WHOLE_BYTES else "short"
            raise RecoveryKeyFormatError(
                f"The recovery key is too {longer}: {len(whole)} bytes instead of {WHOLE_BYTES}."
            )
        if reduce(xor, whole):
            raise RecoveryKeyFormatError("The recovery key is mistyped: its parity is wrong.")
        if not whole.startswith(PREFIX):
            raise RecoveryKeyFormatError(
                "The text is a key of another kind: it does not begin as recovery keys do."
            )
        return cls(raw=whole[len(PREFIX) : -1])

    def text(self) -> str:
        """Groups of four, as it is shown to people. MUST only go to a file of mode 0600."""
        bare = PREFIX + self.raw
        digits = _to_base58(bare + bytes([reduce(xor, bare)]))
        return " ".join(digits[i : i + GROUP] for i in range(0, len(digits), GROUP))


def read_key(file: Path) -> RecoveryKey | None:
    """The key in ``file``, or None where there is no such file. Blocks.

    Raises:
        RecoveryKeyFormatError: the file holds something else.
        ConfigError: it cannot be read.
    """
    try:
        with file.open("rb") as source:
            data = source.read(LONGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"The recovery key in {file} cannot be read ({error.strerror}).",
            hint="Let the recorder's user read the file.",
        ) from None
    try:
        return RecoveryKey.parse(data.decode("ascii"))
    except UnicodeDecodeError:
        raise RecoveryKeyFormatError(f"{file} holds no recovery key: it is not text.") from None
    except RecoveryKeyFormatError as error:
        raise RecoveryKeyFormatError(f"In {file}: {error}") from None


def write_key(file: Path, key: RecoveryKey) -> None:
    """Keep ``key`` in ``file``, mode 0600. Blocks. Durable on return.

    MUST NOT replace a file: what is in it may be the only key to an identity. Crash: the file is
    there whole or not at all. What the crash leaves beside it may be the same file under a second
    name: it is taken away and never written to.

    Raises:
        ConfigError: there is a file of that name, or none can be written.
    """
    fresh = file.with_name(f"{file.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            os.fchmod(descriptor, 0o600)
            out.write(key.text().encode("ascii") + b"\n")
            out.flush()
            os.fsync(descriptor)
        os.link(fresh, file)
        fresh.unlink()
        sync_folder(file.parent)
    except OSError as error:
        raise ConfigError(
            f"The recovery key cannot be kept in {file} ({error.strerror}).",
            hint="Let the recorder write [service] data_dir, and never remove a recovery key.",
        ) from None


def _to_base58(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    digits = ""
    while number:
        number, value = divmod(number, len(_DIGITS))
        digits = _DIGITS[value] + digits
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _DIGITS[0] * zeros + digits


def _from_base58(text: str) -> bytes:
    if not text:
        raise RecoveryKeyFormatError("The recovery key is empty.")
    if len(text) > _LONGEST_TEXT:
        raise RecoveryKeyFormatError(f"The recovery key is too long: {len(text)} characters.")
    number = 0
    for place, character in enumerate(text, start=1):
        value = _VALUES.get(character)
        if value is None:
            raise RecoveryKeyFormatError(
                f"The text is no recovery key: character {place} is none that one can hold."
            )
        number = number * len(_DIGITS) + value
    zeros = len(text) - len(text.lstrip(_DIGITS[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
