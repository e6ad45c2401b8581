"""What a back-up says of itself: whose it is, of when, and the digest of each file. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from bridge.errors import ConfigError

NAME = "manifest.json"
VERSION = 1
LARGEST = 1024 * 1024


class BackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a back-up."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``schemas``: ``user_version`` of each database. ``checkpoint``: the last one signed, or none.

    ``made_at`` is when the first database was copied: nothing in it is older than that.
    """

    v: int = VERSION
    program: str
    tenant: str
    log_origin: str
    made_at: Annotated[datetime, msgspec.Meta(tz=True)]
    schemas: dict[str, int]
    checkpoint: str = ""
    files: tuple[BackedFile, ...]

    def file(self, name: str) -> BackedFile | None:
        """What it says of the file of this name."""
        return next((each for each in self.files if each.name == name), None)


class _Versioned(msgspec.Struct, frozen=True):
    v: int


def encoded(manifest: Manifest) -> bytes:
    """The document, as it stands in the tar."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decoded(document: bytes) -> Manifest:
    """A manifest.

    Raises:
        ConfigError: a newer version wrote it, or it is none.
    """
    try:
        version = msgspec.json.decode(document, type=_Versioned).v
        if version > VERSION:
            raise ConfigError(
                f"The back-up has format {version}; this version knows up to {VERSION}.",
                hint="Restore it with the version that made it, then upgrade.",
            )
        return msgspec.json.decode(document, type=Manifest)
    except msgspec.MsgspecError:
        raise ConfigError(
            f"The back-up's {NAME} is not as this program writes it.",
            hint="Was the file made by `muniment backup`?",
        ) from None
