"""Base64 as Matrix writes it: the standard alphabet, no padding. Pure."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """Unpadded base64."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes | None:
    """The bytes, or None where ``text`` is not base64. Padding is taken and not asked for."""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
