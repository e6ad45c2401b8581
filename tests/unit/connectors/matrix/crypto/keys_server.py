"""A homeserver's half of ``/keys/*`` and ``/sendToDevice``, over real HTTP, with its rules.

It checks what it is given as strictly as a server may: signatures, names of keys, who asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from bridge.rawjson.fields import JsonObject, decode, table, text, texts
from tests.fakes.homeserver.answers import Fault, Reply, Seen, give
from tests.fakes.homeserver.rooms import RefusedError
from tests.unit.connectors.matrix.crypto.olm import verifies
from tests.unit.connectors.matrix.crypto.olm_client import OlmClient

CLIENT = "/_matrix/client/v3"
SIGNED = "signed_curve25519"
Name = tuple[str, str]
"""User and device id."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Published:
    """What one device published, and what waits for it."""

    keys: JsonObject = field(default_factory=dict)
    one_time: dict[str, JsonObject] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    fallback: dict[str, JsonObject] = field(default_factory=dict)
    is_fallback_used: bool = False
    inbox: list[JsonObject] = field(default_factory=list)


class KeysServer:
    """``async with`` starts and ends it. ``silent``: servers of others that do not answer.

    ``refused``: users whose name costs a question its answer.
    ``identities``: cross-signing keys by usage and user. ``calls``: paths asked for, in order.
    """

    def __init__(self) -> None:
        self.devices: dict[Name, Published] = {}
        self.identities: dict[str, JsonObject] = {}
        self.silent: set[str] = set()
        self.refused: set[str] = set()
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.queried: list[list[str]] = []
        self.url = ""
        self._tokens: dict[str, Name] = {}
        self._sent: set[tuple[Name, str]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._first])
        app.add_routes(
            [
                web.post(CLIENT + "/keys/upload", self._upload),
                web.post(CLIENT + "/keys/query", self._query),
                web.post(CLIENT + "/keys/claim", self._claim),
                web.put(CLIENT + "/sendToDevice/{kind}/{txn}", self._send),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def sign_in(self, user_id: str, device_id: str) -> str:
        """A token of a device that has no keys yet."""
        token = f"token{len(self._tokens)}"
        self._tokens[token] = (user_id, device_id)
        self.devices[user_id, device_id] = Published()
        return token

    def enrol(self, client: OlmClient, *, one_time: int = 1, fallback: bool = False) -> None:
        """Another's device, with keys to claim."""
        name = (client.device.user_id, client.device.device_id)
        self.devices[name] = Published()
        body: JsonObject = {"device_keys": client.device_keys()}
        if one_time:
            body["one_time_keys"] = client.one_time_keys(one_time)
        if fallback:
            body["fallback_keys"] = client.fallback_keys()
        self.publish(name, body)

    def answer(self, part: str, reply: Reply, *, times: int | None = 1) -> Fault:
        """From now on answer requests to paths with ``part`` in them so."""
        fault = Fault(path=part, reply=reply, times=times)
        self.faults.append(fault)
        return fault

    def of(self, user_id: str, device_id: str) -> Published:
        """What a device published."""
        return self.devices[user_id, device_id]

    def publish(self, name: Name, body: JsonObject) -> None:
        """``/keys/upload``. Refuses the whole body before anything of it is kept."""
        own = self.devices[name]
        given = table(body, "device_keys")
        if given:
            ids = (text(given, "user_id"), text(given, "device_id"))
            _require(ids == name, "M_INVALID_PARAM")
        keys = given or own.keys
        for kind in ("one_time_keys", "fallback_keys"):
            for key_id, document in table(body, kind).items():
                _require(key_id.startswith(SIGNED + ":"), "M_INVALID_PARAM")
                _require(isinstance(document, dict), "M_INVALID_PARAM")
                _require_own(document, name, keys)
        if given:
            _require_own(given, name, given)
        for key_id, document in table(body, "one_time_keys").items():
            there = own.one_time.get(key_id)
            _require(there is None or there == document, "M_UNKNOWN")
        own.keys = keys
        own.one_time |= _documents(table(body, "one_time_keys"))
        if table(body, "fallback_keys"):
            own.fallback = _documents(table(body, "fallback_keys"))
            own.is_fallback_used = False

    def claim(self, name: Name) -> dict[str, JsonObject]:
        """A one-time key, each once; else the fallback key; else nothing."""
        own = self.devices.get(name)
        if own is None:
            return {}
        if own.one_time:
            key_id = min(own.one_time)
            assert key_id not in own.used
            own.used.add(key_id)
            return {key_id: own.one_time.pop(key_id)}
        own.is_fallback_used = own.is_fallback_used or bool(own.fallback)
        return own.fallback

    def take_inbox(self, client: OlmClient) -> list[JsonObject]:
        """What waits for a device; it waits no more."""
        own = self.of(client.device.user_id, client.device.device_id)
        inbox, own.inbox = own.inbox, []
        return inbox

    @web.middleware
    async def _first(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        seen = Seen(method=request.method, path=request.path, query={}, authorization="")
        self.calls.append(request.path.removeprefix(CLIENT))
        fault = next((fault for fault in self.faults if fault.take(seen)), None)
        if fault is not None and fault.reply.change is None and fault.reply.cut is None:
            return await give(request, fault.reply, fault.reply.body)
        try:
            answer = await handler(request)
        except RefusedError as refusal:
            return web.json_response({"errcode": refusal.code}, status=refusal.status)
        if fault is not None:
            assert isinstance(answer, web.Response)
            assert isinstance(answer.body, bytes)
            change = fault.reply.change or bytes
            return await give(request, fault.reply, change(answer.body))
        return answer

    def _who(self, request: web.Request) -> Name:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise RefusedError(401, "M_UNKNOWN_TOKEN")
        return self._tokens[token]

    async def _upload(self, request: web.Request) -> web.Response:
        name = self._who(request)
        self.publish(name, decode(await request.read()) or {})
        counts = {SIGNED: len(self.devices[name].one_time)}
        return web.json_response({"one_time_key_counts": counts})

    async def _query(self, request: web.Request) -> web.Response:
        self._who(request)
        asked = table(decode(await request.read()) or {}, "device_keys")
        _require(not self.refused & asked.keys(), "M_INVALID_PARAM")
        self.queried.append(list(asked))
        answer: dict[str, dict[str, object]] = {"device_keys": {}, "failures": {}}
        for user_id in asked:
            server = user_id.partition(":")[2]
            _require(bool(server), "M_INVALID_PARAM")
            if server in self.silent:
                answer["failures"][server] = {"status": 503}
                continue
            answer["device_keys"][user_id] = {
                device_id: own.keys
                for (owner, device_id), own in self.devices.items()
                if owner == user_id and own.keys
            }
            for usage, documents in self.identities.items():
                if user_id in documents:
                    answer.setdefault(f"{usage}_keys", {})[user_id] = documents[user_id]
        return web.json_response(answer)

    async def _claim(self, request: web.Request) -> web.Response:
        self._who(request)
        asked = table(decode(await request.read()) or {}, "one_time_keys")
        claimed: dict[str, dict[str, JsonObject]] = {}
        for user_id in asked:
            for device_id, algorithm in table(asked, user_id).items():
                _require(algorithm == SIGNED, "M_INVALID_PARAM")
                if user_id.partition(":")[2] not in self.silent:
                    found = self.claim((user_id, device_id))
                    if found:
                        claimed.setdefault(user_id, {})[device_id] = dict(found)
        return web.json_response({"one_time_keys": claimed, "failures": {}})

    async def _send(self, request: web.Request) -> web.Response:
        name = self._who(request)
        transaction = (name, request.match_info["txn"])
        messages = table(decode(await request.read()) or {}, "messages")
        if transaction not in self._sent:
            self._sent.add(transaction)
            for user_id in messages:
                for device_id, content in table(messages, user_id).items():
                    self.devices[user_id, device_id].inbox.append(
                        {
                            "type": request.match_info["kind"],
                            "sender": name[0],
                            "content": content,
                        }
                    )
        return web.json_response({})


def _documents(keys: JsonObject) -> dict[str, JsonObject]:
    return {key_id: each for key_id, each in keys.items() if isinstance(each, dict)}


def _require(truth: bool, code: str) -> None:  # noqa: FBT001
    if not truth:
        raise RefusedError(400, code)


def _require_own(document: object, name: Name, keys: JsonObject) -> None:
    """Signed by the device whose keys are ``keys``."""
    assert isinstance(document, dict)
    key_id = f"ed25519:{name[1]}"
    public = text(table(keys, "keys"), key_id) or ""
    signature = text(table(table(document, "signatures"), name[0]), key_id) or ""
    _require(verifies(document, public=public, signature=signature), "M_INVALID_SIGNATURE")
    _require("algorithms" not in document or bool(texts(document, "algorithms")), "M_BAD_JSON")
