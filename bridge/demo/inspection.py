"""The console put to use: a decision is sought, found, and its record held against the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from bridge.demo.desk import Desk
from bridge.demo.findings import Said
from bridge.demo.script import Expected
from bridge.demo.visitor import Hit, Sheet, Visitor
from bridge.errors import ConnectorUnavailableError

VERIFIED = "Verified against the log"
"""What the page of a record says once its object was proved."""

_UNFIT = "Not proved"
_WORDS = '"agreed to option B" AND evacuat*'
_ALL = "/search?outcome=capture&outcome=review&outcome=discard"
_T = TypeVar("_T")
_NOT_NOW = 503
_LONGEST = 300
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 120.0


class NotAsExpectedError(ValueError):
    """A page is not as it should be. The text says which and how, for whoever watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is looked for: ``sought``, stored as ``sha256``, among all that was ``said``.

    ``alive`` tells whether the recorder still runs: nothing is waited for longer than it does, nor
    for long once it gets nowhere.
    """

    desk: Desk
    sought: Said
    sha256: str
    said: tuple[Said, ...]
    alive: Callable[[], bool]
    patience: float = _PATIENCE_SECONDS
    pause: float = _LOOK_SECONDS

    async def finding(self) -> str:
        """What is wrong with the console, in a sentence; empty where nothing is."""
        try:
            async with Visitor(self.desk.url) as manager:
                await self._signed_in(manager)
                hit = await self._found(manager)
                await self._proved(manager, hit)
                await self._day(manager, hit)
            async with Visitor(self.desk.url) as authority:
                await self._reads_nothing(authority)
        except (NotAsExpectedError, ConnectorUnavailableError) as error:
            return str(error)
        return ""

    async def _signed_in(self, visitor: Visitor) -> None:
        if not await visitor.sign_in(self.desk.manager):
            raise NotAsExpectedError(f"{self.desk.manager.name} cannot sign in")

    async def _found(self, visitor: Visitor) -> Hit:
        """The decision, once the catalog lists it."""
        path = f"/search?{urlencode({'q': _WORDS})}"

        async def look() -> tuple[Hit | None, str]:
            sheet = await visitor.get(path)
            if sheet.status == _NOT_NOW:
                return None, sheet.words[:_LONGEST]
            hits = [hit for hit in _page(path, sheet).hits if self.sought.line.text in hit.words]
            if hits:
                return hits[0], ""
            return None, f"{(await visitor.get(_ALL)).results or 'nothing'} in all"

        hit, seen = await self._patiently(look)
        if hit is None:
            raise NotAsExpectedError(
                f"a search for {_WORDS} does not find {self.sought.line.text!r}: {seen}"
            )
        return hit

    async def _proved(self, visitor: Visitor, hit: Hit) -> None:
        """The page of its record says that it is proved, and names the digest in the store."""

        async def look() -> tuple[Sheet | None, str]:
            sheet = _page(hit.record, await visitor.get(hit.record))
            said = sheet.verification
            return (sheet if VERIFIED in said or _UNFIT in said else None), said

        sheet, said = await self._patiently(look)
        if sheet is None or VERIFIED not in said:
            raise NotAsExpectedError(f"the record {hit.record} is not proved: {said}")
        for wanted in (self.sought.line.text, self.sha256):
            if wanted not in sheet.words:
                raise NotAsExpectedError(f"the record {hit.record} does not show {wanted!r}")

    async def _day(self, visitor: Visitor, hit: Hit) -> None:
        """The day shows it, and nothing that was said there and discarded."""
        words = _page(hit.day, await visitor.get(hit.day)).words
        if self.sought.line.text not in words:
            raise NotAsExpectedError(f"the day {hit.day} does not show {self.sought.line.text!r}")
        for each in self.said:
            is_gone = each.line.expected is Expected.DISCARDED
            if is_gone and each.room_id == self.sought.room_id and each.line.text in words:
                raise NotAsExpectedError(
                    f"the day {hit.day} shows what was discarded: {each.line.text!r}"
                )

    async def _reads_nothing(self, visitor: Visitor) -> None:
        """Whoever only releases holds signs in, and sees no content."""
        name = self.desk.authority.name
        if not await visitor.sign_in(self.desk.authority):
            raise NotAsExpectedError(f"{name} cannot sign in")
        if (status := (await visitor.get("/search")).status) != 403:
            raise NotAsExpectedError(f"{name} may not search, and /search answers {status}")

    async def _patiently(
        self, look: Callable[[], Awaitable[tuple[_T | None, str]]]
    ) -> tuple[_T | None, str]:
        """What ``look`` finds, and what it saw last; it is asked again as long as that changes."""
        now = asyncio.get_running_loop().time
        found, seen = await look()
        until = now() + self.patience
        while found is None and self.alive() and now() < until:
            await asyncio.sleep(self.pause)
            before = seen
            found, seen = await look()
            if seen != before:
                until = now() + self.patience
        return found, seen


def _page(path: str, sheet: Sheet) -> Sheet:
    if sheet.status != 200:
        raise NotAsExpectedError(
            f"{path or 'a link'} answers {sheet.status}: {sheet.words[:_LONGEST]}"
        )
    return sheet
