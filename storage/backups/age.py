"""The age format (age-encryption.org/v1), streamed: X25519 recipients, by pyrage."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, TypeAlias

import pyrage
from pyrage import x25519

from bridge.errors import ConfigError

MAKE_ONE = "Make a pair with `age-keygen -o identity.txt`, and keep identity.txt elsewhere."
Recipient: TypeAlias = x25519.Recipient
Identity: TypeAlias = x25519.Identity
DAMAGED = "Take another copy of it: it is damaged, or was not written to its end."


class Readable(Protocol):
    """What can be read in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def recipient_of(text: str) -> Recipient:
    """The recipient that ``text`` is, as ``age1...``.

    Raises:
        ConfigError: it is none. The text is not repeated: it may be the secret.
    """
    try:
        return x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise ConfigError(
            "[backup] recipient is no age recipient (age1...).", hint=MAKE_ONE
        ) from None


def identities_of(text: str, *, name: str) -> list[Identity]:
    """The identities in a file as ``age-keygen`` writes it.

    Raises:
        ConfigError: there is none; nothing of the text is repeated.
    """
    lines = [line.strip() for line in text.splitlines()]
    found = []
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        try:
            found.append(x25519.Identity.from_str(line))
        except pyrage.IdentityError:
            raise ConfigError(
                f"Line {number} of {name} is no age identity (AGE-SECRET-KEY-1...).",
                hint="Give the file that `age-keygen` made; one that is encrypted itself is to be"
                " decrypted with `age -d` first.",
            ) from None
    if not found:
        raise ConfigError(f"{name} holds no age identity.", hint=MAKE_ONE)
    return found


def encrypt(chunks: Iterator[bytes], sink: BinaryIO, recipient: Recipient) -> None:
    """Encrypt what ``chunks`` gives, and write it; nothing is kept in memory.

    Raises:
        OSError: as ``chunks`` or ``sink`` raise it, and so with whatever else they raise.
    """
    source, target = _Source(chunks), _Sink(sink)
    try:
        pyrage.encrypt_io(source, target, [recipient])
    except Exception as error:
        raise source.failure or target.failure or error from None


def decrypt(source: Readable, sink: BinaryIO, identities: list[Identity]) -> None:
    """Decrypt ``source`` into ``sink``.

    What was written before it raises MUST NOT be relied on: the end may be cut off.

    Raises:
        ConfigError: it is for another identity, damaged, or no such file.
        OSError: as ``source`` or ``sink`` raise it.
    """
    reading, target = (
        _Source(iter(lambda: source.read(io.DEFAULT_BUFFER_SIZE * 8), b"")),
        _Sink(sink),
    )
    try:
        pyrage.decrypt_io(reading, target, identities)
    except pyrage.DecryptError as error:
        if (failure := reading.failure or target.failure) is not None:
            raise failure from None
        if "matching keys" in str(error):
            raise ConfigError(
                "The back-up is encrypted to another recipient than that of the identity given.",
                hint="Give the identity that belongs to the [backup] recipient of that time.",
            ) from None
        raise ConfigError("The file is no back-up, or its head is damaged.", hint=DAMAGED) from None
    except OSError as error:
        if (failure := reading.failure or target.failure) is not None:
            raise failure from None
        raise ConfigError(f"The back-up cannot be read ({error}).", hint=DAMAGED) from None


class _Source(io.BufferedIOBase):
    """Chunks as a file. What went wrong is kept: the other side makes text of it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise RuntimeError("a stream is read in pieces")
        try:
            while not self._left:
                self._left = memoryview(next(self._chunks))
        except StopIteration:
            return b""
        except BaseException as error:
            self.failure = error
            raise
        piece, self._left = self._left[:size], self._left[size:]
        return bytes(piece)


class _Sink(io.BufferedIOBase):
    """A file whose failures are kept."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.failure: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        if not isinstance(data, bytes):
            raise TypeError("bytes are written")
        self._try(lambda: self._sink.write(data))
        return len(data)

    def flush(self) -> None:
        self._try(self._sink.flush)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self.failure = error
            raise
