"""The logs that fit: some sizes, and one with every kind of leaf and object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge import keys
from bridge.canonical.json import Json
from bridge.model import Digest
from bridge.notekeys import Algorithm, generate, parse_signing_key
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.cosignature import cosign
from storage.translog.note import Note
from tests.vectors.form import HERE, Vector
from tests.vectors.scene import (
    KEY,
    PAST,
    A,
    B,
    Group,
    Scene,
    manifest,
    record,
    record_key,
    row,
    signer,
)

TOKEN = HERE / "11.tsr"
"""A timestamp of the checkpoint of size 11, made once by ``openssl ts`` (see ``README.md``)."""

ANCHORED = 11
WITNESS = "witness.example.net/archives"
PICTURE = b"\x89PNG, or so it says"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The whole log, and where in it things stand."""

    scene: Scene
    notes: tuple[bytes, ...]
    captured: int
    reviewed: int
    discarded: int
    illustrated: int
    restricted: int
    closed: int


def witness() -> Ed25519Signer:
    """Who cosigns."""
    line = generate(WITNESS, lambda n: b"w" * n, algorithm=Algorithm.COSIGNATURE)[0]
    return Ed25519Signer(parse_signing_key(line, algorithm=Algorithm.COSIGNATURE))


def medium(group: Group, n: int, body: bytes = PICTURE) -> dict[str, Json]:
    """What a record says of its attachment."""
    return {
        "object": keys.media_object(keys.stem_of(record_key(group, n)), 0),
        "sha256": Digest.of(body).hex,
        "size": len(body),
        "declared_type": "image/png",
        "name": "map.png",
    }


def media_key(group: Group, n: int, area: str = keys.RECORDS) -> str:
    """Where the attachment of an event stands."""
    key = record_key(group, n, area)
    return keys.media_key(key, keys.media_object(keys.stem_of(key), 0))


def whole() -> Whole:
    """Two groups, one of them closed, with something of everything."""
    scene = Scene()
    scene.act("step", {"step": "approve", "group": {"id": A.id}})
    scene.act("notice", {"text": "This group is recorded.", "group": {"id": A.id}})
    scene.open(A)
    scene.seen(A, 0, "discard")
    captured = scene.seen(A, 1, "capture")
    scene.stored(captured, A, 1)
    scene.leaf("late", ref=captured, ms=1250)
    reviewed = scene.seen(A, 2, "review")
    scene.stored(reviewed, A, 2, area=keys.REVIEW, ret=PAST)
    policy = "uk-nccc@2023.1+rules-1"
    scene.leaf("decision", ref=reviewed, c="capture", cl=policy, by="policy")
    scene.stored(reviewed, A, 2)
    first = scene.publish()
    _anchor(scene, first)
    discarded = scene.seen(A, 3, "review")
    scene.stored(discarded, A, 3, area=keys.REVIEW, ret=PAST)
    key, body = scene.act_file("decision", outcome="discard", why="a lunch")
    scene.placed("decision", key, body, ref=discarded, c="discard", cl=policy, by="person")
    second = scene.publish()
    scene.files[media_key(A, 4)] = PICTURE
    illustrated = scene.seen(A, 4, "capture", media=[medium(A, 4)])
    scene.stored(illustrated, A, 4, media=[medium(A, 4)])
    restricted = scene.seen(A, 5, "review", restricted=True)
    scene.leaf("gap", s=A.stream, after=5, why="history_refused")
    rows = [
        row(A, 0, 3, "discard"),
        _kept(1, captured, "capture"),
        _kept(2, reviewed, "capture"),
        _kept(3, discarded, "review", area=keys.REVIEW),
        row(A, 5, restricted, "review"),
    ]
    part = f"{keys.manifest_folder(A.gid, '2026/03/02')}/000000.json"
    scene.placed("manifest", part, manifest(A, rows))
    scene.open(B)
    scene.seen(B, 0, "discard")
    closed = scene.act("close", {"stream": B.stream, "total": 1}, s=B.stream, total=1)
    for kind in ("audit", "hold", "release"):
        scene.act(kind)
    third = scene.publish()
    return Whole(
        scene=scene,
        notes=(first, second, third),
        captured=captured,
        reviewed=reviewed,
        discarded=discarded,
        illustrated=illustrated,
        restricted=restricted,
        closed=closed,
    )


def _kept(n: int, leaf: int, outcome: str, area: str = keys.RECORDS) -> dict[str, Json]:
    digest = Digest.of(record(A, n)).hex
    return row(A, n, leaf, outcome, sha256=digest, key=record_key(A, n, area))


def _anchor(scene: Scene, published: bytes) -> None:
    """The first checkpoint, cosigned and dated, each with its leaf."""
    note = Note.parse(published)
    line = cosign(note.text, time=1_772_442_930, signer=witness())
    cosigned = Note(text=note.text, signatures=(*note.signatures, line)).encode()
    scene.placed("anchor", f"anchors/0/{ANCHORED}.note", cosigned, size=ANCHORED)
    token = TOKEN.read_bytes()
    if Digest.of(published).value not in token:
        raise ValueError(f"{TOKEN} is not of the checkpoint of size {ANCHORED}: see README.md")
    scene.placed("anchor", f"anchors/0/{ANCHORED}.tsr", token, size=ANCHORED)


