"""Manifest parts: what a person finds things by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.canonical.json import Json, dumps, rfc3339
from bridge.model import Digest, Outcome, Reason, Sender, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One event in a manifest. Digest, key, sender and spans stand only for what is kept.

    ``key`` is relative to ``v1/<tenant>/``; ``context`` holds the numbers of the events the
    verdict leaned on; ``leaf`` is the index of the seen leaf.
    """

    n: int
    stream: str
    leaf: int
    digest: Digest
    sent_at: datetime | None
    verdict: Verdict
    context: tuple[int, ...]
    key: str | None
    sender: Sender | None

    def document(self) -> dict[str, Json]:
        """The row as the manifest writes it."""
        kept = self.verdict.outcome is not Outcome.DISCARD and self.key is not None
        fields: dict[str, Json] = {
            "n": self.n,
            "s": self.stream,
            "leaf": self.leaf,
            "sent_at": rfc3339(self.sent_at) if self.sent_at else None,
            "outcome": self.verdict.outcome.value,
            "reasons": [_reason(reason, spans=kept) for reason in self.verdict.reasons],
            "score": round(self.verdict.score, 6),
            "policy": self.verdict.policy,
            "model": self.verdict.model,
            "context": list(self.context) or None,
        }
        if kept:
            fields["sha256"] = self.digest.hex
            fields["key"] = self.key
            fields["sender"] = self.sender.id if self.sender else None
        return {name: value for name, value in fields.items() if value is not None}


def _reason(reason: Reason, *, spans: bool) -> Json:
    row: dict[str, Json] = {"code": reason.code, "rule": reason.rule}
    if spans and reason.end > reason.start:
        row["start"] = reason.start
        row["end"] = reason.end
    return row


def manifest_bytes(
    *, gid: str, group_id: str, group_name: str | None, rows: Sequence[ManifestRow]
) -> bytes:
    """One part of a day's manifest."""
    group: dict[str, Json] = {"id": group_id}
    if group_name is not None:
        group["name"] = group_name
    return dumps({"v": 1, "gid": gid, "group": group, "rows": [row.document() for row in rows]})
