"""Ways to tamper with an archive, and what must be said of each."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bridge.notekeys import generate, parse_signing_key, parse_verifier
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.checkpoint import Checkpoint, sign_checkpoint
from storage.translog.edge import RightEdge
from storage.translog.note import Note, signature_of
from tests.archive.archive import Archive
from tests.archive.memory import MemoryEvidence, Version
from tests.archive.provable import Provable, provable

CHECKPOINT = "log/0/checkpoint"


@dataclass(slots=True, kw_only=True)
class Mutation:
    """A broken archive, and what must be said of it.

    ``found``: it is tampered, and one of these words stands in a finding's key or sentence.
    Otherwise it is intact, and ``listed`` are codes that must be listed.
    """

    kind: str
    evidence: MemoryEvidence
    found: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    known: tuple[bytes, ...] = ()
    folder: bool = True


@dataclass(slots=True, kw_only=True)
class Subject:
    """An archive to be broken, again and again, each time from the start."""

    archive: Archive
    rng: random.Random
    evidence: MemoryEvidence = field(init=False)
    sorted: Provable = field(init=False)

    def __post_init__(self) -> None:
        self.evidence = MemoryEvidence.of(self.archive)
        self.sorted = provable(self.archive)

    def body(self, key: str) -> bytes:
        """The bytes as they should be."""
        return self.evidence.objects[key][0].body or b""

    def any_key(self) -> str:
        """A key, each class of object as likely as the others."""
        classes: dict[str, list[str]] = {}
        for key in self.evidence.objects:
            name = key.split("/")[0] + ("/media" if "/media/" in key else "") + key[-5:]
            classes.setdefault(
                name if key.startswith(("re", "an")) else _log_class(key), []
            ).append(key)
        return self.rng.choice(classes[self.rng.choice(sorted(classes))])

    def changed(self, kind: str, key: str, body: bytes) -> Mutation:
        """The archive with other bytes under a key."""
        evidence = self.evidence.copy()
        evidence.change(key, body)
        if key in self.sorted.free:
            listed = "media_left" if "/media/" in key and key not in self.unlogged else "unlogged"
            return Mutation(kind=kind, evidence=evidence, listed=(listed,))
        return Mutation(kind=kind, evidence=evidence, found=(key,))

    @property
    def unlogged(self) -> frozenset[str]:
        """What was put after the checkpoint."""
        at = self.evidence.objects[CHECKPOINT][0].modified_at
        return frozenset(
            key for key in self.sorted.free if self.evidence.objects[key][0].modified_at >= at
        )


def _log_class(key: str) -> str:
    if not key.startswith("log/"):
        return key.split("/", maxsplit=1)[0]
    return "/".join(key.split("/")[2:4]) + (".p" if ".p/" in key else "")


def flip(subject: Subject) -> Mutation:
    """One byte of one object is another."""
    rng, key = subject.rng, subject.any_key()
    body = bytearray(subject.body(key))
    body[rng.randrange(len(body))] ^= rng.randrange(1, 256)
    return subject.changed("flip", key, bytes(body))


def truncate(subject: Subject) -> Mutation:
    """An object ends too early."""
    key = subject.any_key()
    body = subject.body(key)
    return subject.changed("truncate", key, body[: subject.rng.randrange(len(body))])


def lengthen(subject: Subject) -> Mutation:
    """Something follows an object's end."""
    key = subject.any_key()
    more = subject.rng.randbytes(subject.rng.randint(1, 40))
    return subject.changed("lengthen", key, subject.body(key) + more)


def swap(subject: Subject) -> Mutation:
    """Two objects stand in each other's place."""
    while True:
        one, other = subject.any_key(), subject.any_key()
        if subject.body(one) != subject.body(other) and not _is_one_head(subject, one, other):
            break
    evidence = subject.evidence.copy()
    evidence.change(one, subject.body(other))
    evidence.change(other, subject.body(one))
    proved = tuple(key for key in (one, other) if key not in subject.sorted.free)
    named = any(_digest_named(subject, key) for key in (one, other))
    if not proved and not named:
        return Mutation(kind="swap", evidence=evidence)
    known: tuple[bytes, ...] = ()
    if CHECKPOINT in {one, other} and one.endswith(".note") | other.endswith(".note"):
        # An older checkpoint in its place: if all that came after is newer than ten minutes, its
        # leaves may just not be out yet. Only who kept a checkpoint can tell.
        known, proved = subject.archive.notes[-1:], (*proved, "known")
    return Mutation(kind="swap", evidence=evidence, found=proved or (one, other), known=known)


