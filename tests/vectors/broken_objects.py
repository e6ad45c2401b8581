"""Whole logs under which objects are missing, changed or added, and objects that lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from bridge import keys
from bridge.canonical import dumps
from bridge.canonical.json import Json, base64url_text
from bridge.model import Digest
from bridge.notekeys import generate
from tests.vectors.form import Vector
from tests.vectors.scene import (
    FUTURE,
    ORIGIN,
    PAST,
    A,
    B,
    C,
    Scene,
    manifest,
    record,
    record_key,
    row,
    signed,
    signer,
)
from tests.vectors.whole import PICTURE, TOKEN, WHOLE_LISTED, Whole, media_key, whole

Change = Callable[[Scene, Whole], object]
NEXT = 6
OLD = 601
"""Seconds before the checkpoint from which on a leaf ought to be out."""


def _vector(
    name: str,
    what: str,
    change: Change,
    *codes: str,
    also: tuple[str, ...] = (),
    older: dict[str, int] | None = None,
) -> Vector:
    log = whole()
    size = len(log.scene.leaves)
    change(log.scene, log)
    if len(log.scene.leaves) > size:
        log.scene.publish()
    listed = (*WHOLE_LISTED, *also)
    return log.scene.vector(name, what, *codes, base="whole", listed=listed, older=older)


def _without(key: str) -> Change:
    return lambda scene, _: scene.files.pop(key)


def _with(key: str, body: bytes) -> Change:
    def change(scene: Scene, _: Whole) -> None:
        scene.files[key] = body

    return change


def objects() -> Iterator[Vector]:
    """Objects that are gone, or have other bytes."""
    captured = record_key(A, 1)
    gone, changed = "object_missing", "object_mismatch"
    first = "acts/2026/03/02/000000000000.json"
    note = "anchors/0/11.note"
    yield _vector("record-missing", "A record is not there.", _without(captured), gone)
    yield _vector("act-missing", "An act is not there.", _without(first), gone)
    yield _vector("anchor-missing", "A cosigned checkpoint is not there.", _without(note), gone)
    yield _vector(
        "record-changed",
        "A word of a record is another.",
        _with(captured, record(A, 1, body="Message one.")),
        changed,
    )
    yield _vector("record-empty", "A record has no bytes.", _with(captured, b""), changed)
    yield _vector(
        "records-swapped",
        "Two records stand in each other's place.",
        lambda scene, _: scene.files.update(
            {captured: record(A, 2), record_key(A, 2): record(A, 1)}
        ),
        changed,
    )
    medium_key = media_key(A, 4)
    yield _vector(
        "media-missing", "An attachment is not there.", _without(medium_key), "media_missing"
    )
    yield _vector(
        "media-changed",
        "An attachment has other bytes.",
        _with(medium_key, PICTURE[::-1]),
        "media_mismatch",
    )


def additions() -> Iterator[Vector]:
    """Objects that no leaf names."""
    added, other = record_key(C, 0), record(C, 0)
    act = "acts/2026/03/02/000000000099.json"
    copied = record_key(A, 1).replace("/03/02/", "/03/03/")
    act_body = dumps({"v": 1, "kind": "step", "step": "approve"})
    unlogged, medium_key = ("unlogged",), f"{media_key(A, 4)[:-1]}1"
    yield _vector("unlogged", "A record's leaf is not out yet.", _with(added, other), also=unlogged)
    yield _vector(
        "extra",
        "A record without a leaf is over 10 minutes older than the checkpoint.",
        _with(added, other),
        "extra",
        older={added: OLD},
    )
    yield _vector(
        "act-unlogged", "An act's leaf is not out yet.", _with(act, act_body), also=unlogged
    )
    yield _vector(
        "act-extra",
        "An act without a leaf is over 10 minutes older than the checkpoint.",
        _with(act, act_body),
        "extra",
        older={act: OLD},
    )
    yield _vector(
        "copied",
        "A record stands under another key too.",
        _with(copied, record(A, 1)),
        "extra_copy",
    )
    yield _vector(
        "review-copied",
        "A review's copy stands under `records/`, and its leaf is not out yet.",
        _with(record_key(A, 3), record(A, 3)),
        also=unlogged,
    )
    yield _vector(
        "media-extra",
        "Beside a record's attachment lies another one, which it does not name.",
        _with(medium_key, b"another"),
        "extra",
        older={medium_key: OLD},
    )
    for name, key in (
        ("tile-past-the-end", "log/0/tile/0/001.p/1"),
        ("tile-without-width", "log/0/tile/0/000.p/0"),
        ("tile-odd-path", "log/0/tile/0/x000/000"),
        ("other-shard", "log/1/checkpoint"),
        ("odd-name", "Notes.TXT"),
    ):
        what = f"A file stands under `{key}`, over 10 minutes older than the checkpoint."
        yield _vector(name, what, _with(key, bytes(32)), "extra", older={key: OLD})


def absences() -> Iterator[Vector]:
    """Objects that may be gone, and others that may not."""
    review = keys.REVIEW
    in_order = ("absent_in_order",)
    yield _vector(
        "expired-discarded",
        "A review that a person discarded is gone, after its retention.",
        _without(record_key(A, 3, review)),
        also=in_order,
    )
    yield _vector(
        "expired-captured",
        "A review that stands under `records/` too is gone, after its retention.",
        _without(record_key(A, 2, review)),
        also=in_order,
    )

    def reviewed(ret: str, decided: str) -> Change:
        def change(scene: Scene, _: Whole) -> None:
            ref = scene.seen(A, NEXT, "review")
            scene.stored(ref, A, NEXT, area=review, ret=ret)
            if decided:
                scene.leaf("decision", ref=ref, c=decided, cl="p+m", by="policy")
            del scene.files[record_key(A, NEXT, review)]

        return change

    for name, what, change in (
        ("expired-undecided", "A review nobody decided is gone.", reviewed(PAST, "")),
        (
            "expired-before-its-time",
            "A review that was discarded is gone, before its retention was over.",
            reviewed(FUTURE, "discard"),
        ),
        (
            "expired-without-copy",
            "A review that was decided to be kept is gone, and stands nowhere else.",
            reviewed(PAST, "capture"),
        ),
    ):
        yield _vector(name, what, change, "object_missing")


def disposals() -> Iterator[Vector]:
    """What authority disposed of."""

    def disposed(first: int, last: int, key: str) -> Change:
        def change(scene: Scene, _: Whole) -> None:
            scene.act("dispose", {"leaves": [[first, last]]})
            del scene.files[key]

        return change

    log = whole()
    leaf = log.captured + 1
    yield _vector(
        "disposed",
        "A record is gone; a `dispose` act covers its leaf.",
        disposed(leaf, leaf, record_key(A, 1)),
        also=("absent_in_order",),
    )
    yield _vector(
        "disposed-but-its-media",
        "A record is gone by a `dispose` act; its attachment is there still.",
        disposed(log.illustrated + 1, log.illustrated + 1, record_key(A, 4)),
        also=("absent_in_order", "media_left"),
    )
    yield _vector(
        "disposed-of-another",
        "A record is gone; a `dispose` act covers other leaves.",
        disposed(leaf + 1, leaf + 5, record_key(A, 1)),
        "object_missing",
    )

    def forged(scene: Scene, _: Whole) -> None:
        scene.act("dispose", {"leaves": [[0, 1]]})
        key = max(key for key in scene.files if key.startswith("acts/"))
        scene.files[key] = dumps({"v": 1, "kind": "dispose", "leaves": [[leaf, leaf]]})
        del scene.files[record_key(A, 1)]

    yield _vector(
        "disposal-changed",
        "A record is gone; a `dispose` act was changed to cover its leaf.",
        forged,
        "object_missing",
        "object_mismatch",
    )


def manifests() -> Iterator[Vector]:
    """Parts of manifests whose rows say something else than the leaves."""
    log = whole()
    captured, right = log.captured, Digest.of(record(A, 1)).hex

    def part(name: str, what: str, entry: dict[str, Json], *codes: str) -> Vector:
        key = f"{keys.manifest_folder(A.gid, '2026/03/02')}/000001.json"
        return _vector(
            f"manifest-{name}",
            f"A row of a manifest {what}",
            lambda scene, _: scene.placed("manifest", key, manifest(A, [entry])),
            *codes,
        )

    def kept(**fields: Json) -> dict[str, Json]:
        usual: dict[str, Json] = {"sha256": right, "key": record_key(A, 1)}
        return row(A, 1, captured, "capture") | usual | fields

    wrong = "manifest_mismatch"
    yield part("right", "says what the leaves say.", kept())
    review_key = record_key(A, 1, keys.REVIEW)
    yield part("before", "names the key before the decision.", kept(key=review_key))
    yield part("digest", "has another digest.", kept(sha256="0" * 64), wrong)
    yield part("number", "has another number.", kept(n=2), wrong)
    yield part("stream", "has another stream.", kept(s=B.stream), wrong)
    yield part("outcome", "has an outcome it never had.", kept(outcome="discard"), wrong)
    yield part("leaf", "names a leaf that is of an act.", kept(leaf=0), wrong)
    yield part("leaf-beyond", "names a leaf past the end.", kept(leaf=999), wrong)
    yield part("key", "has the key of another record.", kept(key=record_key(A, 2)), wrong)
    key = f"{keys.manifest_folder(A.gid, '2026/03/02')}/000001.json"
    yield _vector(
        "manifest-not-canonical",
        "A part of a manifest ends with a newline.",
        lambda scene, _: scene.placed("manifest", key, manifest(A, []) + b"\n"),
        "manifest_malformed",
    )


def acts() -> Iterator[Vector]:
    """Acts that say something else than their leaf."""

    def stated(kind: str, details: dict[str, Json], **fields: Json) -> Change:
        def change(scene: Scene, _: Whole) -> None:
            key, body = scene.act_file(kind, **details)
            scene.placed(str(fields.pop("k", kind)), key, body, **fields)

        return change

    wrong = "act_mismatch"
    total = stated("close", {"stream": A.stream, "total": 9}, s=A.stream, total=6)
    yield _vector("act-kind", "An act is of another kind.", stated("hold", {}, k="release"), wrong)
    yield _vector("act-total", "A `close` act has another total.", total, wrong)
    yield _vector(
        "act-stream",
        "An `open` act is about another stream than its leaf.",
        stated("open", {"stream": B.stream}, s=C.stream),
        wrong,
    )
    yield _vector(
        "act-stream-key",
        "The stream key of an `open` act does not give its stream's name.",
        lambda scene, _: scene.open(C, stream_key=base64url_text(bytes(32))),
        wrong,
    )
    yield _vector(
        "act-not-canonical",
        "An act ends with a newline.",
        lambda scene, _: scene.placed("hold", "acts/2026/03/02/000000000098.json", b"{}\n"),
        "act_malformed",
    )


def incomplete() -> Iterator[Vector]:
    """Signed documents that lack a field."""

    def unsalted(scene: Scene, _: Whole) -> None:
        body = _lacking("salt", record(A, NEXT))
        digest = Digest.of(body).hex
        ref = scene.leaf("seen", s=A.stream, n=NEXT, d=digest, c="capture", cl="p+m")
        scene.placed("stored", record_key(A, NEXT), body, ref=ref, ret=FUTURE)

    def of_nobody(scene: Scene, log: Whole) -> None:
        leaf = log.captured + 1
        key, body = scene.act_file("dispose", leaves=[[leaf, leaf]])
        scene.placed("dispose", key, _lacking("by", body))
        del scene.files[record_key(A, 1)]

    yield _vector("record-without-salt", "A record has no salt.", unsalted, "record_malformed")
    yield _vector(
        "act-without-author",
        "A `dispose` act does not say by whom; the record that it names is gone.",
        of_nobody,
        "act_malformed",
        "object_missing",
    )


def _lacking(name: str, body: bytes) -> bytes:
    """A document without one of its fields."""
    document: dict[str, Json] = json.loads(body)
    del document[name]
    return dumps(document)


def anchors() -> Iterator[Vector]:
    """Anchors of other checkpoints than they say."""
    token = TOKEN.read_bytes()

    def anchored(ending: str, body: bytes, size: int = 20, named: int = 20) -> Change:
        return lambda scene, _: scene.placed(
            "anchor", f"anchors/0/{named}.{ending}", body, size=size
        )

    wrong = "anchor_mismatch"
    yield _vector(
        "anchor-other-size",
        "A leaf names another size than its anchor's key.",
        lambda scene, log: anchored("note", log.scene.publish(size=20), size=19)(scene, log),
        wrong,
    )
    yield _vector(
        "anchor-other-root",
        "A checkpoint of another root stands among the anchors, signed.",
        anchored("note", signed(f"{ORIGIN}\n20\n{'A' * 43}=\n".encode(), signer(1))),
        wrong,
    )
    yield _vector(
        "anchor-of-other-checkpoint",
        "A timestamp of size 11 stands as one of size 20.",
        lambda scene, log: (
            anchored("note", scene.publish(size=20))(scene, log),
            anchored("tsr", token)(scene, log),
        ),
        wrong,
    )


def useless() -> Iterator[Vector]:
    """Arguments by which nothing can be told."""
    log = whole()
    other = generate("records.example.org/other/log/0", lambda n: b"o" * n)[1]
    for name, what, known, public_key in (
        (
            "known-of-other-key",
            "The checkpoint that was kept elsewhere is signed by another key.",
            [log.scene.copy().publish(signer(2))],
            (signer(1).verifier.line,),
        ),
        (
            "known-none",
            "What was kept elsewhere is no checkpoint.",
            [b"{}\n"],
            (signer(1).verifier.line,),
        ),
        (
            "key-of-other-tenant",
            "The key is of another tenant, of whom nothing stands there.",
            [],
            (other,),
        ),
    ):
        vector = log.scene.vector(
            name, what, "cannot_tell", base="whole", known=known, public_key=public_key
        )
        yield vector.useless()
