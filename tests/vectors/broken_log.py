"""Logs whose checkpoint, tiles or bundles do not fit."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

from storage.translog.cosignature import cosign
from storage.translog.note import Note
from tests.vectors.form import Vector, bundle
from tests.vectors.scene import KEY, A, Scene, signed, signer
from tests.vectors.whole import WHOLE_LISTED, of_size, whole, witness

CHECKPOINT = "log/0/checkpoint"
OTHER = "records.example.org/other/log/0"
BEYOND = 9_000_000_000_000_000


Case = tuple[str, bytes, tuple[str, ...]]
"""What is broken, the checkpoint, and the codes it must get."""


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def checkpoints() -> Iterator[Vector]:
    """Checkpoints that say something else, or say it in another way."""
    log = whole()
    note = log.scene.files[CHECKPOINT]
    lines = Note.parse(note).text.decode().splitlines()
    cases = _other_texts(lines, note) | _other_ways(lines, note) | _other_signers(lines, log.notes)
    for name, (what, changed, codes) in cases.items():
        scene = log.scene.copy()
        scene.files[CHECKPOINT] = changed
        stopped = {"checkpoint_malformed", "root_mismatch"} & set(codes)
        foreign = ("foreign_signature",) if name in {"other-origin", "other-key"} else ()
        listed = (*(() if stopped else WHOLE_LISTED), *foreign)
        yield scene.vector(name, what, *codes, base="whole", listed=listed)


def _other_texts(lines: list[str], note: bytes) -> dict[str, Case]:
    origin, size, root = lines
    flipped = base64.b64decode(root)
    flipped = bytes([flipped[0] ^ 1]) + flipped[1:]
    other = _joined([origin, size, base64.b64encode(flipped).decode()])
    short = _joined([origin, size, base64.b64encode(flipped[:31]).decode()])
    signature = note.rpartition(b"\n\n")[2]
    malformed = ("checkpoint_malformed",)
    return {
        "root-changed": (
            "One bit of the root hash is another; the signature is of the true one.",
            other + b"\n" + signature,
            ("root_mismatch", "checkpoint_signature"),
        ),
        "root-changed-and-signed": (
            "One bit of the root hash is another, and that was signed.",
            signed(other, KEY),
            ("root_mismatch",),
        ),
        "checkpoint-leading-zero": (
            "The size is written with a leading zero, and that was signed.",
            signed(_joined([origin, f"0{size}", root]), KEY),
            malformed,
        ),
        "checkpoint-plus-sign": (
            "The size is written with a sign, and that was signed.",
            signed(_joined([origin, f"+{size}", root]), KEY),
            malformed,
        ),
        "checkpoint-short-root": (
            "The root has 31 bytes, and that was signed.",
            signed(short, KEY),
            malformed,
        ),
        "checkpoint-extension": (
            "A fourth line was signed with the three.",
            signed(_joined([*lines, "and more"]), KEY),
            malformed,
        ),
    }


def _other_ways(lines: list[str], note: bytes) -> dict[str, Case]:
    signature = note.rpartition(b"\n\n")[2]
    malformed = ("checkpoint_malformed",)
    return {
        "checkpoint-crlf": (
            "The lines end as on Windows.",
            note.replace(b"\n", b"\r\n"),
            malformed,
        ),
        "checkpoint-trailing-line": (
            "An empty line stands after the signature.",
            note + b"\n",
            malformed,
        ),
        "checkpoint-cut": ("The last byte, a newline, is not there.", note[:-1], malformed),
        "checkpoint-unsigned": (
            "There is no signature line.",
            _joined([*lines, ""]),
            malformed,
        ),
        "checkpoint-loose-base64": (
            "The unused bits at the end of the signature's base64 are set.",
            _loose(note),
            malformed,
        ),
        "signature-twice": ("The signature line stands there twice.", note + signature, malformed),
    }


def _other_signers(lines: list[str], notes: tuple[bytes, ...]) -> dict[str, Case]:
    text = _joined(lines)
    other = _joined([OTHER, *lines[1:]])
    return {
        "other-origin": (
            "The checkpoint is of another log, signed by that log's key.",
            signed(other, signer(2, OTHER)),
            ("checkpoint_origin", "checkpoint_signature"),
        ),
        "other-origin-signed": (
            "The checkpoint is of another log, signed by the key of this one.",
            signed(other, KEY),
            ("checkpoint_origin",),
        ),
        "other-key": (
            "Signed by another key of the same name.",
            signed(text, signer(2)),
            ("checkpoint_signature",),
        ),
        "other-text": (
            "The signature is of an earlier checkpoint.",
            text + b"\n" + notes[1].rpartition(b"\n\n")[2],
            ("checkpoint_signature",),
        ),
    }


def _loose(note: bytes) -> bytes:
    """Ed25519 lines have 68 bytes, so one ``=`` and two bits that mean nothing."""
    at = note.rindex(b"=")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return note[: at - 1] + bytes([alphabet[alphabet.index(note[at - 1]) | 1]]) + note[at:]


def heads() -> Iterator[Vector]:
    """Checkpoints that are missing, foreign ones besides, and those kept elsewhere."""
    log = whole()
    scene = log.scene.copy()
    del scene.files[CHECKPOINT]
    yield scene.vector(
        "checkpoint-missing", "There is no checkpoint.", "checkpoint_missing", base="whole"
    )
    scene = log.scene.copy()
    note = Note.parse(scene.files[CHECKPOINT])
    line = cosign(note.text, time=1_772_442_930, signer=witness())
    scene.files[CHECKPOINT] = Note(text=note.text, signatures=(*note.signatures, line)).encode()
    what = "A witness signed the checkpoint too; its key is not given."
    listed = (*WHOLE_LISTED, "foreign_signature")
    yield scene.vector("foreign-signature", what, base="whole", listed=listed)
    scene = log.scene.copy()
    scene.leaf("gap", s=A.stream, after=5, why="history_refused")
    larger = scene.publish()
    yield log.scene.vector(
        "rolled-back",
        "A checkpoint that was kept elsewhere has a leaf more.",
        "rolled_back",
        base="whole",
        listed=WHOLE_LISTED,
        known=[larger],
    )
    scene = log.scene.copy()
    scene.leaves[3] = scene.leaves[4]
    yield log.scene.vector(
        "forked",
        "A checkpoint that was kept elsewhere, of fewer leaves, has another leaf 3.",
        "forked",
        base="whole",
        listed=WHOLE_LISTED,
        known=[scene.publish(size=20)],
    )


def unproved() -> Iterator[Vector]:
    """Bundles that were changed, so that checkpoints kept elsewhere cannot be judged."""
    log = whole()
    broken = ("bundle_mismatch",)
    scene = log.scene.copy()
    _swap(scene)
    yield scene.vector(
        "known-and-changed",
        "Two leaves changed places in the bundle; checkpoints were kept elsewhere.",
        *broken,
        base="whole",
        listed=["not_checked"],
        known=log.notes,
    )
    scene = log.scene.copy()
    scene.leaf("key", key=signer(2).verifier.line)
    covering = scene.publish(KEY)
    scene.placed("anchor", f"anchors/0/{len(scene.leaves)}.note", covering, size=len(scene.leaves))
    newest = scene.publish(KEY, signer(2))
    _swap(scene)
    yield scene.vector(
        "rotated-known-and-changed",
        "The same, and what was kept is signed by a later key, which only the log names.",
        *broken,
        base="whole",
        listed=["foreign_signature", "not_checked"],
        known=[signed(Note.parse(newest).text, signer(2))],
    )


def _swap(scene: Scene) -> None:
    """Have the newest bundle hold two leaves in each other's place."""
    leaves = [*scene.leaves]
    leaves[3:5] = reversed(leaves[3:5])
    scene.files[f"log/0/tile/entries/000.p/{len(leaves)}"] = bundle(leaves)