def _is_one_head(subject: Subject, one: str, other: str) -> bool:
    """The checkpoint and the newest anchor are the same statement: either may stand for it."""
    if CHECKPOINT not in {one, other} or not {one, other} & subject.sorted.free:
        return False
    texts = {subject.body(key).partition(b"\n\n")[0] for key in (one, other)}
    return len(texts) == 1


def _digest_named(subject: Subject, key: str) -> bool:
    return key in subject.sorted.named


def delete(subject: Subject) -> Mutation:
    """An object is gone."""
    key = subject.any_key()
    evidence = subject.evidence.copy()
    del evidence.objects[key]
    if key not in subject.sorted.wanted:
        return Mutation(kind="delete", evidence=evidence)
    # A leaf does not tell the key of what is gone: the finding names leaf and number.
    return Mutation(kind="delete", evidence=evidence, found=_names_of(subject, key))


def _names_of(subject: Subject, key: str) -> tuple[str, ...]:
    if key in subject.sorted.named:
        return tuple(f"leaf {leaf} " for leaf in _leaves_of(subject.archive, key))
    return (key,)


def _leaves_of(archive: Archive, key: str) -> Iterator[int]:
    place = hashlib.sha256(f"v1/{archive.tenant}/{key}".encode()).hexdigest().encode()
    for index, line in enumerate(archive.leaves):
        if b'"p":"' + place in line:
            yield index


def hide(subject: Subject) -> Mutation:
    """A delete marker lies over an object, in a bucket with versions."""
    key = subject.any_key()
    evidence = subject.evidence.copy()
    marker = Version(body=None, modified_at=subject.archive.now)
    evidence.objects[key].append(marker)
    if key not in subject.sorted.wanted and key not in subject.sorted.old:
        return Mutation(kind="hide", evidence=evidence, folder=False)
    return Mutation(kind="hide", evidence=evidence, found=(key,), folder=False)


def overwrite(subject: Subject) -> Mutation:
    """A later version with other bytes stands before the first one."""
    key = subject.any_key()
    evidence = subject.evidence.copy()
    other = subject.rng.randbytes(60)
    evidence.objects[key].append(Version(body=other, modified_at=subject.archive.now))
    return Mutation(kind="overwrite", evidence=evidence, found=(key,), folder=False)


def add(subject: Subject) -> Mutation:
    """An object that nobody wrote."""
    rng = subject.rng
    original = subject.any_key()
    while original.startswith("log/"):
        original = subject.any_key()
    key = _new_key(rng, original)
    copied = rng.random() < 0.5
    body = subject.body(original) if copied else rng.randbytes(rng.randint(1, 300))
    at = subject.evidence.objects[CHECKPOINT][0].modified_at
    is_old = rng.random() < 0.5
    at += timedelta(minutes=-11 if is_old else 1)
    evidence = subject.evidence.copy()
    evidence.objects[key] = [Version(body=body, modified_at=at)]
    if is_old or (copied and original in subject.sorted.named):
        return Mutation(kind="add", evidence=evidence, found=(key,))
    return Mutation(kind="add", evidence=evidence, listed=("unlogged",))


def _new_key(rng: random.Random, original: str) -> str:
    """A key beside another, or one of no form at all."""
    stray = rng.choice(("acts/x", "log/0/tile/9/000", "log/1/checkpoint", "x", "records/a b"))
    folder, _, name = original.rpartition("/")
    beside = f"{folder}/{rng.randbytes(3).hex()}-{name}"
    return rng.choice((beside, f"{stray}{rng.randrange(1000)}"))


def add_tile(subject: Subject) -> Mutation:
    """A tile or bundle of an earlier size with wrong bytes."""
    size = subject.rng.randrange(1, min(subject.archive.size, 256))
    key = f"log/0/tile/{subject.rng.choice(('0', 'entries'))}/000.p/{size}"
    evidence = subject.evidence.copy()
    at = subject.evidence.objects[CHECKPOINT][0].modified_at
    evidence.objects[key] = [Version(body=subject.rng.randbytes(32 * size), modified_at=at)]
    return Mutation(kind="add_tile", evidence=evidence, found=(key,))


def resign(subject: Subject) -> Mutation:
    """The checkpoint is signed by another key, which may bear the same name."""
    rng, archive = subject.rng, subject.archive
    origin = parse_verifier(archive.public_key).name
    name = rng.choice((origin, "records.example.net/other/log/0"))
    signing, _ = generate(name, rng.randbytes)
    checkpoint = Checkpoint.parse(Note.parse(archive.notes[-1]).text)
    head = replace(checkpoint, origin=name)
    note = sign_checkpoint(head, Ed25519Signer(parse_signing_key(signing)))
    return subject.changed("resign", CHECKPOINT, note)


