"""The fake homeserver's HTTP half: the client-server API as far as a recorder uses it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from bridge.canonical.json import Json
from tests.fakes.homeserver.answers import Fault, Reply, Seen, give
from tests.fakes.homeserver.deliveries import Deliveries, Filter, position_of
from tests.fakes.homeserver.keys import AccountKeys
from tests.fakes.homeserver.rooms import RECORDER, SERVER, RefusedError, World

CLIENT = "/_matrix/client/v3"
MSC2815 = "fi.mau.msc2815"
PASSWORD = "correct horse"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Login(msgspec.Struct):
    identifier: dict[str, str]
    password: str
    device_id: str | None = None


class FakeHomeserver:
    """One account, ``RECORDER``. ``async with`` starts it, ends it and checks its manners:

    a token MUST stand in the header and in no address, and only known paths MUST be asked for.
    ``keeps_redacted``: it shows what was redacted to those with the power to redact.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.world = World()
        self.deliveries = Deliveries(self.world, RECORDER)
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, str] = {}
        self.since: list[str | None] = []
        self.keeps_redacted = True
        self.keys = AccountKeys(self._device_of)
        self.to_devices: list[dict[str, Json]] = []
        self.polling = asyncio.Event()
        self.url = ""
        self._tls = tls
        self._sent: dict[tuple[str, str], str] = {}
        self._unknown: list[str] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._first])
        app.add_routes(self._routes())
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if error is None:
            assert self._unknown == []
            assert not any("access_token" in seen.query for seen in self.seen)
            assert not any(token in seen.path for seen in self.seen for token in self.tokens)

    def answer(self, path: str, reply: Reply, *, times: int | None = 1) -> Fault:
        """From now on answer requests to ``path`` so. The fault given can be ended early."""
        fault = Fault(path=path, reply=reply, times=times)
        self.faults.append(fault)
        return fault

    def issue(self, device_id: str = "GIVEN") -> str:
        """A token for a device, as an administrator would make one."""
        token = f"syt_secret_{device_id}_{len(self.tokens)}"
        self.tokens[token] = device_id
        return token

    def asked(self, part: str) -> list[Seen]:
        """The requests whose path has ``part`` in it."""
        return [seen for seen in self.seen if part in seen.path]

    def _routes(self) -> list[web.RouteDef]:
        room = CLIENT + "/rooms/{room}"
        return [
            web.get("/_matrix/client/versions", self._versions),
            web.post(CLIENT + "/login", self._log_in),
            web.get(CLIENT + "/account/whoami", self._whoami),
            web.get(CLIENT + "/sync", self._sync, allow_head=False),
            web.get(room + "/messages", self._messages),
            web.get(room + "/context/{event}", self._context),
            web.get(room + "/event/{event}", self._event),
            web.get(room + "/state", self._state),
            web.get(room + "/state/{kind}", self._content),
            web.get(room + "/members", self._members),
            web.get(room + "/state/m.room.member/{user}", self._member),
            web.post(room + "/join", self._join),
            web.put(room + "/send/{kind}/{txn}", self._send),
            web.put(room + "/state/{kind}", self._put_state),
            web.get("/_matrix/client/v1/media/download/{server}/{media}", self._download),
            web.put(CLIENT + "/sendToDevice/{kind}/{txn}", self._send_to_device),
            *self.keys.routes(),
        ]

    @web.middleware
    async def _first(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        seen = Seen(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            authorization=request.headers.get("Authorization", ""),
        )
        self.seen.append(seen)
        fault = next((fault for fault in self.faults if fault.take(seen)), None)
        if fault is not None and fault.reply.change is None:
            return await give(request, fault.reply, fault.reply.body)
        answer = await self._allowed(request, handler)
        if fault is not None and fault.reply.change is not None:
            assert isinstance(answer, web.Response)
            assert isinstance(answer.body, bytes)
            return await give(request, fault.reply, fault.reply.change(answer.body))
        return answer

    async def _allowed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check_token(request)
            return await handler(request)
        except RefusedError as refusal:
            words = {"errcode": refusal.code, "error": "words of the server"}
            return web.json_response(words, status=refusal.status)
        except web.HTTPNotFound:
            self._unknown.append(request.path)
            return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)

    def _check_token(self, request: web.Request) -> None:
        if request.path.endswith("/login"):
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise RefusedError(401, "M_MISSING_TOKEN")
        if token not in self.tokens:
            raise RefusedError(401, "M_UNKNOWN_TOKEN")

    async def _log_in(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_Login)
        if asked.identifier.get("user") != RECORDER or asked.password != PASSWORD:
            raise RefusedError(403, "M_FORBIDDEN")
        device = asked.device_id or f"DEVICE{len(self.tokens)}"
        for token in [token for token, known in self.tokens.items() if known == device]:
            del self.tokens[token]
        token = self.issue(device)
        return _json({"user_id": RECORDER, "device_id": device, "access_token": token})

    def _device_of(self, request: web.Request) -> str:
        return self.tokens[request.headers["Authorization"].removeprefix("Bearer ")]

    async def _whoami(self, request: web.Request) -> web.Response:
        return _json({"user_id": RECORDER, "device_id": self._device_of(request)})

    async def _sync(self, request: web.Request) -> web.Response:
        text = request.query.get("since")
        self.since.append(text)
        since = None if text is None else position_of(text, self.world)
        if since is not None:
            self.world.forget_whispers(since)
        wanted = msgspec.json.decode(request.query.get("filter", "{}"), type=Filter)
        ends = asyncio.get_running_loop().time() + int(request.query.get("timeout", "0")) / 1000
        while True:
            body, tells = self.deliveries.sync(since, wanted, counts=self.keys.counts())
            left = ends - asyncio.get_running_loop().time()
            if tells or since is None or left <= 0:
                return web.Response(body=body, content_type="application/json")
            self.polling.set()
            try:
                async with asyncio.timeout(left):
                    await self.world.moved()
            except TimeoutError:
                pass
            finally:
                self.polling.clear()

    async def _messages(self, request: web.Request) -> web.Response:
        query = request.query
        if query["dir"] == "b":
            return self._past(request)
        after = position_of(query["from"], self.world)
        until = position_of(query["to"], self.world)
        room_id = request.match_info["room"]
        return _body(self.deliveries.messages(room_id, after, until, int(query["limit"])))

    def _past(self, request: web.Request) -> web.Response:
        query, room_id = request.query, request.match_info["room"]
        until = position_of(query["from"], self.world) if "from" in query else None
        return _body(self.deliveries.past(room_id, until, int(query["limit"])))

    async def _versions(self, request: web.Request) -> web.Response:
        features: dict[str, Json] = {MSC2815: self.keeps_redacted}
        return _json({"versions": ["v1.15"], "unstable_features": features})

    async def _event(self, request: web.Request) -> web.Response:
        found = request.match_info
        asked = request.query.get(f"{MSC2815}.include_unredacted_content") == "true"
        unredacted = asked and self.keeps_redacted
        return _body(self.deliveries.event(found["room"], found["event"], unredacted=unredacted))

    async def _member(self, request: web.Request) -> web.Response:
        found = request.match_info
        return _body(self.deliveries.member(found["room"], found["user"]))

    async def _context(self, request: web.Request) -> web.Response:
        found = request.match_info
        return _body(self.deliveries.context(found["room"], found["event"]))

    async def _state(self, request: web.Request) -> web.Response:
        return _body(self.deliveries.state(request.match_info["room"]))

    async def _content(self, request: web.Request) -> web.Response:
        found = request.match_info
        return _body(self.deliveries.content(found["room"], found["kind"]))

    async def _members(self, request: web.Request) -> web.Response:
        return _body(self.deliveries.members(request.match_info["room"]))

    async def _send_to_device(self, request: web.Request) -> web.Response:
        self.to_devices.append(msgspec.json.decode(await request.read()))
        return _json({})

    async def _join(self, request: web.Request) -> web.Response:
        room_id = request.match_info["room"]
        self.world.join(room_id, RECORDER)
        return _json({"room_id": room_id})

    async def _send(self, request: web.Request) -> web.Response:
        room_id = self._joined(request)
        key = (room_id, request.match_info["txn"])
        if key not in self._sent:
            content: dict[str, Json] = msgspec.json.decode(await request.read())
            kind = request.match_info["kind"]
            self._sent[key] = self.world.send(room_id, kind, content, sender=RECORDER)
        return _json({"event_id": self._sent[key]})

    async def _put_state(self, request: web.Request) -> web.Response:
        room_id = self._joined(request)
        if self.world.rooms[room_id].power(RECORDER) < 50:
            raise RefusedError(403, "M_FORBIDDEN")
        content: dict[str, Json] = msgspec.json.decode(await request.read())
        kind = request.match_info["kind"]
        event_id = self.world.send(room_id, kind, content, key="", sender=RECORDER)
        return _json({"event_id": event_id})

    async def _download(self, request: web.Request) -> web.Response:
        found = request.match_info
        data = self.world.files.get(found["media"])
        if found["server"] != SERVER or data is None:
            raise RefusedError(404, "M_NOT_FOUND")
        return web.Response(body=data, content_type="application/octet-stream")

    def _joined(self, request: web.Request) -> str:
        room_id = request.match_info["room"]
        room = self.world.rooms.get(room_id)
        if room is None or room.membership(RECORDER) != "join":
            raise RefusedError(403, "M_FORBIDDEN")
        return room_id


def _body(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _json(document: dict[str, Json]) -> web.Response:
    return _body(msgspec.json.encode(document))