def trees() -> Iterator[Vector]:
    """Tiles and bundles that are missing, or are of other leaves."""
    log = whole()
    size = len(log.scene.leaves)
    tile, entries = f"log/0/tile/0/000.p/{size}", f"log/0/tile/entries/000.p/{size}"
    swapped = log.scene.copy()
    swapped.leaves[3:5] = reversed(swapped.leaves[3:5])
    scene = log.scene.copy()
    scene.files[entries] = bundle(swapped.leaves)
    what = "Two leaves changed places in the bundle."
    yield scene.vector("leaves-swapped", what, "bundle_mismatch", base="whole")
    swapped.publish()
    swapped.files[CHECKPOINT] = log.scene.files[CHECKPOINT]
    what = "Two leaves changed places, and the tile was made to fit."
    yield swapped.vector("leaves-swapped-in-tiles", what, "root_mismatch", base="whole")
    for name, what, key, code in (
        ("tile-missing", "The only tile is not there.", tile, "tile_missing"),
        ("bundle-missing", "The only bundle is not there.", entries, "bundle_missing"),
    ):
        scene = log.scene.copy()
        del scene.files[key]
        listed = WHOLE_LISTED if code == "tile_missing" else ()
        yield scene.vector(name, what, code, base="whole", listed=listed)
    more = bundle([*log.scene.leaves, log.scene.leaves[-1]])
    for name, what, body in (
        ("bundle-oversized", "The bundle has a leaf more than its name says.", more),
        ("bundle-cut", "The last byte of the bundle is not there.", log.scene.files[entries][:-1]),
        ("bundle-trailing", "A byte follows the last leaf.", log.scene.files[entries] + b"\0"),
    ):
        scene = log.scene.copy()
        scene.files[entries] = body
        yield scene.vector(name, what, "bundle_malformed", base="whole")
    old = log.scene.copy()
    old.files["log/0/tile/0/000.p/11"] = bytes(32 * 11)
    what = "A partial tile left over from an earlier checkpoint has other hashes."
    yield old.vector("old-tile-changed", what, "tile_mismatch", base="whole", listed=WHOLE_LISTED)
    old = log.scene.copy()
    old.files["log/0/tile/entries/000.p/11"] = bundle(swapped.leaves[:11])
    what = "A partial bundle left over from an earlier checkpoint has other leaves."
    yield old.vector(
        "old-bundle-changed", what, "bundle_mismatch", base="whole", listed=WHOLE_LISTED
    )


