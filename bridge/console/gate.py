"""Before everything: the name that was called. After everything: the headers of the answer."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.console.answers import HEADERS
from bridge.console.callers import KEY, caller_of, host_names

log = structlog.get_logger(__name__)

FOREIGN: Final = "This name is not served here.\n"
BROKEN: Final = "Something went wrong.\n"


class Gate:
    """The console as a server sees it.

    A Host that is not configured gets one sentence, whatever it asks for. No exception passes to
    the server, which would write its message, and what was said with it, into its logging.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], proxy: str | None) -> None:
        self._app = app
        self._hosts = host_names(hosts)
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is no request of a page is left without an answer."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, is_head=scope["method"] == "HEAD")
        caller = caller_of(scope, hosts=self._hosts, proxy=self._proxy)
        if caller is None:
            await PlainTextResponse(FOREIGN, status_code=421)(scope, receive, answer.send)
            return
        try:
            await self._app({**scope, KEY: caller}, receive, answer.send)
        except ClientDisconnect:
            return
        except Exception as error:  # nothing may reach the server's own logging
            log.error("answer_broken", error=_kind(error), begun=answer.begun)  # noqa: TRY400
            if not answer.begun:
                await PlainTextResponse(BROKEN, status_code=500)(scope, receive, answer.send)


def _kind(error: Exception) -> str:
    """What went wrong; streams wrap it into a group."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return type(error).__name__


class _Answer:
    """Adds the headers that every answer has, and takes the body out of one to HEAD."""

    def __init__(self, send: Send, *, is_head: bool) -> None:
        self._send = send
        self._is_head = is_head
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(raw=[*message["headers"]])
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and self._is_head:
            message = {**message, "body": b""}
        await self._send(message)
