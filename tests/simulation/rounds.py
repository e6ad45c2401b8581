"""When each loop of the recorder has something to go its round for."""

from __future__ import annotations

from bridge.model import GroupState, NoticeState, Presence
from tests.fakes.office import Inbox
from tests.simulation.ports import SimJournal, SimSpool

Seen = tuple[object, ...]


class Rounds:
    """What would be found by a round that began now. Too much costs time, too little shows.

    ``..._wait``: something waits, and is tried whenever it may be. ``..._seen``: what is looked
    at, for which the next round has nothing to do if it did not change since the last began.
    """

    def __init__(self, journal: SimJournal, spool: SimSpool, inbox: Inbox) -> None:
        self._journal = journal
        self._spool = spool
        self._inbox = inbox

    def downloads_wait(self) -> bool:
        """A download may be tried."""
        journal = self._journal
        return journal.unavailable or bool(journal._free_orders(journal._clock.now()))

    def groups_wait(self) -> bool:
        """An order is to be taken up, or a group is to be entered or told."""
        journal = self._journal
        if journal.unavailable or len(self._inbox.steps) > journal._office_taken:
            return True
        return any(
            group.notice is NoticeState.DUE
            or (group.state is GroupState.APPROVED and group.presence is not Presence.JOINED)
            for group in journal._register.values()
        )

    def groups_seen(self) -> Seen:
        """The register, and which streams are open."""
        journal = self._journal
        return (*journal._register.values(), len(journal._streams), len(journal._open))

    def decisions_wait(self) -> bool:
        """Somebody decided, and it is not carried out."""
        journal = self._journal
        return (
            journal.unavailable
            or len(self._inbox.decisions) > journal._orders_taken
            or any(each.state == "waiting" for each in journal._decisions.values())
        )

    def words_wait(self) -> bool:
        """A group is to be told something."""
        journal = self._journal
        return journal.unavailable or len(journal._sayings) > len(journal._said)

    def documents_wait(self) -> bool:
        """A document may be placed."""
        journal = self._journal
        return journal.unavailable or any(
            row.leaf is None and journal._may_go(row) for row in journal._placements
        )

    def rows_seen(self) -> Seen:
        """What no manifest part names yet."""
        return tuple(row.seq for row in self._journal._rows.values() if row.manifest_due)

    def leaves_seen(self) -> Seen:
        """How far the log is."""
        return (len(self._journal.log),)

    def load_seen(self) -> Seen:
        """How full the spool is."""
        return tuple(map(len, self._spool.files.values()))

    def requests_wait(self) -> bool:
        """Somebody asked for something."""
        journal = self._journal
        return journal.unavailable or len(self._inbox.requests) > journal._requests_taken