def of_size(size: int, base: str = "") -> Vector:
    """A log of so many leaves, of which the first is an event."""
    scene = Scene()
    scene.seen(A, 0, "discard")
    while len(scene.leaves) < size:
        scene.leaf("late", ref=0, ms=len(scene.leaves))
    scene.publish()
    what = f"A log of {size} leaves, of which the first is the only event."
    return scene.vector(f"size-{size:03d}", what, base=base, listed=["stream_opening"])


WHOLE_LISTED = ("not_checked", "retention_not_enforced", "unstored")
"""What is told of the whole log: its cosignature and timestamp, that a folder keeps no
retention, and the restricted event."""


def vectors() -> Iterator[Vector]:
    """Every log that fits."""
    yield of_size(300)
    for size in (1, 2, 255, 256, 257):
        yield of_size(size, "size-300")
    log = whole()
    what = "Two groups, one closed, with every kind of leaf and object."
    yield log.scene.vector("whole", what, listed=WHOLE_LISTED)
    yield log.scene.vector(
        "whole-known",
        "The same against checkpoints that were kept elsewhere, its own among them.",
        base="whole",
        listed=WHOLE_LISTED,
        known=log.notes,
    )
    yield from _restricted(log)
    yield from _rotations(log.scene)


def _restricted(log: Whole) -> Iterator[Vector]:
    """What became of the restricted event, long after it was seen."""
    calm = [each for each in WHOLE_LISTED if each != "unstored"]
    scene = _ruled(log, "capture")
    scene.stored(log.restricted, A, 5)
    yield _told(
        scene,
        _kept(5, log.restricted, "capture"),
        "restricted-released",
        "The restricted event was released by a person: a decision, then a record like others.",
        calm,
    )
    yield _told(
        _ruled(log, "capture"),
        row(A, 5, log.restricted, "capture"),
        "restricted-released-not-stored",
        "The restricted event was released, and its record did not come within two days.",
        WHOLE_LISTED,
    )
    yield _told(
        _ruled(log, "discard"),
        row(A, 5, log.restricted, "discard"),
        "restricted-destroyed",
        "A person had the restricted event destroyed: its seen leaf and the decision stay.",
        calm,
    )


def _ruled(log: Whole, outcome: str) -> Scene:
    """A person decided on the restricted event, two days ago."""
    scene = log.scene.copy()
    key, body = scene.act_file("decision", outcome=outcome, why="looked at in the group")
    policy = "uk-nccc@2023.1+rules-1"
    ref = log.restricted
    scene.placed("decision", key, body, ref=ref, c=outcome, cl=policy, by="person")
    scene.wait(days=2)
    return scene


def _told(
    scene: Scene, said: dict[str, Json], name: str, what: str, listed: Iterable[str]
) -> Vector:
    """The manifest says it too, and the log is published."""
    part = f"{keys.manifest_folder(A.gid, '2026/03/02')}/000001.json"
    scene.placed("manifest", part, manifest(A, [said]))
    scene.publish()
    return scene.vector(name, what, base="whole", listed=listed)


def _rotations(scene: Scene) -> Iterator[Vector]:
    """A log that went on with another key."""
    scene = scene.copy()
    old, new = KEY.verifier.line, signer(2).verifier.line
    before = scene.files["log/0/checkpoint"]
    scene.leaf("key", key=new)
    scene.publish(signer(2))
    yield scene.vector(
        "rotated",
        "The log went on with the key that a `key` leaf names; both are given.",
        base="whole",
        listed=WHOLE_LISTED,
        public_key=(old, new),
        known=[before],
    )
    yield scene.vector(
        "rotated-new-only",
        "The same, and only the new key is given: the anchor is signed by the old one.",
        base="whole",
        listed=WHOLE_LISTED,
        public_key=(new,),
    )
    yield scene.vector(
        "rotated-old-only",
        "The same, and only the old key is given: it signed nothing that names the new one.",
        "checkpoint_signature",
        base="whole",
        listed=(*WHOLE_LISTED, "foreign_signature"),
    )
    scene.publish(KEY, signer(2))
    yield scene.vector(
        "rotated-both-sign",
        "Both keys sign the checkpoint that has the `key` leaf; only the old one is given.",
        base="whole",
        listed=WHOLE_LISTED,
    )
    covering = scene.publish(KEY)
    yield scene.vector(
        "key-retired",
        "After the `key` leaf the old key alone signs.",
        "key_retired",
        base="whole",
        listed=WHOLE_LISTED,
        public_key=(old, new),
    )
    scene.placed("anchor", f"anchors/0/{len(scene.leaves)}.note", covering, size=len(scene.leaves))
    scene.publish(signer(2))
    yield scene.vector(
        "rotated-by-anchor",
        "The old key, which alone is given, signed an anchored checkpoint with the `key` leaf.",
        base="whole",
        listed=WHOLE_LISTED,
    )
