"""Somebody at the console over HTTP, who reads its pages as a browser gets them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from bridge.demo.desk import Clerk
from bridge.errors import ConnectorUnavailableError

_SECONDS = 120
_INLINE = re.compile(r"</?(?:mark|bdi)\b[^>]*>")
"""What stands in the middle of what somebody wrote."""

_TAG = re.compile(r"<[^>]*>")
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_ARTICLE = re.compile(r"<article .*?</article>", re.DOTALL)
_FOUND = "muniment-message--here"
_RESULTS = re.compile(r'id="results">(.*?)</h2>', re.DOTALL)
_SECTION = re.compile(r'<section [^>]*id="verification".*?</section>', re.DOTALL)
_RECORD = re.compile(r'href="(/records/[^"/?#]+)"')
_DAY = re.compile(r'href="(/groups/[0-9a-f]+/\d{4}-\d{2}-\d{2}[^"#]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that was found: what it says, and where its record and its day are."""

    words: str
    record: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page as it was sent."""

    status: int
    text: str

    @property
    def words(self) -> str:
        """What can be read of it."""
        return _words(self.text)

    @property
    def verification(self) -> str:
        """What the page of a record says of its proof; empty where it says nothing."""
        found = _SECTION.search(self.text)
        return _words(found[0]) if found else ""

    @property
    def results(self) -> str:
        """How many a search found, in words; empty where it found nothing out."""
        found = _RESULTS.search(self.text)
        return _words(found[1]) if found else ""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """What a search found, without what stands before and after it."""
        return tuple(
            Hit(words=_words(text), record=_link(_RECORD, text), day=_link(_DAY, text))
            for text in _ARTICLE.findall(self.text)
            if _FOUND in text
        )


class Visitor:
    """A browser without a window. ``async with`` closes it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The cookies are `Secure`, and browsers take loopback for as good as TLS.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self._url)
        self._session = aiohttp.ClientSession(
            cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=_SECONDS)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def sign_in(self, clerk: Clerk) -> bool:
        """Fill in the form. Whether the console let them in.

        Raises:
            ConnectorUnavailableError: the console does not answer.
        """
        found = _TOKEN.search((await self.get("/sign-in")).text)
        fields = {
            "csrf": found[1] if found else "",
            "username": clerk.name,
            "password": clerk.password,
        }
        return (await self._ask("POST", "/sign-in", fields)).status == 303

    async def get(self, path: str) -> Sheet:
        """A page.

        Raises:
            ConnectorUnavailableError: the console does not answer.
        """
        return await self._ask("GET", path, None)

    async def _ask(self, method: str, path: str, fields: dict[str, str] | None) -> Sheet:
        if self._session is None:
            raise RuntimeError("a visitor asks only inside `async with`")
        try:
            async with self._session.request(
                method, self._url + path, data=fields, allow_redirects=False
            ) as answer:
                return Sheet(status=answer.status, text=await answer.text())
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise ConnectorUnavailableError(
                f"{method} {path}: the console does not answer: {type(error).__name__}"
            ) from error


def _words(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", _INLINE.sub("", text))).split())


def _link(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return html.unescape(found[1]) if found else ""