def large_trees() -> Iterator[Vector]:
    """The same in a log whose tiles are full."""
    base = of_size(300)
    upper, full = "log/0/tile/1/000.p/1", "log/0/tile/0/000"
    cut = base.files[full][:-1]
    changes: dict[str, tuple[str, str, bytes | None, str]] = {
        "upper-tile-missing": ("The upper tile is not there.", upper, None, "tile_missing"),
        "upper-tile-changed": (
            "The upper tile has another hash.",
            upper,
            bytes(32),
            "tile_mismatch",
        ),
        "full-tile-cut": ("The full tile has a byte less.", full, cut, "tile_mismatch"),
        "full-bundle-missing": (
            "The full bundle is not there.",
            "log/0/tile/entries/000",
            None,
            "bundle_missing",
        ),
        "partial-bundle-missing": (
            "The partial bundle at the end is not there.",
            "log/0/tile/entries/001.p/44",
            None,
            "bundle_missing",
        ),
    }
    yield from _sizes(base)
    for name, (what, key, body, code) in changes.items():
        files = {each: old for each, old in base.files.items() if each != key}
        yield replace(
            base,
            name=name,
            what=what,
            verdict="tampered",
            codes=frozenset({code}),
            listed=frozenset({"stream_opening"} if "tile" in code else ()),
            base=base.name,
            files=files if body is None else {**files, key: body},
        )


def _sizes(base: Vector) -> Iterator[Vector]:
    """A size that nobody signed, and a block of which nothing is left."""
    lines = Note.parse(base.files[CHECKPOINT]).text.decode().splitlines()
    larger = _joined([lines[0], str(BEYOND), lines[2]])
    signature = base.files[CHECKPOINT].rpartition(b"\n\n")[2]
    first = ("log/0/tile/0/000", "log/0/tile/entries/000")
    yield replace(
        base,
        name="size-beyond",
        what="The checkpoint says nine million billion leaves; the signature is of the true one.",
        verdict="tampered",
        codes=frozenset({"bundle_missing", "root_mismatch", "checkpoint_signature"}),
        listed=frozenset(),
        base=base.name,
        files=base.files | {CHECKPOINT: larger + b"\n" + signature},
    )
    yield replace(
        base,
        name="block-missing",
        what="Neither the full bundle nor its tile is there.",
        verdict="tampered",
        codes=frozenset({"bundle_missing", "root_mismatch"}),
        listed=frozenset(),
        base=base.name,
        files={key: body for key, body in base.files.items() if key not in first},
    )
