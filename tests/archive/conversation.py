"""Groups that talk: events of every kind, sealed, stored, decided, removed and lost."""

from __future__ import annotations

from datetime import timedelta

from bridge import keys
from bridge.canonical import (
    CaptureTool,
    Leaf,
    ManifestRow,
    MediaCopy,
    RecordFrame,
    act_bytes,
    manifest_bytes,
    record_bytes,
)
from bridge.canonical.json import Json, base64url_text
from bridge.model import (
    Attachment,
    Digest,
    Event,
    EventKind,
    Outcome,
    Relation,
    Sender,
    Timer,
)
from tests.archive.archive import TENANT
from tests.archive.ledger import RECORDS_DAYS, REVIEW_DAYS, Ledger, leaf_of
from tests.archive.sealed import (
    KINDS,
    PEOPLE,
    POLICY,
    RELATIONS,
    WORDS,
    Sealed,
    sent_at,
    verdict_of,
)


class Conversation:
    """One group, from its approval on."""

    def __init__(self, ledger: Ledger, blind_key: bytes, number: int) -> None:
        self.ledger = ledger
        self._rng = ledger.rng
        self._blind_key = blind_key
        self.platform = ("matrix", "telegram")[number % 2]
        self.group_id = f"!group{number}:example.org" if number % 2 == 0 else f"-100{number}"
        self.name = f"Group {number}"
        self.gid = keys.group_gid(blind_key, self.platform, self.group_id)
        self.sealed: list[Sealed] = []
        self.waiting: list[Sealed] = []
        self.next_n = 0
        self.closed = False
        self._stream_key = self._rng.randbytes(32)
        self.stream = keys.stream_id(self._stream_key, self.platform, self.group_id)
        self._parts: dict[str, int] = {}

    def begin(self) -> None:
        """Approved, told, and opened."""
        group = self._group()
        self.act("step", {**group, "step": "approve", "why": "listed in the file"})
        self.act("notice", {**group, "text": "This group is recorded.", "upstream_id": "$n"})
        details: dict[str, Json] = {
            "stream": self.stream,
            "stream_key": base64url_text(self._stream_key),
            "gid": self.gid,
            "platform": self.platform,
            "group": group["group"],
        }
        self.act("open", details, s=self.stream)

    def end(self) -> None:
        """Closed, with its total."""
        self.flush()
        self.closed = True
        total = self.next_n
        details: dict[str, Json] = {"stream": self.stream, "total": total}
        self.act("close", details, s=self.stream, total=total)

    def act(self, kind: str, details: dict[str, Json], **more: Json) -> tuple[str, Digest]:
        """Place an act; gives its key and digest."""
        key, body = self.document(kind, details)
        self.ledger.place(kind, key, body, **more)
        return key, Digest.of(body)

    def document(self, kind: str, details: dict[str, Json]) -> tuple[str, bytes]:
        """The next act's key and bytes, not placed yet."""
        at = self.ledger.tick()
        number = sum(key.startswith("acts/") for key in self.ledger.objects)
        body = act_bytes(
            salt=self._rng.randbytes(32), kind=kind, at=at, by="bridge", details=details
        )
        return keys.placed_key(keys.act_folder(at), number), body

    def _group(self) -> dict[str, Json]:
        return {
            "connector": self.platform,
            "platform": self.platform,
            "group": {"id": self.group_id, "name": self.name},
        }

    def happen(self) -> None:
        """One event, and what becomes of it at once."""
        outcome = self._rng.choices(tuple(Outcome), (5, 3, 2))[0]
        restricted = outcome is Outcome.REVIEW and self._rng.random() < 0.15
        sealed = self.seal(outcome, restricted=restricted)
        if outcome is Outcome.DISCARD or restricted:
            return
        self.store(sealed, keys.REVIEW if outcome is Outcome.REVIEW else keys.RECORDS)
        if self._rng.random() < 0.1:
            late = self._rng.randint(1, 90_000)
            self.ledger.add(Leaf.late(at=self.ledger.tick(), ref=sealed.leaf, late_ms=late))

    def seal(self, outcome: Outcome, *, restricted: bool = False) -> Sealed:
        """Number an event, fix its record, and write its seen leaf."""
        n, self.next_n = self.next_n, self.next_n + 1
        event = self._event(n)
        verdict = verdict_of(outcome, restricted=restricted, body=event.body)
        name = keys.RecordName(
            platform=self.platform,
            gid=self.gid,
            filed_at=keys.filed_at(sent_at=event.sent_at, observed_at=event.observed_at),
            n=n,
            id16=keys.identity(self._blind_key, self.stream, event.upstream_id, event.revision)[
                :8
            ].hex(),
        )
        media = self._media(event, name)
        body = self._record(event, n, media)
        at, digest = self.ledger.tick(), Digest.of(body)
        seen = Leaf.seen(at=at, stream=self.stream, n=n, digest=digest, verdict=verdict)
        leaf = self.ledger.add(seen)
        sealed = Sealed(
            n=n,
            leaf=leaf,
            event=event,
            body=body,
            name=name,
            verdict=verdict,
            media={copy.object_name or "": data for copy, data in media},
        )
        self.sealed.append(sealed)
        self.waiting.append(sealed)
        return sealed

    def store(self, sealed: Sealed, area: str, *, leaf: bool = True) -> None:
        """Media, then the record, then its leaf."""
        self.ledger.tick()
        key = sealed.name.record(area)
        days = REVIEW_DAYS if area == keys.REVIEW else RECORDS_DAYS
        for object_name, data in sealed.media.items():
            self.ledger.put(keys.media_key(key, object_name), data, days=days)
        digest = self.ledger.put(key, sealed.body, days=days)
        until = self.ledger.objects[key].retain_until
        sealed.stored = True
        if leaf:
            self.ledger.add(
                Leaf.stored(
                    at=self.ledger.tick(),
                    ref=sealed.leaf,
                    digest=digest,
                    key=keys.absolute(TENANT, key),
                    retain_until=until,
                )
            )

    def decide(self) -> None:
        """A person, or the end of the time for one, decides what is under review."""
        due = [
            one
            for one in self.sealed
            if one.verdict.outcome is Outcome.REVIEW and one.stored and not one.decided
        ]
        if not due:
            return
        sealed = self._rng.choice(due)
        sealed.decided = True
        outcome = self._rng.choice((Outcome.CAPTURE, Outcome.DISCARD))
        by_person = outcome is Outcome.DISCARD or self._rng.random() < 0.6
        self._decision(sealed, outcome, by_person=by_person)
        if outcome is Outcome.CAPTURE:
            self.store(sealed, keys.RECORDS)

    def _decision(self, sealed: Sealed, outcome: Outcome, *, by_person: bool) -> None:
        fields: dict[str, Json] = {
            "ref": sealed.leaf,
            "c": outcome.value,
            "cl": f"{POLICY}+rules-1",
            "by": "person" if by_person else "policy",
        }
        if by_person:
            key, body = self.document(
                "decision", {"stream": self.stream, "n": sealed.n, "outcome": outcome.value}
            )
            digest = self.ledger.put(key, body)
            fields |= {"p": self.ledger.place_of(key), "o": digest.hex}
        self.ledger.add(leaf_of("decision", self.ledger.tick(), fields))
        sealed.verdict = verdict_of(outcome, restricted=False, body=sealed.event.body)
        self.waiting.append(sealed)

    def lose(self) -> None:
        """A gap after the last event."""
        at = self.ledger.tick()
        since = at - timedelta(minutes=5) if self._rng.random() < 0.5 else None
        why = self._rng.choice(("paused", "history_refused", "media_not_obtained"))
        gap = Leaf.gap(
            at=at, stream=self.stream, after=self.next_n - 1, why=why, since=since, until=at
        )
        self.ledger.add(gap)

    def flush(self) -> None:
        """A manifest part for each day with rows that wait."""
        days = sorted({one.name.day for one in self.waiting})
        for day in days:
            rows = [one for one in self.waiting if one.name.day == day]
            newest = {one.n: one for one in rows}
            part = self._parts.get(day, 0)
            self._parts[day] = part + 1
            body = manifest_bytes(
                gid=self.gid,
                group_id=self.group_id,
                group_name=self.name,
                rows=[self._row(newest[n]) for n in sorted(newest)],
            )
            key = keys.placed_key(keys.manifest_folder(self.gid, day), part)
            self.ledger.place("manifest", key, body)
        self.waiting.clear()

    def expirable(self) -> set[str]:
        """What was under review and is decided; of every second record the media stay."""
        gone: set[str] = set()
        for one in self.sealed:
            if one.decided:
                key = one.name.record(keys.REVIEW)
                gone.add(key)
                media = () if one.n % 2 else one.media
                gone |= {keys.media_key(key, name) for name in media}
        return gone

    def _row(self, sealed: Sealed) -> ManifestRow:
        verdict = sealed.verdict
        kept = verdict.outcome is not Outcome.DISCARD and not verdict.restricted
        area = keys.REVIEW if verdict.outcome is Outcome.REVIEW else keys.RECORDS
        return ManifestRow(
            n=sealed.n,
            stream=self.stream,
            leaf=sealed.leaf,
            digest=Digest.of(sealed.body),
            sent_at=sealed.event.sent_at,
            verdict=verdict,
            context=(),
            key=sealed.name.record(area) if kept else None,
            sender=sealed.event.sender,
        )

    def _event(self, n: int) -> Event:
        rng = self._rng
        kind = rng.choice(KINDS)
        observed = self.ledger.tick()
        earlier = rng.choice(self.sealed).event.upstream_id if self.sealed else None
        relation = RELATIONS.get(kind)
        parsed = kind is not EventKind.UNPARSED
        files = rng.randint(1, 2) if kind is EventKind.MESSAGE and rng.random() < 0.3 else 0
        return Event(
            group_id=self.group_id,
            upstream_id=f"${rng.randbytes(12).hex()}",
            revision=f"u{n}" if kind is EventKind.EDIT else None,
            kind=kind,
            sender=Sender(id=rng.choice(PEOPLE)) if parsed else None,
            sent_at=sent_at(observed, rng.random()) if parsed else None,
            observed_at=observed,
            body=" ".join(rng.choices(WORDS, k=rng.randint(1, 8))) if parsed else None,
            relates_to=Relation(type=relation, upstream_id=earlier)
            if relation is not None and earlier is not None
            else None,
            attachments=tuple(
                Attachment(url=f"mxc://x/{i}", name=f"file {i}.pdf") for i in range(files)
            ),
            timer=Timer(seconds=rng.choice((30.0, 86_400.0)), basis="m.room.retention"),
            raw=rng.randbytes(rng.randint(20, 200)),
        )

    def _media(self, event: Event, name: keys.RecordName) -> list[tuple[MediaCopy, bytes]]:
        made = []
        for i, attachment in enumerate(event.attachments):
            data = self._rng.randbytes(self._rng.randint(1, 3000))
            copy = MediaCopy(
                attachment=attachment,
                object_name=keys.media_object(name.stem, i),
                digest=Digest.of(data),
                size=len(data),
                sniffed_type="application/pdf",
            )
            made.append((copy, data))
        return made

    def _record(self, event: Event, n: int, media: list[tuple[MediaCopy, bytes]]) -> bytes:
        frame = RecordFrame(
            salt=self._rng.randbytes(32),
            stream=self.stream,
            n=n,
            platform=self.platform,
            group_name=self.name,
            target_n=None,
            roster_n=0,
            media=tuple(copy for copy, _ in media),
            tool=CaptureTool(connector=self.platform, version="0.1.0"),
        )
        return record_bytes(event, frame)
