"""The server as a process of its own."""

from __future__ import annotations

import base64
import json
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.patience import PATIENCE
from tests.servers.bot_api import Fault, FaultKind, RemoteBotApi, bot_api_process
from tests.servers.bot_api.wire import JsonObject


def ask(api: RemoteBotApi, token: str, method: str) -> JsonObject:
    """Call a method without parameters."""
    with urlopen(f"{api.base_url}{token}/{method}", timeout=PATIENCE) as answer:  # noqa: S310
        found: JsonObject = json.loads(answer.read())
    return found


def test_a_scene_is_played_by_orders() -> None:
    """People are made and do things, faults come and go, and the clock is moved."""
    with bot_api_process("--hand-clock") as api:
        api.do({"do": "person", "as": "anna", "name": "Anna"})
        token = str(api.do({"do": "bot", "as": "bot", "name": "R", "hears_all": True})["token"])
        api.do({"do": "supergroup", "as": "room", "by": "anna", "title": "Room"})
        api.do({"do": "add", "by": "anna", "chat": "room", "whom": "bot"})
        api.do({"do": "say", "as": "first", "by": "anna", "chat": "room", "text": "Hello"})
        api.do({"do": "edit", "by": "anna", "post": "first", "text": "Good morning"})
        data = base64.b64encode(b"a plan").decode()
        send: JsonObject = {"do": "document", "by": "anna", "chat": "room", "data": data}
        api.do(send | {"reply_to": "first", "caption": "The plan"})
        found = ask(api, token, "getUpdates")["result"]
        assert isinstance(found, list)
        assert [list(each)[1] for each in found] == [
            "my_chat_member",
            "message",
            "message",
            "edited_message",
            "message",
        ]
        api.do({"do": "advance", "seconds": 24 * 3600})
        assert ask(api, token, "getUpdates")["result"] == []
        api.set(Fault(kind=FaultKind.FLOOD, times=1))
        with pytest.raises(HTTPError, match="429"):
            ask(api, token, "getMe")
        api.lift()
        assert ask(api, token, "getMe")["ok"] is True
        assert [each.method for each in api.asked()] == ["getupdates"] * 2 + ["getme"] * 2


def test_an_order_that_cannot_be_is_refused() -> None:
    """An unknown verb or name does nothing."""
    with bot_api_process() as api:
        for order in ({"do": "fly"}, {"do": "say", "by": "nobody"}, {"do": "advance"}):
            with pytest.raises(HTTPError, match="400"):
                api.do(order)
