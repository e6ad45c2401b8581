"""What the fake homeserver is told to answer instead, and what it remembers of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    authorization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to give. With ``change`` the request is carried out and its answer changed.

    With ``cut`` the connection breaks after so many bytes of the body, or before any answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    change: Callable[[bytes], bytes] | None = None
    cut: int | None = None


@dataclass(slots=True, kw_only=True)
class Fault:
    """A reply to the next ``times`` requests (None: to all) whose path has ``path`` in it."""

    path: str
    reply: Reply
    times: int | None = 1
    query: Callable[[Mapping[str, str]], bool] = field(default=lambda _: True)

    def take(self, seen: Seen) -> bool:
        """Whether it is for this request; counts it."""
        if self.times == 0 or self.path not in seen.path or not self.query(seen.query):
            return False
        if self.times is not None:
            self.times -= 1
        return True


async def give(request: web.Request, reply: Reply, body: bytes) -> web.StreamResponse:
    """Send ``body`` as ``reply`` says. A client that hangs up early is no error."""
    headers = {"Content-Type": "application/json", **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = len(body)
    transport = request.transport
    try:
        if reply.cut != 0:
            await response.prepare(request)
            whole = body if reply.cut is None else body[: reply.cut]
            for at in range(0, len(whole), _PIECE):
                await response.write(whole[at : at + _PIECE])
    except ConnectionError:
        return response
    if reply.cut is not None and transport is not None:
        transport.close()
    return response