def foreign_line(subject: Subject) -> Mutation:
    """Somebody else signs the checkpoint besides."""
    signing, _ = generate("somebody.example.net", subject.rng.randbytes)
    note = Note.parse(subject.archive.notes[-1])
    line = signature_of(note.text, Ed25519Signer(parse_signing_key(signing)))
    lines = [*note.signatures, line]
    subject.rng.shuffle(lines)
    evidence = subject.evidence.copy()
    evidence.change(CHECKPOINT, Note(text=note.text, signatures=tuple(lines)).encode())
    return Mutation(kind="foreign_line", evidence=evidence, listed=("foreign_signature",))


def reorder(subject: Subject) -> Mutation:
    """Two leaves change places, tiles and all; the checkpoint stays, or is signed anew."""
    rng, archive = subject.rng, subject.archive
    leaves = list(archive.leaves)
    one, other = rng.sample(range(len(leaves)), 2)
    leaves[one], leaves[other] = leaves[other], leaves[one]
    edge, pieces = RightEdge().grow(leaves)
    evidence = subject.evidence.copy()
    for piece, data in pieces:
        evidence.change(f"log/0/{piece.path}", data)
    signer = Ed25519Signer(parse_signing_key(archive.signing_key))
    if rng.random() < 0.5:
        return Mutation(kind="reorder", evidence=evidence, found=(CHECKPOINT,))
    origin = signer.verifier.name
    head = Checkpoint(origin=origin, size=len(leaves), root=edge.root())
    evidence.change(CHECKPOINT, sign_checkpoint(head, signer))
    # Signed by the right key: only who kept a checkpoint can tell, or an anchor.
    known = archive.notes[-1]
    return Mutation(kind="reorder_signed", evidence=evidence, found=("known",), known=(known,))


def shorten(subject: Subject) -> Mutation:
    """A bucket keeps an object for less long than its leaf says."""
    rng = subject.rng
    evidence = MemoryEvidence(subject.evidence.copy().objects, locked=True)
    kept = {**subject.sorted.named, **subject.sorted.media}
    due = [key for key, until in kept.items() if until is not None and until > subject.archive.now]
    key = rng.choice(sorted(due))
    until = kept[key]
    shorter = None if until is None or rng.random() < 0.3 else until - timedelta(days=1)
    evidence.objects[key] = [replace(evidence.objects[key][0], retain_until=shorter)]
    return Mutation(kind="shorten", evidence=evidence, found=(key,), folder=False)


def untouched(subject: Subject) -> Mutation:
    """Nothing is wrong, in a folder or in a bucket with locks, with checkpoints known."""
    locked = subject.rng.random() < 0.5
    evidence = MemoryEvidence(subject.evidence.copy().objects, locked=locked)
    known = tuple(subject.rng.sample(subject.archive.notes, 2))
    return Mutation(kind="untouched", evidence=evidence, known=known, folder=not locked)


def put_back(subject: Subject) -> Mutation:
    """The whole store is put back to an earlier checkpoint."""
    rng, archive = subject.rng, subject.archive
    evidence = subject.evidence.copy()
    at = rng.randrange(len(archive.notes) - 1)
    size = Checkpoint.parse(Note.parse(archive.notes[at]).text).size
    later = archive.notes[rng.randrange(at + 1, len(archive.notes))]
    evidence.change(CHECKPOINT, archive.notes[at])
    published = evidence.objects[f"log/0/tile/entries/{_edge(size)}"][0].modified_at
    for key in list(evidence.objects):
        if evidence.objects[key][0].modified_at > published + timedelta(seconds=5):
            del evidence.objects[key]
    first = evidence.objects.setdefault(CHECKPOINT, [])
    first[:] = [Version(body=archive.notes[at], modified_at=published)]
    if archive.now - published < timedelta(days=1) and rng.random() < 0.3:
        # Nobody kept a later checkpoint: as far as one can tell, that is all there ever was.
        return Mutation(kind="put_back_unknown", evidence=evidence)
    return Mutation(kind="put_back", evidence=evidence, found=("known",), known=(later,))


def _edge(size: int) -> str:
    index, width = divmod(size, 256)
    if width == 0:
        index, width = index - 1, 256
    return f"{index:03d}" + ("" if width == 256 else f".p/{width}")


KINDS: dict[Callable[[Subject], Mutation], int] = {
    flip: 40,
    truncate: 6,
    lengthen: 6,
    swap: 8,
    delete: 12,
    hide: 4,
    overwrite: 4,
    add: 8,
    add_tile: 2,
    resign: 3,
    foreign_line: 1,
    reorder: 4,
    shorten: 4,
    put_back: 4,
    untouched: 6,
}
"""Every kind, and how often it comes."""
