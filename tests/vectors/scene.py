"""A log in the making: leaves, objects, tiles and checkpoints, all at the maker's will."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bridge import keys
from bridge.canonical import dumps, rfc3339
from bridge.canonical.json import Json, base64url_text
from bridge.model import Digest
from bridge.notekeys import generate, parse_signing_key
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint
from storage.translog.edge import RightEdge
from storage.translog.note import sign
from tests.vectors.form import TENANT, Vector

ORIGIN = f"records.example.org/{TENANT}/log/0"
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
PAST = "2020-01-01T00:00:00.000Z"
FUTURE = "2090-01-01T00:00:00.000Z"
BLIND_KEY = bytes(range(32))
SALT = base64url_text(bytes(range(64, 96)))


def signer(number: int, name: str = ORIGIN) -> Ed25519Signer:
    """The key of this number and name, the same each time."""
    return Ed25519Signer(parse_signing_key(generate(name, lambda n: bytes([number]) * n)[0]))


KEY = signer(1)


class Group:
    """A group whose stream is recorded."""

    def __init__(self, number: int) -> None:
        self.id = f"!group{number}:example.org"
        self.stream_key = bytes([number]) * 32
        self.stream = keys.stream_id(self.stream_key, "matrix", self.id)
        self.gid = keys.group_gid(BLIND_KEY, "matrix", self.id)


A, B, C = Group(1), Group(2), Group(3)


class Scene:
    """What stands in the store. Each leaf is a second later than the last."""

    def __init__(self) -> None:
        self.now = START
        self.leaves: list[bytes] = []
        self.files: dict[str, bytes] = {}
        self.acts = 0

    def copy(self) -> Scene:
        """Another one, to go on in another way."""
        return copy.deepcopy(self)

    def wait(self, **span: int) -> None:
        """Let time go by."""
        self.now += timedelta(**span)

    def raw(self, leaf: bytes) -> int:
        """Append a leaf as it is."""
        self.leaves.append(leaf)
        return len(self.leaves) - 1

    def leaf(self, kind: str, **fields: Json) -> int:
        """Append a leaf; gives its index."""
        self.now += timedelta(seconds=1)
        return self.raw(dumps({"k": kind, "v": 1, "t": rfc3339(self.now), **fields}))

    def placed(self, kind: str, key: str, body: bytes, /, **fields: Json) -> int:
        """Put an object, and append the leaf that names it."""
        self.files[key] = body
        return self.leaf(kind, p=place(key), o=Digest.of(body).hex, **fields)

    def act_file(self, kind: str, **details: Json) -> tuple[str, bytes]:
        """The next act: its key and its bytes, not put yet."""
        key = keys.placed_key(keys.act_folder(self.now), self.acts)
        self.acts += 1
        at = rfc3339(self.now)
        body = dumps(
            {"v": 1, "salt": SALT, "kind": kind, "at": at, "by": "settings file", **details}
        )
        return key, body

    def act(self, kind: str, details: dict[str, Json] | None = None, **fields: Json) -> int:
        """Put an act with its leaf."""
        key, body = self.act_file(kind, **(details or {}))
        return self.placed(kind, key, body, **fields)

    def open(self, group: Group, **details: Json) -> int:
        """Begin a stream."""
        whose: dict[str, Json] = {
            "stream": group.stream,
            "stream_key": base64url_text(group.stream_key),
            "gid": group.gid,
            "platform": "matrix",
            "group": {"id": group.id},
        }
        return self.act("open", {**whose, **details}, s=group.stream)

    def seen(self, group: Group, n: int, outcome: str, **fields: Json) -> int:
        """An event that was seen."""
        digest = Digest.of(record(group, n, **fields)).hex
        more: dict[str, Json] = {"x": "restricted"} if fields.get("restricted") else {}
        return self.leaf(
            "seen", s=group.stream, n=n, d=digest, c=outcome, cl="uk-nccc@2023.1+rules-1", **more
        )

    def stored(
        self,
        ref: int,
        group: Group,
        n: int,
        *,
        area: str = keys.RECORDS,
        ret: str = FUTURE,
        **fields: Json,
    ) -> int:
        """The record of an event was put, kept until ``ret``."""
        key = record_key(group, n, area)
        return self.placed("stored", key, record(group, n, **fields), ref=ref, ret=ret)

    def publish(self, *signers: Ed25519Signer, size: int | None = None) -> bytes:
        """Write tiles, bundles and the checkpoint; old partial ones stay. Gives the note."""
        leaves = self.leaves[: len(self.leaves) if size is None else size]
        edge, pieces = RightEdge().grow(leaves)
        self.files |= {f"log/0/{piece.path}": data for piece, data in pieces}
        text = Checkpoint(origin=ORIGIN, size=edge.size, root=edge.root()).text
        note = signed(text, *(signers or (KEY,)))
        self.files["log/0/checkpoint"] = note
        return note

    def vector(
        self,
        name: str,
        what: str,
        *codes: str,
        base: str = "",
        listed: Iterable[str] = (),
        known: Iterable[bytes] = (),
        public_key: Iterable[str] = (KEY.verifier.line,),
        older: dict[str, int] | None = None,
    ) -> Vector:
        """The vector of what stands in the store now; ``codes`` are those it must get."""
        return Vector(
            name=name,
            what=what,
            verdict="tampered" if codes else "intact",
            codes=frozenset(codes),
            listed=frozenset(listed),
            base=base,
            public_key=tuple(public_key),
            known=tuple(known),
            files=dict(self.files),
            older=older or {},
        )


def signed(text: bytes, *signers: Ed25519Signer) -> bytes:
    """A note over any text, with a line of each signer."""
    first, *others = (sign(text, each) for each in signers)
    return first + b"".join(other.removeprefix(text + b"\n") for other in others)


def place(key: str) -> str:
    """``p`` of a key."""
    return Digest.of(keys.absolute(TENANT, key).encode()).hex


def sent_at(n: int) -> datetime:
    """When the event of this number was sent."""
    return START + timedelta(milliseconds=250 + n)


def record_key(group: Group, n: int, area: str = keys.RECORDS) -> str:
    """Where the record of an event stands."""
    name = keys.RecordName(
        platform="matrix",
        gid=group.gid,
        filed_at=sent_at(n),
        n=n,
        id16=keys.identity(BLIND_KEY, group.stream, f"$event{n}", None)[:8].hex(),
    )
    return name.record(area)


def record(group: Group, n: int, **fields: Json) -> bytes:
    """The record of an event; ``fields`` are its own, in place of the usual ones."""
    fields.pop("restricted", None)
    return dumps(
        {
            "v": 1,
            "salt": SALT,
            "stream": group.stream,
            "n": n,
            "platform": "matrix",
            "group": {"id": group.id},
            "upstream": {"id": f"$event{n}"},
            "kind": "message",
            "sender": {"id": "@t.whitfield:example.org"},
            "sent_at": rfc3339(sent_at(n)),
            "observed_at": rfc3339(sent_at(n) + timedelta(milliseconds=400)),
            "body": f"Message {n}.",
            "capture": {"method": "live", "connector": "matrix", "version": "0.1.0"},
            "raw": "e30=",
            **fields,
        }
    )


def manifest(group: Group, rows: list[dict[str, Json]]) -> bytes:
    """A part of a manifest."""
    return dumps({"v": 1, "gid": group.gid, "group": {"id": group.id}, "rows": rows})


def row(group: Group, n: int, leaf: int, outcome: str, **fields: Json) -> dict[str, Json]:
    """What a manifest says of an event."""
    return {
        "n": n,
        "s": group.stream,
        "leaf": leaf,
        "sent_at": rfc3339(sent_at(n)),
        "outcome": outcome,
        "reasons": [],
        "score": 0.5,
        "policy": "uk-nccc@2023.1",
        "model": "rules-1",
        **fields,
    }
