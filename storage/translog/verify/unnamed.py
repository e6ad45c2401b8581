"""A record that no leaf of the whole log names: added by somebody, or on its way into the log."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bridge.keys import absolute
from bridge.protocols.evidence import Evidence
from storage.translog.verify.absences import WINDOW
from storage.translog.verify.codes import Code
from storage.translog.verify.holdings import Holding
from storage.translog.verify.lines import LeafError, matched, milliseconds
from storage.translog.verify.names import twin
from storage.translog.verify.report import Gathering
from storage.translog.verify.retentions import moment
from storage.translog.verify.whole_log import Sought


class Unnamed:
    """Judges what stands under ``holding.key`` by the rule of the whole verification."""

    def __init__(self, evidence: Evidence, tenant: str, holding: Holding, digest: bytes) -> None:
        """``digest``: of its bytes, in hex."""
        self._evidence = evidence
        self._tenant = tenant
        self._holding = holding
        self._digest = digest

    def judge(self, sought: Sought, key: str, note: bytes, found: Gathering) -> None:
        """``sought``: the leaves with its digest; ``note``: the checkpoint, of the ``key``."""
        name = self._holding.key
        original = self._original(sought)
        published = self._published(key, note, sought.last)
        if self._holding.hidden:
            found.add(Code.UNLOGGED, f"No leaf names {name}, which is hidden.", key=name)
        elif not self._holding.is_plain:
            found.add(Code.EXTRA, f"{name} is no plain file.", key=name)
        elif original is not None:
            what = f"{name} is named by no leaf and has the bytes that leaf {original} names."
            found.add(Code.EXTRA_COPY, what, key=name, leaf=original)
        elif published is not None and self._holding.record.modified_at < published - WINDOW:
            what = f"{name} is named by no leaf and is older than the checkpoint."
            found.add(Code.EXTRA, what, key=name)
        else:
            found.add(Code.UNLOGGED, f"No leaf names {name} yet.", key=name)

    def _original(self, sought: Sought) -> int | None:
        """The leaf that names these bytes elsewhere; the copy of a review may have them."""
        named = [each for each in sought.found if each.fields.get("o") == self._digest]
        other = twin(self._holding.key)
        if other is not None and self._holding.key.startswith("records/"):
            place = hashlib.sha256(absolute(self._tenant, other).encode()).hexdigest().encode()
            if any(each.fields.get("p") == place for each in named):
                return None
        return named[0].index if named else None

    def _published(self, key: str, note: bytes, last: bytes | None) -> datetime | None:
        """When the checkpoint was put, as the store says.

        If another one stands there by now, when the last leaf under this one was written: an
        object may be in the log only since.
        """
        newest = next(iter(self._evidence.walk(key)), None)
        if newest is not None and newest.key == key and not newest.deleted:
            with self._evidence.open(newest) as source:
                if source.read() == note:
                    return newest.modified_at
        try:
            return None if last is None else moment(milliseconds(matched(last)[1]["t"]))
        except LeafError:
            return None
