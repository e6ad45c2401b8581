"""The record: a kept event as one immutable JSON file."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.canonical.json import Json, base64_text, base64url_text, dumps, rfc3339
from bridge.model import Attachment, Digest, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCopy:
    """An attachment as far as it was had. Without ``digest`` it had not come when sealed.

    ``object_name`` is relative to the record's folder; ``size`` is in bytes; ``sniffed_type`` is
    what we read from the first bytes, never what the sender claims.
    """

    attachment: Attachment
    object_name: str | None = None
    digest: Digest | None = None
    size: int | None = None
    sniffed_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTool:
    """Which connector of which version captured the event."""

    connector: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFrame:
    """What the journal knows of an event beyond the event itself.

    ``target_n`` is the number of the event it relates to, ``roster_n`` that of the latest roster
    or membership event: who could read it. ``salt`` is 32 random bytes, drawn once.
    """

    salt: bytes
    stream: str
    n: int
    platform: str
    group_name: str | None
    target_n: int | None
    roster_n: int | None
    media: tuple[MediaCopy, ...]
    tool: CaptureTool


def record_bytes(event: Event, frame: RecordFrame) -> bytes:
    """The exact bytes of the record.

    Raises:
        CanonicalError: a text of the event is not Unicode; the caller keeps it as `unparsed`.
    """
    return dumps(
        _present(
            {
                "v": 1,
                "salt": base64url_text(frame.salt),
                "stream": frame.stream,
                "n": frame.n,
                "platform": frame.platform,
                "group": _present({"id": event.group_id, "name": frame.group_name}),
                "upstream": _present(
                    {**dict(event.upstream), "id": event.upstream_id, "revision": event.revision}
                ),
                "kind": event.kind.value,
                "sender": _sender(event),
                "sent_at": rfc3339(event.sent_at) if event.sent_at else None,
                "observed_at": rfc3339(event.observed_at),
                "body": event.body,
                "relates_to": _relation(event, frame.target_n),
                "media": [_media(copy) for copy in frame.media] or None,
                "timer": _timer(event),
                "roster": frame.roster_n,
                "capture": {
                    "method": event.method.value,
                    "connector": frame.tool.connector,
                    "version": frame.tool.version,
                },
                "crypto": _crypto(event),
                "raw": base64_text(event.raw),
            }
        )
    )


def _present(fields: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}


def _sender(event: Event) -> Json:
    if event.sender is None:
        return None
    return _present({"id": event.sender.id, "display_name": event.sender.display_name})


def _relation(event: Event, target_n: int | None) -> Json:
    if event.relates_to is None:
        return None
    relation = event.relates_to
    return _present(
        {"type": relation.type.value, "upstream_id": relation.upstream_id, "n": target_n}
    )


def _timer(event: Event) -> Json:
    if event.timer is None:
        return None
    seconds = event.timer.seconds
    whole = int(seconds) if seconds == int(seconds) else seconds
    return {"seconds": whole, "basis": event.timer.basis}


def _crypto(event: Event) -> Json:
    crypto = event.crypto
    if crypto is None:
        return None
    return _present(
        {
            "algorithm": crypto.algorithm,
            "session": crypto.session,
            "device": crypto.device,
            "trust": crypto.trust.value if crypto.trust else None,
            "provenance": crypto.provenance.value if crypto.provenance else None,
            "clear": base64_text(crypto.clear) if crypto.clear is not None else None,
            "plain_in_encrypted": crypto.plain_in_encrypted or None,
        }
    )


def _media(copy: MediaCopy) -> Json:
    return _present(
        {
            "object": copy.object_name,
            "sha256": copy.digest.hex if copy.digest else None,
            "size": copy.size if copy.size is not None else copy.attachment.size,
            "declared_type": copy.attachment.declared_type,
            "sniffed_type": copy.sniffed_type,
            "name": copy.attachment.name,
        }
    )
