"""Lines of the log. Opaque to whoever has no record: no name, id or text stands in a leaf."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from bridge.canonical.json import Json, dumps, rfc3339
from bridge.model import Digest, Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf before it has an index: its kind and its canonical bytes."""

    kind: str
    body: bytes

    @classmethod
    def _of(cls, kind: str, at: datetime, fields: dict[str, Json]) -> Leaf:
        present = {name: value for name, value in fields.items() if value is not None}
        return cls(kind=kind, body=dumps({"k": kind, "v": 1, "t": rfc3339(at), **present}))

    def referring(self, ref: int) -> Leaf:
        """The same leaf about the seen leaf ``ref``: for one that is not published yet."""
        fields: dict[str, Json] = json.loads(self.body)
        if fields["ref"] == ref:
            return self
        return Leaf(kind=self.kind, body=dumps({**fields, "ref": ref}))

    @classmethod
    def seen(cls, *, at: datetime, stream: str, n: int, digest: Digest, verdict: Verdict) -> Leaf:
        """A message was seen, with what became of it. Every journalled event gets one."""
        return cls._of(
            "seen",
            at,
            {
                "s": stream,
                "n": n,
                "d": digest.hex,
                "c": verdict.outcome.value,
                "cl": f"{verdict.policy}+{verdict.model}",
                "x": "restricted" if verdict.restricted else None,
            },
        )

    @classmethod
    def stored(
        cls, *, at: datetime, ref: int, digest: Digest, key: str, retain_until: datetime | None
    ) -> Leaf:
        """The store has the object. ``key`` is from ``v1/`` on; ``ref`` is the seen leaf."""
        return cls._of(
            "stored",
            at,
            {
                "ref": ref,
                "o": digest.hex,
                "p": Digest.of(key.encode()).hex,
                "ret": rfc3339(retain_until) if retain_until else None,
            },
        )

    @classmethod
    def decision(cls, *, at: datetime, ref: int, verdict: Verdict, by: str) -> Leaf:
        """The outcome changed. ``by``: policy, person or calibration."""
        return cls._of(
            "decision",
            at,
            {
                "ref": ref,
                "c": verdict.outcome.value,
                "cl": f"{verdict.policy}+{verdict.model}",
                "by": by,
            },
        )

    @classmethod
    def ruling(
        cls, *, at: datetime, ref: int, outcome: Outcome, classifier: str, key: str, digest: Digest
    ) -> Leaf:
        """A person decided, by the act that stands under ``key``. The one leaf of that act.

        ``classifier``: policy and model whose verdict it changes or confirms.
        """
        return cls._of(
            "decision",
            at,
            {
                "ref": ref,
                "c": outcome.value,
                "cl": classifier,
                "by": "person",
                "p": Digest.of(key.encode()).hex,
                "o": digest.hex,
            },
        )

    @classmethod
    def gap(
        cls,
        *,
        at: datetime,
        stream: str,
        after: int,
        why: str,
        since: datetime | None,
        until: datetime | None,
    ) -> Leaf:
        """A known loss after event ``after`` of the stream (-1: before its first)."""
        return cls._of(
            "gap",
            at,
            {
                "s": stream,
                "after": after,
                "why": why,
                "from": rfc3339(since) if since else None,
                "to": rfc3339(until) if until else None,
            },
        )

    @classmethod
    def late(cls, *, at: datetime, ref: int, late_ms: int) -> Leaf:
        """A message was stored ``late_ms`` milliseconds after its timer."""
        return cls._of("late", at, {"ref": ref, "ms": late_ms})

    @classmethod
    def anchor(cls, *, at: datetime, size: int, key: str, digest: Digest) -> Leaf:
        """An outside proof of the checkpoint of ``size`` leaves stands in the store."""
        return cls._of(
            "anchor", at, {"size": size, "p": Digest.of(key.encode()).hex, "o": digest.hex}
        )

    @classmethod
    def key(cls, *, at: datetime, line: str) -> Leaf:
        """The log goes on with another key, whose verifier key is ``line``."""
        return cls._of("key", at, {"key": line})

    @classmethod
    def placed(
        cls,
        *,
        kind: str,
        at: datetime,
        key: str,
        digest: Digest,
        stream: str | None = None,
        total: int | None = None,
    ) -> Leaf:
        """A manifest part or an act stands in the store.

        ``stream`` is given for ``open`` and ``close``; ``total``, the number of events of the
        stream, for ``close``.
        """
        return cls._of(
            kind,
            at,
            {"p": Digest.of(key.encode()).hex, "o": digest.hex, "s": stream, "total": total},
        )
