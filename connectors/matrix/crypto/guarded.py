"""Calls of the Olm library, whose refusals take one shape. Pure."""

from __future__ import annotations

from types import TracebackType

import vodozemac


class OlmRefusedError(Exception):
    """The library takes a key, a message or a pickle for none. Never leaves this package."""


class _Guard:
    """Within it stand calls of the library and nothing else."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            return
        # A panic of the library derives from BaseException and has no name to import.
        if issubclass(kind, ValueError) or kind.__name__ == "PanicException":
            raise OlmRefusedError(kind.__name__) from None


GUARDED = _Guard()


def curve25519(text: str | None) -> vodozemac.Curve25519PublicKey:
    """The key written so.

    Raises:
        OlmRefusedError: it is none.
    """
    with GUARDED:
        return vodozemac.Curve25519PublicKey.from_base64(text or "")
