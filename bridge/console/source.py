"""What a platform sent, as far as a page can show it. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

import msgspec

LARGEST_JSON: Final = 1 << 20
"""Bytes that are laid out as JSON; more are shown as they are."""

LARGEST_HEX: Final = 8 * 1024
_WIDTH: Final = 16


class _Crypto(msgspec.Struct):
    clear: str | None = None
    algorithm: str | None = None
    trust: str | None = None
    provenance: str | None = None


class _Record(msgspec.Struct):
    raw: str | None = None
    crypto: _Crypto | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """Exact bytes, and how they can be looked at: ``form`` is JSON, text or hex."""

    name: str
    body: bytes = field(repr=False)
    form: str
    text: str = field(repr=False)


def sources_of(record: bytes) -> tuple[SourceView, ...]:
    """What stands in a record as the platform sent it, and what was decrypted of it."""
    try:
        read = msgspec.json.decode(record, type=_Record)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ()
    found = [("source", read.raw), ("decrypted", read.crypto.clear if read.crypto else None)]
    return tuple(
        _view(name, body) for name, text in found if text for body in [_bytes(text)] if body
    )


def _bytes(text: str) -> bytes | None:
    alphabet = b"-_" if "-" in text or "_" in text else None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), alphabet, validate=True)
    except (binascii.Error, ValueError):
        return None


def _view(name: str, body: bytes) -> SourceView:
    if len(body) <= LARGEST_JSON:
        try:
            laid_out = msgspec.json.format(body, indent=2).decode()
            return SourceView(name=name, body=body, form="JSON", text=laid_out)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass
    try:
        return SourceView(name=name, body=body, form="text", text=body.decode())
    except UnicodeDecodeError:
        return SourceView(name=name, body=body, form="hex", text=_hex(body))


def _hex(body: bytes) -> str:
    """Numbered lines of hex, and what of it is ASCII."""
    lines = [
        f"{at:08x}  {part.hex(' '):<{3 * _WIDTH}} "
        + "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        for at in range(0, min(len(body), LARGEST_HEX), _WIDTH)
        for part in [body[at : at + _WIDTH]]
    ]
    if len(body) > LARGEST_HEX:
        lines.append(f"… and {len(body) - LARGEST_HEX:,} more bytes")
    return "\n".join(lines)
