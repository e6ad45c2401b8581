"""An answer goes out, or something in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from tests.servers.bot_api.faults import Fault, FaultKind, Faults
from tests.servers.bot_api.refusals import RefusalError, too_many
from tests.servers.bot_api.wire import failure

_PAGE = b"<html>\r\n<head><title>%d</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a body."""

    body: bytes
    status: int = 200
    kind: str = "application/json"

    def response(self) -> web.Response:
        """As aiohttp sends it."""
        return web.Response(status=self.status, body=self.body, content_type=self.kind)


Carried: TypeAlias = Callable[[], Awaitable[Answer]]

_UNCARRIED = {FaultKind.STATUS, FaultKind.FLOOD, FaultKind.DROPPED, FaultKind.SILENT}


def refused(refusal: RefusalError) -> Answer:
    """The answer that says no."""
    return Answer(status=refusal.status, body=failure(refusal))


async def spoiled(
    request: web.Request, fault: Fault, faults: Faults, carry_out: Carried
) -> web.StreamResponse:
    """Answer a request that meets a fault."""
    carried = fault.lands or fault.kind not in _UNCARRIED
    answer = await carry_out() if carried else Answer(body=b"")
    if fault.kind is FaultKind.STATUS:
        return _status(fault).response()
    if fault.kind is FaultKind.FLOOD:
        return refused(too_many(fault.retry_after)).response()
    if fault.kind is FaultKind.SILENT:
        await faults.hold()
    if fault.kind in {FaultKind.SILENT, FaultKind.DROPPED}:
        return _cut(request, web.Response())
    if fault.kind is FaultKind.NOT_JSON:
        return Answer(body=_PAGE % 200, kind="text/html").response()
    if fault.kind is FaultKind.INVALID_JSON:
        whole = answer.body
        return Answer(status=answer.status, body=whole[: max(1, len(whole) * 2 // 3)]).response()
    return await _in_pieces(request, fault, answer)


async def _in_pieces(request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    response.content_type = answer.kind
    response.content_length = len(answer.body)
    await response.prepare(request)
    if fault.kind is FaultKind.TRUNCATED:
        await response.write(answer.body[: len(answer.body) // 2])
        return _cut(request, response)
    for start in range(0, len(answer.body), fault.size):
        await response.write(answer.body[start : start + fault.size])
        await asyncio.sleep(fault.pause)
    await response.write_eof()
    return response


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return response


def _status(fault: Fault) -> Answer:
    if fault.status >= 500:
        return Answer(status=fault.status, body=_PAGE % fault.status, kind="text/html")
    return refused(RefusalError(fault.status, fault.description))
