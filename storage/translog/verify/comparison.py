"""Checkpoints kept elsewhere, compared with the log by a few of its tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from storage.translog.malformed import MalformedError
from storage.translog.merkle import consistency_proof, root_of, verify_consistency
from storage.translog.tilehashes import TileHashes, consistency_tiles, tiles_for
from storage.translog.tiles import Tile
from storage.translog.verify.codes import Code
from storage.translog.verify.heads import SignedHead, Trust, check_known
from storage.translog.verify.report import Gathering


class Comparison:
    """Compares with the log under ``head``. ``read`` gives those tiles that are there."""

    def __init__(
        self,
        head: SignedHead,
        trust: Trust,
        read: Callable[[tuple[Tile, ...]], Mapping[Tile, bytes]],
        found: Gathering,
    ) -> None:
        self._head = head
        self._trust = trust
        self._read = read
        self._found = found

    def extends(self, known: SignedHead, *, is_trusted: bool) -> bool:
        """Whether the log extends this one; ``is_trusted``: whether a trusted key signed the head.

        Raises:
            ConfigError: it is not of this log and its keys.
        """
        size, name = self._head.checkpoint.size, known.name
        if not check_known(known, self._trust, is_whole=is_trusted):
            what = f"{name} is not compared: who may sign cannot be told."
            self._found.add(Code.NOT_CHECKED, what, key=name)
            return False
        if known.checkpoint.size > size:
            what = f"The log has {size} leaves; {name} is a checkpoint of {known.checkpoint.size}."
            self._found.add(Code.ROLLED_BACK, what, key=name)
            return False
        try:
            root = self._root(known.checkpoint.size)
        except MalformedError as error:
            what = f"The log's tiles cannot be compared with {name}: {error}."
            self._found.add(Code.ROOT_MISMATCH, what, key=name)
            return False
        if root != known.checkpoint.root:
            self._found.add(Code.FORKED, f"The log does not extend {name}.", key=name)
            return False
        return True

    def _root(self, old: int) -> bytes:
        """The root over the first ``old`` leaves, proved to be that.

        Raises:
            MalformedError: the tiles do not give the root of the head.
        """
        new = self._head.checkpoint
        wanted = dict.fromkeys(consistency_tiles(old, new.size))
        wanted |= dict.fromkeys(tiles_for(partial(root_of, old), new.size))
        hashes = TileHashes(new.size, self._read(tuple(wanted)))
        root = root_of(old, hashes)
        path = consistency_proof(old, new.size, hashes)
        verify_consistency(old, new.size, root, new.root, path)
        return root
