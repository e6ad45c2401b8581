"""The fake homeserver's half of encryption, for its one account: keys, account data, a backup."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from bridge.canonical.json import Json
from tests.fakes.homeserver.rooms import RECORDER, RefusedError

CLIENT = "/_matrix/client/v3"
SIGNED = "signed_curve25519"
SESSION = "the-first-try"
Document = dict[str, Json]


class AccountKeys:
    """What ``RECORDER`` published and keeps. ``device_of`` tells who asks.

    ``asks_password``: an identity is taken only with that password, in a session begun before.
    Nobody claims keys here. ``auths`` holds the authentications that came, in order.
    """

    def __init__(self, device_of: Callable[[web.Request], str]) -> None:
        self.data: dict[str, Document] = {}
        self.devices: dict[str, Document] = {}
        self.identity: dict[str, Document] = {}
        self.one_time: dict[str, Json] = {}
        self.has_fallback = False
        self.asks_password: str | None = None
        self.auths: list[Json] = []
        self.backed_up: dict[str, Document] = {}
        self._backup: Document | None = None
        self._device_of = device_of

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        data = CLIENT + "/user/{user}/account_data/{kind}"
        return [
            web.get(data, self._get_data),
            web.put(data, self._put_data),
            web.post(CLIENT + "/keys/upload", self._upload),
            web.post(CLIENT + "/keys/query", self._query),
            web.post(CLIENT + "/keys/device_signing/upload", self._upload_identity),
            web.post(CLIENT + "/keys/signatures/upload", self._upload_signatures),
            web.get(CLIENT + "/room_keys/version", self._get_backup),
            web.post(CLIENT + "/room_keys/version", self._make_backup),
            web.get(CLIENT + "/room_keys/keys", self._get_keys),
            web.put(CLIENT + "/room_keys/keys", self._put_keys),
            web.get(CLIENT + "/room_keys/keys/{room}/{session}", self._get_key),
        ]

    def counts(self) -> Document:
        """What a sync tells of our keys."""
        return {
            "device_one_time_keys_count": {SIGNED: len(self.one_time)},
            "device_unused_fallback_key_types": [SIGNED] if self.has_fallback else [],
        }

    async def _get_data(self, request: web.Request) -> web.Response:
        found = self.data.get(_own_kind(request))
        if found is None:
            raise RefusedError(404, "M_NOT_FOUND")
        return _json(found)

    async def _put_data(self, request: web.Request) -> web.Response:
        self.data[_own_kind(request)] = await _read(request)
        return _json({})

    async def _upload(self, request: web.Request) -> web.Response:
        body = await _read(request)
        device = _table(body, "device_keys")
        if device:
            if (device["user_id"], device["device_id"]) != (RECORDER, self._device_of(request)):
                raise RefusedError(400, "M_INVALID_PARAM")
            before = self.devices.get(self._device_of(request), {})
            if before.get("keys", device["keys"]) != device["keys"]:
                raise RefusedError(400, "M_INVALID_PARAM")
            self.devices.setdefault(self._device_of(request), device)
        self.one_time |= _table(body, "one_time_keys")
        self.has_fallback |= bool(_table(body, "fallback_keys"))
        return _json({"one_time_key_counts": {SIGNED: len(self.one_time)}})

    async def _query(self, request: web.Request) -> web.Response:
        asked = _table(await _read(request), "device_keys")
        devices: Document = {user: {} for user in asked}
        if RECORDER in asked:
            devices[RECORDER] = dict(self.devices)
        answer: Document = {"device_keys": devices, "failures": {}}
        for usage, document in self.identity.items():
            answer[f"{usage}s"] = {RECORDER: document}
        return _json(answer)

    async def _upload_identity(self, request: web.Request) -> web.Response:
        body = await _read(request)
        auth = body.pop("auth", None)
        if auth is not None:
            self.auths.append(auth)
        if self.asks_password is not None:
            given = auth if isinstance(auth, dict) else {}
            if given.get("session") != SESSION:
                flows: Json = [{"stages": ["m.login.password"]}]
                answer: Document = {"flows": flows, "params": {}, "session": SESSION}
                return web.json_response(answer, status=401)
            if given.get("password") != self.asks_password:
                raise RefusedError(403, "M_FORBIDDEN")
        self.identity = {usage: _table(body, usage) for usage in body}
        return _json({})

    async def _upload_signatures(self, request: web.Request) -> web.Response:
        body = await _read(request)
        for device_id, document in _table(body, RECORDER).items():
            assert isinstance(document, dict)
            stored = self.devices[device_id]
            own = _table(_table(stored, "signatures"), RECORDER)
            own |= _table(_table(document, "signatures"), RECORDER)
            self.devices[device_id] = stored | {"signatures": {RECORDER: own}}
        return _json({"failures": {}})

    async def _get_backup(self, _request: web.Request) -> web.Response:
        if self._backup is None:
            raise RefusedError(404, "M_NOT_FOUND")
        return _json(self._backup | {"version": "1", "count": 0, "etag": "0"})

    async def _make_backup(self, request: web.Request) -> web.Response:
        self._backup = await _read(request)
        return _json({"version": "1"})

    async def _get_keys(self, _request: web.Request) -> web.Response:
        return _json({"rooms": dict(self.backed_up)})

    async def _get_key(self, request: web.Request) -> web.Response:
        found = request.match_info
        sessions = _table(self.backed_up.get(found["room"], {}), "sessions")
        if found["session"] not in sessions:
            raise RefusedError(404, "M_NOT_FOUND")
        return _json(_table(sessions, found["session"]))

    async def _put_keys(self, request: web.Request) -> web.Response:
        for room_id, room in _table(await _read(request), "rooms").items():
            assert isinstance(room, dict)
            sessions = self.backed_up.setdefault(room_id, {"sessions": {}})
            sessions["sessions"] = _table(sessions, "sessions") | _table(room, "sessions")
        return _json({"count": 0, "etag": "0"})


def _own_kind(request: web.Request) -> str:
    if request.match_info["user"] != RECORDER:
        raise RefusedError(403, "M_FORBIDDEN")
    return request.match_info["kind"]


def _table(document: Document, key: str) -> Document:
    value = document.get(key, {})
    assert isinstance(value, dict)
    return dict(value)


async def _read(request: web.Request) -> Document:
    document: Document = msgspec.json.decode(await request.read())
    return document


def _json(document: Document) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")
