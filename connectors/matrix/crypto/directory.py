"""The homeserver's directory of devices and their keys, by plain requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bridge.errors import ConnectorUnavailableError
from bridge.rawjson.fields import JsonObject, decode, table
from connectors.matrix.crypto.devices import Device
from connectors.matrix.http import MatrixHttp, path

OF_OTHERS_MS = 10_000
"""How long our homeserver waits for those of other users."""

CLAIMED = "signed_curve25519"
ENCRYPTED = "m.room.encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Messages of one kind to devices. Sent again under the same key, they arrive once."""

    key: str
    body: JsonObject = field(repr=False)
    kind: str = ENCRYPTED


class Directory:
    """All verbs are safe to repeat but :meth:`claim`, which uses one-time keys up.

    All raise :class:`ConnectorUnavailableError` where the server does not answer, and
    :class:`ConnectorRejectedError` where it refuses.
    """

    def __init__(self, http: MatrixHttp) -> None:
        self._http = http

    async def upload(self, body: JsonObject) -> JsonObject:
        """Publish keys of our device; gives how many the server has of which kind."""
        answer = decode(await self._http.request("POST", path("keys", "upload"), body=body))
        if answer is None:
            raise _no_homeserver()
        return table(answer, "one_time_key_counts")

    async def query(self, user_ids: Iterable[str], *, patience_ms: int = OF_OTHERS_MS) -> bytes:
        """The devices and identities of users, unread.

        Raises:
            EnvelopeError: the answer is too large; ask for fewer.
        """
        devices: JsonObject = {user_id: [] for user_id in user_ids}
        body: JsonObject = {"device_keys": devices, "timeout": patience_ms}
        return await self._http.request("POST", path("keys", "query"), body=body)

    async def claim(
        self, devices: Sequence[Device], *, patience_ms: int = OF_OTHERS_MS
    ) -> JsonObject:
        """A one-time key of each device, as far as there are any: by user and device.

        Raises:
            EnvelopeError: the answer is too large.
        """
        wanted: dict[str, JsonObject] = {}
        for device in devices:
            wanted.setdefault(device.user_id, {})[device.device_id] = CLAIMED
        body: JsonObject = {"one_time_keys": wanted, "timeout": patience_ms}
        raw = await self._http.request("POST", path("keys", "claim"), body=body)
        answer = await asyncio.to_thread(decode, raw)
        if answer is None:
            raise _no_homeserver()
        return table(answer, "one_time_keys")

    async def send(self, parcel: Parcel) -> None:
        """Hand messages over for delivery to devices."""
        route = path("sendToDevice", parcel.kind, parcel.key)
        await self._http.request("PUT", route, body=parcel.body)


def _no_homeserver() -> ConnectorUnavailableError:
    return ConnectorUnavailableError(
        "What answers in place of the homeserver is no homeserver.",
        hint="Check [[matrix]] homeserver, and any proxy before it.",
    )
