"""Whether the log allows that a record, or an attachment of it, is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from bridge.keys import absolute
from bridge.protocols.evidence import Evidence
from storage.translog.verify.codes import Code
from storage.translog.verify.documents import DocumentError, read_act
from storage.translog.verify.engine import Question
from storage.translog.verify.holdings import held, holdings
from storage.translog.verify.lines import integer, milliseconds
from storage.translog.verify.names import is_act, twin
from storage.translog.verify.reading import body_of
from storage.translog.verify.report import Gathering
from storage.translog.verify.retentions import EPOCH
from storage.translog.verify.whole_log import ProvedLeaf, Sought


class Gone:
    """Judges absences by the rule of the whole verification.

    It takes every decision about the record, so the whole log: that is read once, and only when
    something is gone. ``search`` reads it; it gives None, and says why, if it is not proved.
    """

    def __init__(
        self,
        evidence: Evidence,
        question: Question,
        key: str,
        search: Callable[[Iterable[bytes]], Sought | None],
    ) -> None:
        self._evidence = evidence
        self._question = question
        self._key = key
        self._search = search
        self._in_order: bool | None = None
        self._is_asked = False

    def judge(
        self, code: Code, key: str, stored: ProvedLeaf, seen: ProvedLeaf, found: Gathering
    ) -> None:
        """``key`` is not there; ``code`` says so where the log does not allow it."""
        if not self._is_asked:
            self._is_asked = True
            sought = self._search([b'"ref":%d,' % seen.index, b'"k":"dispose"'])
            if sought is not None:
                self._in_order = self._is_in_order(sought, stored, seen)
        if self._in_order:
            what = f"{key} is gone, as the log allows."
            found.add(Code.ABSENT_IN_ORDER, what, key=key, leaf=stored.index)
        elif self._in_order is not None:
            what = f"{key}, which leaf {stored.index} or its record names, is not in the store."
            found.add(code, what, key=key, leaf=stored.index)

    def _is_in_order(self, sought: Sought, stored: ProvedLeaf, seen: ProvedLeaf) -> bool:
        disposals = [each for each in sought.found if each.kind == "dispose"]
        if any(first <= stored.index <= last for first, last in self._disposed(disposals)):
            return True
        now = (self._question.now - EPOCH) / timedelta(milliseconds=1)
        if "ret" not in stored.fields or milliseconds(stored.fields["ret"]) > now:
            return False
        about = [
            each
            for each in sought.found
            if each.index > seen.index and integer(each.fields.get("ref", b"-1")) == seen.index
        ]
        outcomes = [each.fields["c"] for each in about if each.kind == "decision"]
        return [seen.fields["c"], *outcomes][-1] == b"discard" or self._has_record(about)

    def _has_record(self, about: Iterable[ProvedLeaf]) -> bool:
        """Whether the copy under ``records/`` stands, by a `stored` leaf of its own."""
        other = twin(self._key)
        if other is None or not other.startswith("records/"):
            return False
        place = self._place(other)
        if not any(each.kind == "stored" and each.fields["p"] == place for each in about):
            return False
        holding = held(self._evidence, other)
        return holding is not None and not holding.hidden and holding.is_plain

    def _disposed(self, leaves: list[ProvedLeaf]) -> Iterator[tuple[int, int]]:
        """The leaves that `dispose` acts cover, if their bytes are those that were logged."""
        acts = holdings(self._evidence.walk("acts/")) if leaves else iter(())
        for holding in acts:
            if not holding.versions or not holding.is_plain or not is_act(holding.key):
                continue
            place = self._place(holding.key)
            for leaf in leaves:
                if leaf.fields["p"] != place:
                    continue
                body = body_of(self._evidence, holding.record)
                if hashlib.sha256(body).hexdigest().encode() != leaf.fields["o"]:
                    continue
                try:
                    act = read_act(body)
                except DocumentError:
                    continue
                if act.kind == "dispose":
                    yield from (each for each in act.leaves if each[1] < leaf.index)

    def _place(self, key: str) -> bytes:
        """``p`` of a key, in hex."""
        return hashlib.sha256(absolute(self._question.tenant, key).encode()).hexdigest().encode()
