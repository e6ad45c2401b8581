"""The checkpoint, the keys that may have signed it, and the checkpoints known from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.notekeys import NoteVerifier, parse_verifier
from storage.translog.checkpoint import Checkpoint
from storage.translog.malformed import NoteError
from storage.translog.note import Note, verified_by
from storage.translog.verify.codes import Code
from storage.translog.verify.report import Gathering


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A note that holds a checkpoint. Whose signatures verify is asked separately."""

    note: Note
    checkpoint: Checkpoint
    name: str

    @classmethod
    def read(cls, data: bytes, name: str) -> SignedHead:
        """Read a note; ``name`` says where it comes from.

        Raises:
            NoteError: it is no checkpoint, or has several lines of one key.
        """
        note = Note.parse(data)
        signers = [(one.name, one.key_hash) for one in note.signatures]
        if len(set(signers)) != len(signers):
            raise NoteError("a key has several signature lines")
        return cls(note=note, checkpoint=Checkpoint.parse(note.text), name=name)

    def claims(self, keys: Iterable[NoteVerifier]) -> bool:
        """Whether a line of it says to be of one of these keys."""
        return any(one.claims(key) for key in keys for one in self.note.signatures)

    def signed_by(self, keys: Iterable[NoteVerifier]) -> bool:
        """Whether one of these keys signed it."""
        return any(verified_by(self.note, key) for key in keys)


class Trust:
    """The keys that may sign for this log, beginning with those that were given.

    A `key` leaf adds one once a trusted key has signed a checkpoint that covers that leaf:
    anybody could write a log that names his own key.
    """

    def __init__(self, given: Sequence[NoteVerifier]) -> None:
        self.origin = given[0].name
        self._trusted = list(given)
        self._newest: NoteVerifier | None = None

    @property
    def keys(self) -> tuple[NoteVerifier, ...]:
        """Every key that is trusted by now."""
        return tuple(self._trusted)

    def grow(
        self,
        named: Sequence[tuple[int, str]],
        heads: Sequence[SignedHead],
        roots: Mapping[int, bytes],
        found: Gathering,
    ) -> None:
        """Follow the `key` leaves (index and key) with the heads that fit this tree."""
        for index, line in named:
            try:
                key = parse_verifier(line)
            except ConfigError as error:
                what = f"Leaf {index} names a key that is none: {error}."
                found.add(Code.LEAF_MALFORMED, what, leaf=index)
                continue
            self._newest = key
            fitting = (
                head
                for head in heads
                if head.checkpoint.size > index
                and roots.get(head.checkpoint.size) == head.checkpoint.root
                and head.checkpoint.origin == self.origin
            )
            if key not in self._trusted and any(one.signed_by(self._trusted) for one in fitting):
                self._trusted.append(key)

    def judge(self, head: SignedHead, found: Gathering) -> bool:
        """Say what is wrong with who signed the checkpoint. Whether nothing is."""
        key = head.name
        if head.checkpoint.origin != self.origin:
            what = f"{key} is a checkpoint of {head.checkpoint.origin}, not of {self.origin}."
            found.add(Code.CHECKPOINT_ORIGIN, what, key=key)
        if not head.signed_by(self._trusted):
            what = f"{key} is not signed by {self._trusted[0].line}."
            found.add(Code.CHECKPOINT_SIGNATURE, what, key=key)
        elif self._newest is not None and not head.signed_by((self._newest,)):
            what = f"{key} is signed by a key that a key leaf replaced."
            found.add(Code.KEY_RETIRED, what, key=key)
        self._foreign(head, found)
        return not found.has(Code.CHECKPOINT_ORIGIN, Code.CHECKPOINT_SIGNATURE, Code.KEY_RETIRED)

    def _foreign(self, head: SignedHead, found: Gathering) -> None:
        """Lines of keys that nobody gave prove nothing, and disprove nothing."""
        for one in head.note.signatures:
            if not any(one.claims(key) for key in self._trusted):
                what = f"{head.name} has a signature of {one.name}, whose key was not given."
                found.add(Code.FOREIGN_SIGNATURE, what, key=head.name)


def read_head(data: bytes, key: str, found: Gathering) -> SignedHead | None:
    """The store's checkpoint; None, with its finding, if it is none."""
    try:
        return SignedHead.read(data, key)
    except NoteError as error:
        found.add(Code.CHECKPOINT_MALFORMED, f"{key} is malformed: {error}.", key=key)
        return None


def read_known(data: bytes, name: str) -> SignedHead:
    """A checkpoint that somebody kept.

    Raises:
        ConfigError: it is none, so that nothing can be compared with it.
    """
    try:
        return SignedHead.read(data, name)
    except NoteError as error:
        raise ConfigError(
            f"{name} is not a checkpoint: {error}",
            hint="Give a file that holds a checkpoint exactly as it was published.",
        ) from None


def judge_known(
    known: Sequence[SignedHead],
    trust: Trust,
    size: int,
    roots: Mapping[int, bytes],
    found: Gathering,
) -> list[int]:
    """Compare with the checkpoints that are known; gives the sizes that the log extends.

    ``roots`` has none where the leaves are not proved: then who may sign is not known either,
    and what cannot be compared is listed.

    Raises:
        ConfigError: one is not of this log and its keys: it says nothing about this store.
    """
    extended: list[int] = []
    for one in known:
        is_signed = check_known(one, trust, is_whole=bool(roots))
        if is_signed and one.checkpoint.size > size:
            what = (
                f"The log has {size} leaves; {one.name} is a checkpoint of"
                f" {one.checkpoint.size}: the store was put back."
            )
            found.add(Code.ROLLED_BACK, what, key=one.name)
        elif not roots:
            what = f"{one.name} is not compared: the leaves that stand here are not the log's."
            found.add(Code.NOT_CHECKED, what, key=one.name)
        elif roots[one.checkpoint.size] != one.checkpoint.root:
            what = f"The first {one.checkpoint.size} leaves do not give the root in {one.name}."
            found.add(Code.FORKED, what, key=one.name)
        else:
            extended.append(one.checkpoint.size)
    return sorted(set(extended))


def check_known(one: SignedHead, trust: Trust, *, is_whole: bool) -> bool:
    """Whether a key of this log signed a known checkpoint.

    ``is_whole``: whether every key that the log names is known; else one of those may have.

    Raises:
        ConfigError: it is not of this log and its keys.
    """
    is_signed = one.signed_by(trust.keys)
    if one.checkpoint.origin != trust.origin or (is_whole and not is_signed):
        raise ConfigError(
            f"{one.name} is not a checkpoint signed by the key of {trust.origin}",
            hint="Give checkpoints of this log, and the key that signed them.",
        )
    return is_signed
