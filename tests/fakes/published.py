"""What anybody reads of the log out of a store in memory, and what must hold of it."""

from __future__ import annotations

from itertools import pairwise

from bridge.keys import log_key
from bridge.notekeys import NoteVerifier
from storage.translog.checkpoint import Checkpoint, open_checkpoint
from storage.translog.edge import RightEdge
from storage.translog.tiles import WIDTH, Bundle, entries_of, parse_path, tiles_of
from tests.fakes.log import KEY, FakeCheckpointPlace, FakeCheckpointStore
from tests.fakes.object_store import FakeObjectStore

FOLDER = log_key("0", "")


def published(store: FakeObjectStore, verifier: NoteVerifier = KEY.verifier) -> tuple[bytes, ...]:
    """The published leaves; the tree grown anew out of them is the one that the store shows."""
    held = store.objects.get(f"{FOLDER}checkpoint")
    if held is None:
        return ()
    checkpoint = open_checkpoint(held.data, verifier)
    leaves: list[bytes] = []
    while len(leaves) < checkpoint.size:
        bundle = Bundle(len(leaves) // WIDTH, min(WIDTH, checkpoint.size - len(leaves)))
        held = store.objects.get(FOLDER + bundle.path)
        assert held is not None, f"{bundle.path} is missing"
        leaves += entries_of(held.data)
    _is_the_tree(store, tuple(leaves), checkpoint)
    return tuple(leaves)


def _is_the_tree(store: FakeObjectStore, leaves: tuple[bytes, ...], checkpoint: Checkpoint) -> None:
    edge, pieces = RightEdge().grow(leaves)
    assert (edge.size, edge.root()) == (checkpoint.size, checkpoint.root)
    assert {piece for piece, _ in pieces} == set(tiles_of(checkpoint.size))
    for piece, data in pieces:
        held = store.objects.get(FOLDER + piece.path)
        assert held is not None, f"{piece.path} is missing"
        assert held.data == data
        assert (held.retain_until is not None) == piece.full
    for key in store.objects:
        path = key.removeprefix(FOLDER)
        if path not in {key, "checkpoint"}:
            assert parse_path(path) is not None, f"not a path of the log: {key}"


def one_history(heads: FakeCheckpointStore, place: FakeCheckpointPlace) -> None:
    """Heads only grow; there is one of each size, and what was shown was signed before."""
    sizes = [head.size for head in heads.heads]
    assert all(one < other for one, other in pairwise(sizes)), sizes
    signed = {head.note for head in heads.signed}
    assert len({head.size for head in heads.signed}) == len(signed), "two heads of one size"
    assert signed.issuperset(place.notes)
    shown = [open_checkpoint(note, KEY.verifier).size for note in place.notes]
    assert shown == sorted(set(shown))
