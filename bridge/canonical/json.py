"""RFC 8785 JSON and RFC 3339 times, the ground the other formats stand on."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import rfc8785

from bridge.errors import CanonicalError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def dumps(document: Mapping[str, Json]) -> bytes:
    """The canonical bytes of ``document``.

    Raises:
        CanonicalError: it holds a lone surrogate, NaN, or an integer of 2**53 or more.
    """
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise CanonicalError(f"not canonical JSON: {type(error).__name__}") from None


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def base64_text(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def base64url_text(data: bytes) -> str:
    """URL-safe base64 without padding, as salts are written."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
