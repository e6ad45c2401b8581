"""An official whose device encrypts, and a recorder that opens, at a real homeserver."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest_asyncio

from bridge.canonical.json import Json
from bridge.clock import SystemClock
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import Official
from bridge.errors import ConnectorUnavailableError
from bridge.model import Event, EventKind
from bridge.protocols import Decrypter, ToDevice
from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.account import Account
from connectors.matrix.crypto.machine import Machine
from connectors.matrix.crypto.settings import CryptoSettings
from connectors.matrix.crypto.upkeep import Upkeep
from connectors.matrix.crypto.values import MegolmRequest
from connectors.matrix.envelope import split_sync
from connectors.matrix.http import Endpoint, MatrixHttp, path
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.patience import PATIENCE

MEGOLM = "m.megolm.v1.aes-sha2"
KEY = bytes(range(32))


class Sender:
    """An official with a device of its own, which encrypts."""

    def __init__(self, http: MatrixHttp, official: Official, machine: Machine) -> None:
        self.http = http
        self.official = official
        self.machine = machine
        self.upkeep = Upkeep(http=http, machine=machine, clock=SystemClock())
        self._count = 0
        self._since: str | None = None

    async def room(self, name: str) -> str:
        """An encrypted room."""
        state: list[tuple[str, dict[str, Json]]] = [("m.room.encryption", {"algorithm": MEGOLM})]
        return await self.official.create_room(name, state=state)

    async def send(self, room: str, kind: str, content: JsonObject, *users: str) -> str:
        """Send an event that these users can decrypt."""
        outbound = self.upkeep.outbound
        sealed = await outbound.encrypted(room, kind, content, users)
        await outbound.send(sealed)
        self._count += 1
        route = path("rooms", room, "send", "m.room.encrypted", str(self._count))
        answer = decode(await self.http.request("PUT", route, body=sealed.content)) or {}
        return text(answer, "event_id") or ""

    async def say(self, room: str, body: str, *users: str, **content: object) -> str:
        """Say something."""
        whole: JsonObject = {"msgtype": "m.text", "body": body, **content}
        return await self.send(room, "m.room.message", whole, *users)

    async def read(self, room: str, event_id: str) -> JsonObject:
        """What an event says to this device."""
        query = {"timeout": "0"} | ({"since": self._since} if self._since else {})
        envelope = split_sync(await self.http.request("GET", path("sync"), query=query))
        self._since = envelope.next_batch
        now, taken = SystemClock().now(), await self.machine.taken()
        messages = [
            ToDevice(number=taken + i, raw=raw, at=now)
            for i, raw in enumerate(envelope.to_device, start=1)
        ]
        await self.machine.take(messages)
        route = path("rooms", room, "event", event_id)
        event = decode(await self.http.request("GET", route)) or {}
        request = MegolmRequest(
            room_id=room,
            event_id=event_id,
            sender=text(event, "sender") or "",
            content=table(event, "content"),
        )
        (answer,) = await self.machine.decrypt([request])
        return decode(answer.clear or b"") or {}


class Recorder(Intake):
    """A recorder with keys; what it takes is opened as the opening loop does it."""

    def __init__(self, sign: Sign, settings: CryptoSettings) -> None:
        self.sign = sign
        self.settings = settings
        self.opened: dict[str, Event] = {}
        self.why: dict[str, str] = {}
        self._kept: list[ToDevice] = []
        super().__init__(lambda: matrix_connector(self.sign, SystemClock(), crypto=self.settings))

    @property
    def decrypter(self) -> Decrypter:
        """That of the connector that is there now."""
        found = self.connector.decrypter
        assert found is not None
        return found

    async def aclose(self) -> None:
        """Give up the connector that is there by then."""
        await self.connector.aclose()

    async def step(self) -> None:
        """Take what is there, then open what can be."""
        batch = await self.take()
        now = SystemClock().now()
        number = len(self._kept)
        self._kept += [
            ToDevice(number=number + i, raw=raw, at=now)
            for i, raw in enumerate(batch.to_device, start=1)
        ]
        decrypter = self.decrypter
        after = await decrypter.taken()
        await decrypter.take([each for each in self._kept if each.number > after])
        waiting = [
            each
            for each in self.events.values()
            if each.kind is EventKind.ENCRYPTED and each.upstream_id not in self.opened
        ]
        for event, answer in zip(waiting, await decrypter.open(waiting), strict=True):
            self.why[event.upstream_id] = answer.why
            if answer.event is not None:
                self.opened[event.upstream_id] = answer.event

    async def open_all(self, *event_ids: str) -> list[Event]:
        """Go on until these are open."""
        async with asyncio.timeout(PATIENCE):
            while not set(event_ids) <= self.opened.keys():
                await self.step()
        return [self.opened[event_id] for event_id in event_ids]


class Scene:
    """A sender and a recorder of their own."""

    def __init__(self, sender: Sender, recorder: Recorder, told: list[str]) -> None:
        self.sender = sender
        self.recorder = recorder
        self.told = told
        self.user = recorder.sign.user_id

    async def enter(self, room: str) -> None:
        """Again, as an invitation is, until the recorder's device is signed."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(ConnectorUnavailableError):
                    return await self.recorder.connector.join(room)

    async def joined(self, name: str) -> str:
        """An encrypted room that the recorder was asked into and has entered."""
        room = await self.sender.room(name)
        await self.sender.official.invite(room, self.user)
        await self.recorder.start(room)
        await self.enter(room)
        await self.recorder.until(lambda: bool(self.recorder.of(room, EventKind.ROSTER)))
        return room


@pytest_asyncio.fixture
async def scene(
    homeserver: Homeserver, tmp_path: Path
) -> AsyncIterator[Callable[[str], Awaitable[Scene]]]:
    """New accounts for each name."""
    async with AsyncExitStack() as stack:

        async def made(name: str) -> Scene:
            clerk = await homeserver.register(f"e2e-clerk-{name}", "password", "Clerk")
            user = await homeserver.register(f"e2e-recorder-{name}", "password", "Recorder")
            official = await stack.enter_async_context(
                Official(homeserver=homeserver.url, account=clerk)
            )
            http = MatrixHttp(Endpoint(homeserver=homeserver.url))
            stack.push_async_callback(http.aclose)
            account = Account(
                http,
                user_id=clerk.user_id,
                password="password",
                access_token=None,
                session_file=tmp_path / "clerk.session",
                device_name="Phone",
            )
            await account.sign_in()
            machine = await Machine.open(
                tmp_path / "clerk.db",
                key=KEY,
                user_id=clerk.user_id,
                device_id=account.device_id or "",
                random=secrets.token_bytes,
                clock=SystemClock(),
            )
            stack.push_async_callback(machine.aclose)
            sender = Sender(http, official, machine)
            assert await sender.upkeep.publish_device()
            told: list[str] = []
            settings = CryptoSettings(
                folder=tmp_path,
                key=KEY,
                recovery_key_file=None,
                random=secrets.token_bytes,
                tell=told.append,
            )
            sign = Sign(
                homeserver=homeserver.url,
                user_id=user.user_id,
                folder=tmp_path,
                password="password",
            )
            recorder = Recorder(sign, settings)
            stack.push_async_callback(recorder.aclose)
            return Scene(sender, recorder, told)

        yield made
