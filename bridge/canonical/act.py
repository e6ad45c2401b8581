"""Acts: what people or the bridge do that no platform event shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.canonical.json import Json, base64url_text, dumps, rfc3339


def act_bytes(
    *, salt: bytes, kind: str, at: datetime, by: str, details: Mapping[str, Json]
) -> bytes:
    """The exact bytes of an act. ``details`` are the fields of its kind."""
    present = {name: value for name, value in details.items() if value is not None}
    return dumps(
        {
            **present,
            "v": 1,
            "salt": base64url_text(salt),
            "kind": kind,
            "at": rfc3339(at),
            "by": by,
        }
    )
