"""A person's Matrix client: what officials do in their own apps, as plain requests."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec

from bridge.canonical.json import Json
from bridge.demo.homeserver import Account
from bridge.demo.wire import CLIENT, Content, Wire

_MEDIA = "/_matrix/media/v3"
_POLL_START = "org.matrix.msc3381.poll.start"
_POLL_ANSWER = "org.matrix.msc3381.poll.response"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something to attach."""

    name: str
    data: bytes
    type: str = "application/octet-stream"


class Official:
    """One signed-in person. Each thing said or done returns its event id.

    The token travels in a header, never in an address. ``async with`` closes the connection.
    """

    def __init__(self, *, homeserver: str, account: Account) -> None:
        self.account = account
        self._wire = Wire(homeserver=homeserver, token=account.access_token)
        self._transactions = itertools.count()
        # Two clients of one account must not reuse each other's transaction ids.
        self._prefix = secrets.token_hex(4)

    async def __aenter__(self) -> Self:
        await self._wire.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._wire.close()

    @property
    def user_id(self) -> str:
        """The person's id."""
        return self.account.user_id

    async def login(self) -> None:
        """Sign in anew by password: a session of its own."""
        answer = await self._wire.call(
            "POST",
            f"{CLIENT}/login",
            {
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": self.account.username},
                "password": self.account.password,
            },
        )
        self._wire.token = answer.access_token

    # Rooms

    async def create_room(
        self,
        name: str,
        *,
        invite: Sequence[str] = (),
        retention_ms: int | None = None,
        encrypted: bool = False,
        state: Sequence[tuple[str, Content]] = (),
    ) -> str:
        """A private room; ``state`` adds (type, content) pairs. Returns the room id."""
        initial = list(state)
        if retention_ms is not None:
            initial.append(("m.room.retention", {"max_lifetime": retention_ms}))
        if encrypted:
            initial.append(("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}))
        answer = await self._wire.call(
            "POST",
            f"{CLIENT}/createRoom",
            {
                "name": name,
                "preset": "private_chat",
                "invite": list(invite),
                "initial_state": [
                    {"type": kind, "state_key": "", "content": content} for kind, content in initial
                ],
            },
        )
        return answer.room_id

    async def join(self, room: str) -> None:
        """Accept an invitation."""
        await self._wire.call("POST", f"{CLIENT}/join/{quote(room, safe='')}", {})

    async def leave(self, room: str) -> None:
        """Leave."""
        await self._wire.call("POST", _room(room, "leave"), {})

    async def invite(self, room: str, user_id: str) -> None:
        """Ask somebody in."""
        await self._wire.call("POST", _room(room, "invite"), {"user_id": user_id})

    async def kick(self, room: str, user_id: str, reason: str = "") -> None:
        """Put somebody out."""
        await self._wire.call("POST", _room(room, "kick"), {"user_id": user_id, "reason": reason})

    async def ban(self, room: str, user_id: str, reason: str = "") -> None:
        """Put somebody out for good."""
        await self._wire.call("POST", _room(room, "ban"), {"user_id": user_id, "reason": reason})

    async def upgrade(self, room: str, version: str) -> str:
        """Replace the room by one of another version. Returns the successor's id."""
        answer = await self._wire.call("POST", _room(room, "upgrade"), {"new_version": version})
        return answer.replacement_room

    # What is said

    async def text(self, room: str, body: str) -> str:
        """An ordinary message."""
        return await self._message(room, "m.text", body)

    async def notice(self, room: str, body: str) -> str:
        """A message as bots send them."""
        return await self._message(room, "m.notice", body)

    async def emote(self, room: str, body: str) -> str:
        """A ``/me`` message."""
        return await self._message(room, "m.emote", body)

    async def edit(self, room: str, target: str, body: str) -> str:
        """Change what ``target`` says."""
        return await self.send_raw(
            room,
            "m.room.message",
            {
                "msgtype": "m.text",
                "body": f"* {body}",
                "m.new_content": {"msgtype": "m.text", "body": body},
                "m.relates_to": {"rel_type": "m.replace", "event_id": target},
            },
        )

    async def reply(self, room: str, target: str, body: str) -> str:
        """Answer ``target``."""
        return await self._message(
            room, "m.text", body, {"m.relates_to": {"m.in_reply_to": {"event_id": target}}}
        )

    async def thread(self, room: str, root: str, body: str) -> str:
        """Say it in the thread that starts at ``root``."""
        relation: Content = {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": root},
        }
        return await self._message(room, "m.text", body, {"m.relates_to": relation})

    async def react(self, room: str, target: str, key: str) -> str:
        """Put an emoji under ``target``."""
        return await self.send_raw(
            room,
            "m.reaction",
            {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}},
        )

    async def redact(self, room: str, target: str, reason: str | None = None) -> str:
        """Remove ``target`` for everyone."""
        path = _room(room, f"redact/{quote(target, safe='')}/{self._transaction()}")
        answer = await self._wire.call("PUT", path, {} if reason is None else {"reason": reason})
        return answer.event_id

    async def poll(self, room: str, question: str, answers: Sequence[str]) -> str:
        """Ask everyone; the answers get the ids ``0``, ``1`` and so on."""
        choices: list[Json] = [
            {"id": str(index), "org.matrix.msc1767.text": answer}
            for index, answer in enumerate(answers)
        ]
        return await self.send_raw(
            room,
            _POLL_START,
            {
                _POLL_START: {
                    "kind": "org.matrix.msc3381.poll.disclosed",
                    "max_selections": 1,
                    "question": {"org.matrix.msc1767.text": question},
                    "answers": choices,
                },
                "org.matrix.msc1767.text": "\n".join((question, *answers)),
            },
        )

    async def vote(self, room: str, poll: str, answer: str) -> str:
        """Answer a poll by the id of an answer."""
        return await self.send_raw(
            room,
            _POLL_ANSWER,
            {
                _POLL_ANSWER: {"answers": [answer]},
                "m.relates_to": {"rel_type": "m.reference", "event_id": poll},
            },
        )

    async def location(self, room: str, body: str, geo_uri: str) -> str:
        """Say where, e.g. ``geo:51.5,-0.12``."""
        return await self._message(room, "m.location", body, {"geo_uri": geo_uri})

    # Files

    async def upload(self, file: File) -> str:
        """Give a file to the server. Returns its ``mxc:`` address."""
        answer = await self._wire.call(
            "POST", f"{_MEDIA}/upload", file.data, media_type=file.type, filename=file.name
        )
        return answer.content_uri

    async def image(self, room: str, file: File) -> str:
        """A picture."""
        return await self._attach(room, "m.image", file)

    async def file(self, room: str, file: File) -> str:
        """Any file."""
        return await self._attach(room, "m.file", file)

    async def sticker(self, room: str, file: File) -> str:
        """A sticker; its name is its text."""
        content: Content = {
            "body": file.name,
            "url": await self.upload(file),
            "info": {"mimetype": file.type, "size": len(file.data)},
        }
        return await self.send_raw(room, "m.sticker", content)

    # The state of a room

    async def name(self, room: str, name: str) -> str:
        """Rename the room."""
        return await self.set_state(room, "m.room.name", {"name": name})

    async def topic(self, room: str, topic: str) -> str:
        """Set the topic."""
        return await self.set_state(room, "m.room.topic", {"topic": topic})

    async def retention(self, room: str, milliseconds: int | None) -> str:
        """Set or lift the disappearing-message timer."""
        content: Content = {} if milliseconds is None else {"max_lifetime": milliseconds}
        return await self.set_state(room, "m.room.retention", content)

    async def pin(self, room: str, targets: Sequence[str]) -> str:
        """Pin these events and no others."""
        return await self.set_state(room, "m.room.pinned_events", {"pinned": list(targets)})

    async def power(self, room: str, user_id: str, level: int) -> str:
        """Give somebody a power level; 50 may pin."""
        levels = await self.get_state(room, "m.room.power_levels")
        users = levels.get("users")
        known = dict(users) if isinstance(users, Mapping) else {}
        return await self.set_state(
            room, "m.room.power_levels", {**levels, "users": {**known, user_id: level}}
        )

    # The ground under all of these

    async def send_raw(self, room: str, kind: str, content: Content) -> str:
        """Send any event with any content, odd ones included."""
        path = _room(room, f"send/{quote(kind, safe='')}/{self._transaction()}")
        return (await self._wire.call("PUT", path, content)).event_id

    async def send_bytes(self, room: str, kind: str, body: bytes) -> str:
        """Send content as exact bytes, for JSON that no library writes."""
        path = _room(room, f"send/{quote(kind, safe='')}/{self._transaction()}")
        return (await self._wire.call("PUT", path, body, media_type="application/json")).event_id

    async def set_state(self, room: str, kind: str, content: Content, key: str = "") -> str:
        """Set a state event."""
        path = _room(room, f"state/{quote(kind, safe='')}/{quote(key, safe='')}")
        return (await self._wire.call("PUT", path, content)).event_id

    async def get_state(self, room: str, kind: str, key: str = "") -> dict[str, Json]:
        """The content of a state event."""
        path = _room(room, f"state/{quote(kind, safe='')}/{quote(key, safe='')}")
        return _document(await self._wire.fetch("GET", path))

    async def event(self, room: str, event_id: str) -> dict[str, Json]:
        """One event as the server gives it now."""
        path = _room(room, f"event/{quote(event_id, safe='')}")
        return _document(await self._wire.fetch("GET", path))

    async def joined(self, room: str) -> frozenset[str]:
        """Who is in the room."""
        body = await self._wire.fetch("GET", _room(room, "joined_members"))
        return frozenset(msgspec.json.decode(body, type=_Members).joined)

    async def _attach(self, room: str, msgtype: str, file: File) -> str:
        more: Content = {
            "url": await self.upload(file),
            "filename": file.name,
            "info": {"mimetype": file.type, "size": len(file.data)},
        }
        return await self._message(room, msgtype, file.name, more)

    async def _message(
        self, room: str, msgtype: str, body: str, more: Content | None = None
    ) -> str:
        content: Content = {"msgtype": msgtype, "body": body, **(more or {})}
        return await self.send_raw(room, "m.room.message", content)

    def _transaction(self) -> str:
        return f"{self._prefix}-{next(self._transactions)}"


class _Members(msgspec.Struct):
    joined: dict[str, object]


def _document(body: bytes) -> dict[str, Json]:
    document: dict[str, Json] = msgspec.json.decode(body)
    return document


def _room(room: str, rest: str) -> str:
    return f"{CLIENT}/rooms/{quote(room, safe='')}/{rest}"
