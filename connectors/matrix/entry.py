"""Whether an invitation may be accepted yet."""

from __future__ import annotations

import json

from bridge.errors import ConnectorUnavailableError
from connectors.matrix.crypto.session import CryptoSession
from connectors.matrix.envelope import Events, split_sync
from connectors.matrix.http import MatrixHttp, path
from connectors.matrix.room import RoomState

PATIENCE = 5.0
"""Seconds that an invitation waits for our device to be signed, before it is tried again later."""

UNSIGNED = "Our device is not verified yet, so that senders would withhold their keys from us."


async def check_entry(http: MatrixHttp, crypto: CryptoSession, group_id: str) -> None:
    """Before our device is signed, only a group that is shown to be unencrypted may be entered.

    And only where waiting would not help: keys withheld from us once are not sent again.

    Raises:
        ConnectorUnavailableError: not yet.
    """
    await crypto.settled(PATIENCE)
    if crypto.is_signed:
        return
    if crypto.is_refused:
        state = await _invitation(http, group_id)
        room = RoomState()
        for raw in state:
            room.apply(raw)
        if state and not room.encrypted:
            return
    raise ConnectorUnavailableError(" ".join((UNSIGNED, *crypto.troubles)))


async def _invitation(http: MatrixHttp, group_id: str) -> Events:
    """What our invitation shows of the group; nothing where there is none."""
    shown = {"room": {"rooms": [group_id], "timeline": {"limit": 1}}}
    query = {"filter": json.dumps(shown), "timeout": "0", "set_presence": "offline"}
    body = await http.request("GET", path("sync"), query=query)
    return split_sync(body).invited.get(group_id, ())
