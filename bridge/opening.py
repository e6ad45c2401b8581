"""Opens what was journalled encrypted, whenever its key comes: at once, late, or never.

The journal has the ciphertext, and the messages that carry keys, before anything here is done:

1. Messages to our device go to the decrypter, which commits what they did with the number of the
   last. Crash before that commit: taken again. Crash after it: passed over, by that number.
2. Then they are destroyed in the journal. Crash before: done at the next start, which also tells
   a journal that is not the one the decrypter knows where to go on.
3. Events whose key is there are decrypted, and the journal is given their content. Crash before
   that commit: decrypted again, to the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from bridge.errors import ConnectorError, JournalUnavailableError
from bridge.missing import Missing
from bridge.protocols import Clock, Decrypter, Decryption, Journal, Unopened

log = structlog.get_logger(__name__)

AT_ONCE = 64
GIVE_UP_AT_ONCE = 500
IDLE_SECONDS = 1.0
PAUSE_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 600.0
"""How often all that waits is tried once more: its key may be here and its group recorded again."""

GIVE_UP_AFTER = timedelta(days=7)
"""How long a key is waited for before its events count as a known loss."""


class Opening:
    """One connector's."""

    def __init__(
        self,
        *,
        connector: str,
        decrypter: Decrypter,
        journal: Journal,
        clock: Clock,
        give_up_after: timedelta = GIVE_UP_AFTER,
    ) -> None:
        self._connector = connector
        self._decrypter = decrypter
        self._journal = journal
        self._clock = clock
        self._give_up_after = give_up_after
        self._taken: int | None = None
        self._dropped = 0
        self._looked_to = 0
        self._again_to: int | None = 0
        self._again_all = True
        self._sessions: set[str] = set()
        self._missing = Missing(clock)
        self._seeking: asyncio.Task[None] | None = None
        self._look_again_at: float | None = None
        self._awake = asyncio.Event()
        self._trouble = ""
        self._seek_trouble = ""

    @property
    def name(self) -> str:
        """The connector's name."""
        return self._connector

    @property
    def decrypter(self) -> Decrypter:
        """Whose keys these are."""
        return self._decrypter

    @property
    def health(self) -> str:
        """What is wrong with it, in words, or nothing."""
        return self._trouble or self._seek_trouble

    def wake(self) -> None:
        """Something was journalled. MAY be called at any time, for nothing too."""
        self._awake.set()

    async def run(self) -> None:
        """Open until cancelled."""
        try:
            while True:
                await self._round()
        finally:
            if self._seeking is not None:
                self._seeking.cancel()
                await asyncio.gather(self._seeking, return_exceptions=True)
                self._seeking = None

    async def finish(self) -> None:
        """Open what is journalled and has its key. MUST NOT be called while it runs.

        Nothing is waited for, and nothing is done where it never came to work. A crash in it, or
        what it leaves, is the next start's.
        """
        if self._taken is None:
            return
        try:
            while await self._take():
                pass
            self._sessions |= self._decrypter.fresh()
            while await self._open_fresh():
                pass
            while await self._open_new():
                pass
        except ConnectorError as error:
            self._trouble = self._told(self._trouble, error)

    async def _round(self) -> None:
        self._awake.clear()
        try:
            worked = await self.step()
        except (ConnectorError, JournalUnavailableError) as error:
            self._trouble = self._told(self._trouble, error)
            await self._clock.sleep(PAUSE_SECONDS)
            return
        self._trouble = ""
        if not worked:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._awake.wait()

    def _told(self, before: str, error: ConnectorError | JournalUnavailableError) -> str:
        """The error as health has it; logged where it is another than before."""
        if before != str(error):
            log.warning("not_opening", connector=self._connector, what=str(error))
        return str(error)

    async def step(self) -> bool:
        """One round. False: there was nothing to do."""
        took = await self._take()
        self._sessions |= self._decrypter.fresh()
        opened = await self._open_fresh()
        looked = await self._open_new()
        worked = took or opened or looked or await self._open_again()
        self._seek_when_due()
        await self._look_again_when_due(idle=not worked)
        return worked

    async def _take(self) -> bool:
        """Steps 1 and 2."""
        if self._taken is None:
            taken = await self._decrypter.taken()
            await self._journal.resume_to_device(self._connector, taken=taken)
            self._taken = self._dropped = taken
        messages = await self._journal.to_device(self._connector, after=self._taken, limit=AT_ONCE)
        if messages:
            await self._decrypter.take(messages)
            self._taken = messages[-1].number
        if self._dropped < self._taken:
            await self._journal.drop_to_device(self._connector, through=self._taken)
            self._dropped = self._taken
        return bool(messages)

    async def _open_fresh(self) -> bool:
        """Whatever waits for a key that came. What is leased elsewhere keeps its session here."""
        if not self._sessions:
            return False
        sessions = frozenset(sorted(self._sessions)[:AT_ONCE])
        busy: set[str] = set()
        after = 0
        while found := await self._journal.unopened(
            self._connector, sessions=sessions, after=after, limit=AT_ONCE
        ):
            after = found[-1].seq
            busy |= await self._open(found)
        self._sessions -= sessions - busy
        return bool(sessions - busy)

    async def _open_new(self) -> bool:
        """What was journalled since; after a start, all that is not given up."""
        found = await self._journal.unopened(self._connector, after=self._looked_to, limit=AT_ONCE)
        if not found:
            return False
        self._sessions |= await self._open(found)
        self._looked_to = found[-1].seq
        return True

    async def _open_again(self) -> bool:
        """What was tried before; nothing that is new waits behind it.

        After a start that is what was given up: its key may have come just before, or in a file.
        Later it is the rest: its group may be recorded again.
        """
        if self._again_to is None:
            return False
        found = await self._journal.unopened(
            self._connector, given_up=self._again_all, after=self._again_to, limit=AT_ONCE
        )
        if not found:
            self._again_to, self._again_all = None, False
            self._missing.forget_unmet()
            return False
        tried = [each for each in found if each.gave_up or not self._again_all]
        self._sessions |= await self._open(tried) if tried else set()
        self._again_to = found[-1].seq
        return True

    async def _open(self, found: Sequence[Unopened]) -> set[str]:
        """Step 3. Gives the sessions of which somebody else had an entry in hand."""
        answers = await self._decrypter.open([each.event for each in found])
        opened: list[Decryption] = []
        shut: list[tuple[int, str]] = []
        final: list[int] = []
        tried: list[Unopened] = []
        for each, answer in zip(found, answers, strict=True):
            if answer.event is not None:
                opened.append(Decryption(seq=each.seq, event=answer.event))
                tried.append(each)
                self._missing.came(each.group_id, each.session)
                continue
            if answer.final and not each.gave_up:
                final.append(each.seq)
            elif not each.gave_up:
                self._missing.met(each.group_id, each.session)
            if answer.why != each.why:
                shut.append((each.seq, answer.why))
        busy = frozenset(await self._journal.decrypted(opened)) if opened else frozenset[int]()
        if shut or final:
            await self._journal.not_opened(shut, final=final)
            self._tell_lost(len(final))
        if done := len(opened) - len(busy | await self._still_shut(tried)):
            log.info("decrypted", connector=self._connector, count=done)
        return {each.session for each in found if each.seq in busy}

    async def _still_shut(self, tried: Sequence[Unopened]) -> frozenset[int]:
        """Those that have no place for their content; only what waited already is asked for."""
        known = [each for each in tried if each.why]
        if not known:
            return frozenset()
        left = await self._journal.unopened(
            self._connector,
            sessions=frozenset(each.session for each in known),
            after=known[0].seq - 1,
            limit=AT_ONCE,
        )
        return frozenset(each.seq for each in tried) & {each.seq for each in left}

    def _seek_when_due(self) -> None:
        """Ask elsewhere for keys that did not come, beside the loop: it may take long."""
        if self._seeking is not None:
            if not self._seeking.done():
                return
            seeking, self._seeking = self._seeking, None
            seeking.result()
        if not self._missing:
            self._seek_trouble = ""
        if wanted := self._missing.due(AT_ONCE):
            self._seeking = asyncio.create_task(self._seek(wanted), name="seek keys")

    async def _seek(self, wanted: Sequence[tuple[str, str]]) -> None:
        try:
            await self._decrypter.seek(wanted)
        except ConnectorError as error:
            self._seek_trouble = self._told(self._seek_trouble, error)
            self._missing.not_sought(wanted)
        else:
            self._seek_trouble = ""
        self.wake()

    async def _look_again_when_due(self, *, idle: bool) -> None:
        """Give up what is too old, then try again all the rest.

        First when all that waits was tried once: nothing is given up whose key is here already.
        """
        now = self._clock.monotonic()
        if self._look_again_at is None and not idle:
            return
        if self._look_again_at is not None and now < self._look_again_at:
            return
        await self._give_up(received_before=self._clock.now() - self._give_up_after)
        if self._look_again_at is not None:
            self._again_to = 0
            self._missing.begin()
        self._look_again_at = now + LOOK_AGAIN_SECONDS

    async def _give_up(self, *, received_before: datetime) -> None:
        """A page at a time: other verbs of the journal come between."""
        count = GIVE_UP_AT_ONCE
        while count == GIVE_UP_AT_ONCE:
            count = await self._journal.give_up_unopened(
                self._connector, received_before=received_before, limit=GIVE_UP_AT_ONCE
            )
            self._tell_lost(count)

    def _tell_lost(self, count: int) -> None:
        if count:
            log.error("undecryptable", connector=self._connector, count=count)
