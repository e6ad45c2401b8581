"""A Matrix client that shares no line with ours: matrix-js-sdk with its Rust crypto.

Keys live in memory: a client that stopped is gone, and signs in anew as another device.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account
from bridge.demo.official import File
from tests.clients.js_process import JsClientError, JsProcess
from tests.clients.js_values import (
    Device,
    Identity,
    Received,
    Restored,
    Sent,
    Session,
    Withheld,
    received,
)
from tests.patience import PATIENCE

# The client gives up first, and says on what.
_WAIT_SECONDS = PATIENCE - 5
_MESSAGE = "m.room.message"
T = TypeVar("T")


class JsClient:
    """One signed-in device of a person. It ends with its process at the latest.

    Every verb raises :class:`JsClientError` when the client refuses or does not answer in time.
    """

    def __init__(self, process: JsProcess, session: Session) -> None:
        self.session = session
        self.received: list[Received] = []
        self._process = process
        self._news = asyncio.Event()
        process.hear(session.client, self._hear)

    @classmethod
    async def login(
        cls, process: JsProcess, *, homeserver: str, account: Account, name: str = "JavaScript"
    ) -> JsClient:
        """Sign in by password as a new device, whose keys are on the server on return.

        The device is not cross-signed: see :meth:`bootstrap`.
        """
        asked: dict[str, Json] = {
            "homeserver": homeserver,
            "username": account.username,
            "password": account.password,
            "name": name,
            "seconds": _WAIT_SECONDS,
        }
        answer = await process.call("login", asked)
        return cls(process, msgspec.json.decode(answer, type=Session))

    @property
    def user_id(self) -> str:
        """The person's id."""
        return self.session.user_id

    @property
    def device_id(self) -> str:
        """This device's id."""
        return self.session.device_id

    # Identity and trust

    async def bootstrap(self, *, reset: bool = False) -> None:
        """Publish a cross-signing identity and sign this device with it; ``reset`` replaces it."""
        await self._do("bootstrap", reset=reset)

    async def new_secret_storage(self) -> str:
        """Put the identity's private keys into secret storage. Returns the recovery key."""
        return await self._ask(str, "newSecretStorage")

    async def open_secret_storage(self, recovery_key: str) -> None:
        """Take the account's identity over from secret storage, and sign this device with it."""
        await self._do("openSecretStorage", recovery_key=recovery_key, seconds=_WAIT_SECONDS)

    async def identity(self, user_id: str) -> Identity:
        """What this client makes of somebody's identity."""
        return await self._ask(Identity, "identity", user=user_id)

    async def verify_user(self, user_id: str) -> None:
        """Sign somebody's identity with ours, as after comparing emoji."""
        await self._do("verifyUser", user=user_id, seconds=_WAIT_SECONDS)

    async def verify_device(self, user_id: str, device_id: str) -> None:
        """Trust one device, here only."""
        await self._do("verifyDevice", user=user_id, device=device_id)

    async def devices(self, user_id: str) -> tuple[Device, ...]:
        """Somebody's devices, as this client last heard of them."""
        return await self._ask(tuple[Device, ...], "devices", user=user_id)

    async def device(self, user_id: str, device_id: str, *, signed: bool = True) -> Device:
        """One device, when this client sees it signed, or unsigned, by its owner."""
        return await self._ask(
            Device, "device", user=user_id, device=device_id, signed=signed, seconds=_WAIT_SECONDS
        )

    async def isolate(self, *, only_signed: bool) -> None:
        """Share keys with cross-signed devices only (OnlySignedDevicesIsolationMode), or all."""
        await self._do("isolate", only_signed=only_signed)

    # Rooms

    async def create_room(
        self,
        name: str,
        *,
        invite: Sequence[str] = (),
        encrypted: bool = True,
        rotation_messages: int | None = None,
    ) -> str:
        """A private room, known to this client on return; a key for ``rotation_messages`` each."""
        return await self._ask(
            str,
            "createRoom",
            name=name,
            invite=list(invite),
            encrypted=encrypted,
            rotation_messages=rotation_messages,
            seconds=_WAIT_SECONDS,
        )

    async def invite(self, room: str, user_id: str) -> None:
        """Ask somebody in."""
        await self._do("invite", room=room, user=user_id)

    async def join(self, room: str, *, encrypted: bool = True) -> None:
        """Accept an invitation; on return this client knows the room, and its encryption."""
        await self._do("join", room=room, encrypted=encrypted, seconds=_WAIT_SECONDS)

    async def member(self, room: str, user_id: str, membership: str = "join") -> None:
        """Wait until this client sees somebody joined (or invited, or gone: ``leave``)."""
        await self._do(
            "member", room=room, user=user_id, membership=membership, seconds=_WAIT_SECONDS
        )

    # What is said

    async def send(self, room: str, kind: str, content: Mapping[str, Json]) -> Sent:
        """Any event. The client encrypts it in an encrypted room, reactions excepted."""
        return await self._ask(
            Sent, "send", room=room, type=kind, content=dict(content), seconds=_WAIT_SECONDS
        )

    async def text(self, room: str, body: str) -> Sent:
        """An ordinary message."""
        return await self.send(room, _MESSAGE, _text(body))

    async def edit(self, room: str, event_id: str, body: str) -> Sent:
        """Replace what was said."""
        relation: Json = {"rel_type": "m.replace", "event_id": event_id}
        content = _text(f"* {body}") | {"m.new_content": _text(body), "m.relates_to": relation}
        return await self.send(room, _MESSAGE, content)

    async def reply(self, room: str, event_id: str, body: str) -> Sent:
        """Answer a message."""
        relation: Json = {"m.in_reply_to": {"event_id": event_id}}
        return await self.send(room, _MESSAGE, _text(body) | {"m.relates_to": relation})

    async def react(self, room: str, event_id: str, key: str) -> Sent:
        """React to a message. Nobody encrypts reactions: this one neither."""
        relation: Json = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room, "m.reaction", {"m.relates_to": relation})

    async def redact(self, room: str, event_id: str, reason: str = "") -> Sent:
        """Take a message back."""
        return await self._ask(Sent, "redact", room=room, event=event_id, reason=reason)

    async def attach(self, room: str, file: File) -> Sent:
        """Send a file, encrypted before it is uploaded."""
        return await self._ask(
            Sent,
            "attach",
            room=room,
            name=file.name,
            type=file.type,
            data=base64.b64encode(file.data).decode("ascii"),
            seconds=_WAIT_SECONDS,
        )

    async def download(self, event: Received) -> bytes:
        """The plain bytes of an encrypted attachment, its hash checked."""
        data = await self._ask(str, "download", file=event.content["file"])
        return base64.b64decode(data)

    # What others say

    async def until(
        self, wanted: Callable[[Received], bool], *, seconds: float = PATIENCE
    ) -> Received:
        """The first event of others that is ``wanted``, past or to come.

        An event whose key came late is there twice: with its failure, then decrypted.

        Raises:
            JsClientError: there was none within ``seconds``.
        """
        taken = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    for event in self.received[taken:]:
                        if wanted(event):
                            return event
                    taken = len(self.received)
                    await self._news.wait()
        except TimeoutError:
            heard = [f"{each.type} {each.failure or ''}".strip() for each in self.received]
            raise JsClientError(
                "Timeout", f"not received within {seconds:.0f} s: {heard}"
            ) from None

    async def shown(self, event_id: str) -> Received:
        """An event of others once it is received, decrypted or not."""
        return await self.until(lambda event: event.event_id == event_id)

    async def decrypted(self, event_id: str) -> Received:
        """An event of others once it is decrypted."""
        return await self.until(lambda each: each.event_id == event_id and each.failure is None)

    # Keys

    async def rotate(self, room: str) -> None:
        """Discard the room's session: the next message has a new key."""
        await self._do("rotate", room=room)

    async def withheld(self) -> tuple[Withheld, ...]:
        """The notices so far that a key was not sent to this device."""
        return await self._ask(tuple[Withheld, ...], "withheld")

    async def backup_on(self) -> str:
        """Back up room keys on the server from now on, anew. Returns the backup's version."""
        return await self._ask(str, "backupOn", seconds=_WAIT_SECONDS)

    async def backup_off(self) -> None:
        """Delete the backup."""
        await self._do("backupOff")

    async def back_up(self) -> int:
        """Put every key this client has into the backup now. Returns how many the backup holds."""
        return await self._ask(int, "backUp")

    async def restore(self) -> Restored:
        """Take in the keys of the backup; its key is in the opened secret storage."""
        return await self._ask(Restored, "restore")

    async def export_keys(self) -> str:
        """All room keys, as the JSON that key exports hold."""
        return await self._ask(str, "exportKeys")

    async def import_keys(self, keys: str) -> None:
        """Take in what :meth:`export_keys` gave."""
        await self._do("importKeys", keys=keys)

    # End

    async def logout(self) -> None:
        """Sign out: the server forgets the device."""
        await self._do("logout")

    async def stop(self) -> None:
        """Stop listening. The device stays, and its keys are lost with the process."""
        await self._do("stop")

    def _hear(self, document: bytes) -> None:
        self.received.append(received(document))
        self._news.set()

    async def _do(self, verb: str, **arguments: Json) -> None:
        await self._process.call(verb, arguments, client=self.session.client)

    async def _ask(self, kind: type[T], verb: str, **arguments: Json) -> T:
        answer = await self._process.call(verb, arguments, client=self.session.client)
        return msgspec.json.decode(answer, type=kind)


def _text(body: str) -> dict[str, Json]:
    return {"msgtype": "m.text", "body": body}
