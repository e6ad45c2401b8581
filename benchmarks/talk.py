"""A Bot API in memory: groups in which people talk, for as long and at the pace that is asked.

What was acknowledged is gone, and nothing else is: what this holds does not grow.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.protocols import Clock
from bridge.rawjson.fields import JsonObject
from connectors.telegram.bot_api import MOST_UPDATES, BotApi, Endpoint

BOT = 7_000_000_001
FIRST_UPDATE = 870_000_001
FIRST_CHAT = -1_001_000_000_000
PEOPLE = 8
TIMERS = (0, 0, 60, 3600, 86_400)
"""Seconds after which messages of a group disappear, in turn; none."""

REMEMBERED = 20
"""Of each group so many messages may be answered, changed, or reacted to."""

FILES = 16
TEXTS = (
    "We agreed to move the sandbags to the northern depot, number {}.",
    "Running late, back in {} minutes",
    "Can the Minister approve the purchase of pump {} today?",
    "ok see you at the station, platform {}",
    "The contract for site {} is signed; legal advice is attached to the mail.",
    "lol that cake was great {}",
    "Decision: option {} is approved, please tell the contractors.",
    "who has the key of room {}?",
    "Minutes of the meeting about bridge {} are on the shared drive.",
    "thanks!! {} times",
    "The forecast for gauge {} is 3.4 m by midnight, we must warn the residents.",
    "haha {}",
)
_ANSWERS = ("Agreed.", "Yes, go ahead with {}.", "no", "I will ask legal about {}.", "ok {}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long people talk, how fast, in how many groups; what they say comes in slices.

    With ``busy_seconds`` the ``rate`` is that of the middle of the time, before and after which
    ``quiet_rate`` holds.
    """

    seconds: float
    rate: float
    groups: int
    slice_seconds: float = 1.0
    busy_seconds: float | None = None
    quiet_rate: float = 0.0

    @property
    def messages(self) -> int:
        """How many there are in all."""
        return int(self._by(self.seconds))

    def due(self, elapsed: float) -> int:
        """How many were said by the last slice's end."""
        slices = int(elapsed / self.slice_seconds + 1e-6)
        return min(int(self._by(slices * self.slice_seconds)), self.messages)

    def _by(self, elapsed: float) -> float:
        busy = self.seconds if self.busy_seconds is None else min(self.busy_seconds, self.seconds)
        within = min(max(elapsed - (self.seconds - busy) / 2, 0.0), busy)
        return within * self.rate + (elapsed - within) * self.quiet_rate


@dataclass(slots=True, kw_only=True)
class _Said:
    number: int
    at: int
    text: str


@dataclass(slots=True, kw_only=True)
class _Chat:
    id: int
    title: str
    timer: int
    last: int = 0
    said: deque[_Said] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def shown(self) -> JsonObject:
        return {"id": self.id, "title": self.title, "type": "supergroup"}


class Talk(BotApi):
    """What the bot of a recorder hears. Its answers are those of the documentation."""

    def __init__(self, pace: Pace, clock: Clock, files: Path) -> None:
        """``files`` is where its files are, as on the disk of an own Bot API server. Blocks."""
        super().__init__(Endpoint(api_base="http://127.0.0.1:9"), token=f"{BOT}:none")
        self._pace = pace
        self._clock = clock
        self._files = files
        self._began: float | None = None
        self.made = 0
        self._end = pace.messages
        self._waiting: deque[tuple[int, str]] = deque()
        self.chats = tuple(
            _Chat(id=FIRST_CHAT - n, title=f"Room {n}", timer=TIMERS[n % len(TIMERS)])
            for n in range(pace.groups)
        )
        self._by_id = {chat.id: chat for chat in self.chats}
        for number in range(FILES):
            (files / f"plan-{number}.pdf").write_bytes(b"%PDF-1.7\n" + b"%d " % number * 1000)

    def begin(self) -> None:
        """From now on people talk."""
        self._began = self._clock.monotonic()

    def end(self) -> None:
        """Nobody says any more, earlier than was meant."""
        self._end = self.made

    @property
    def silent(self) -> bool:
        """All was said and acknowledged."""
        return self.made == self._end and not self._waiting

    async def get_updates(
        self,
        *,
        offset: int | None,
        seconds: int,
        limit: int = MOST_UPDATES,
        allowed: Sequence[str] = (),
    ) -> bytes:
        """What waits, or what comes within ``seconds``; below ``offset`` all is forgotten."""
        while offset is not None and self._waiting and self._waiting[0][0] < offset:
            self._waiting.popleft()
        until = self._clock.monotonic() + seconds
        self._speak()
        while not self._waiting and self._clock.monotonic() < until:
            left = until - self._clock.monotonic()
            await self._clock.sleep(min(left, self._pace.slice_seconds))
            self._speak()
        given = [raw for _, raw in list(self._waiting)[:limit]]
        return ('{"ok":true,"result":[' + ",".join(given) + "]}").encode()

    async def call_within(self, seconds: float, method: str, /, **given: object) -> JsonObject:
        """The object that a method returns."""
        chat = self._by_id.get(int(str(given.get("chat_id", 0))))
        if method == "getMe":
            return {"id": BOT, "is_bot": True, "first_name": "Recorder", "username": "recorder"}
        if method == "getChat" and chat is not None:
            timer: JsonObject = {"message_auto_delete_time": chat.timer} if chat.timer else {}
            return chat.shown() | timer
        if method == "getChatMember":
            return {"status": "administrator", "user": {"id": BOT, "is_bot": True}}
        if method == "getFile":
            return {"file_path": str(self._files / f"{given['file_id']}.pdf")}
        return {}

    async def call_raw(self, method: str, /, **given: object) -> bytes:
        """The exact bytes of what a method returns."""
        chat = self._by_id[int(str(given["chat_id"]))]
        if method == "getChatMemberCount":
            return b"%d" % (PEOPLE + 1)
        if method == "getChatAdministrators":
            return _encoded([{"status": "creator", "user": _person(0)}]).encode()
        if method == "sendMessage":
            chat.last += 1
            sender = {"id": BOT, "is_bot": True, "first_name": "Recorder"}
            text = str(given["text"])
            return _encoded(
                _message(chat, chat.last, sender, self._date()) | {"text": text}
            ).encode()
        return b"true"

    async def aclose(self) -> None:
        """Nothing is open."""

    def _speak(self) -> None:
        """Say what is due by now."""
        if self._began is None:
            return
        due = min(self._pace.due(self._clock.monotonic() - self._began), self._end)
        while self.made < due:
            number = FIRST_UPDATE + self.made
            kind, subject = self._next(self.made)
            raw = _encoded({"update_id": number, kind: subject})
            self._waiting.append((number, raw))
            self.made += 1

    def _next(self, number: int) -> tuple[str, JsonObject]:
        """An event: of a hundred 6 reactions, 4 changes, 15 answers, 1 file, 74 texts."""
        chat = self.chats[number % len(self.chats)]
        turn = number // len(self.chats)
        sender, drawn = _person(turn + number), (turn * 37 + number * 11) % 100
        if not chat.said:
            drawn = 99
        if drawn < 6:
            return "message_reaction", self._reaction(chat, sender, number)
        if drawn < 10:
            return "edited_message", self._edit(chat, sender, number)
        chat.last += 1
        message = _message(chat, chat.last, sender, self._date())
        if drawn < 11:
            return "message", message | _document(number)
        text = TEXTS[(turn + number) % len(TEXTS)].format(number)
        if drawn < 26:
            text = _ANSWERS[number % len(_ANSWERS)].format(number)
            answered = chat.said[number % len(chat.said)]
            first = _message(chat, answered.number, _person(number + 3), answered.at)
            message["reply_to_message"] = first | {"text": answered.text}
        chat.said.append(_Said(number=chat.last, at=self._date(), text=text))
        return "message", message | {"text": text}

    def _reaction(self, chat: _Chat, sender: JsonObject, number: int) -> JsonObject:
        about = chat.said[number % len(chat.said)]
        return {
            "chat": chat.shown(),
            "message_id": about.number,
            "user": sender,
            "date": self._date(),
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": "\U0001f44d"}],
        }

    def _edit(self, chat: _Chat, sender: JsonObject, number: int) -> JsonObject:
        about = chat.said[-1]
        about.text = f"{about.text} (corrected {number})"[:200]
        message = _message(chat, about.number, sender, about.at)
        return message | {"edit_date": self._date(), "text": about.text}

    def _date(self) -> int:
        return int(self._clock.now().timestamp())


def _message(chat: _Chat, number: int, sender: JsonObject, date: int) -> JsonObject:
    return {"message_id": number, "from": sender, "chat": chat.shown(), "date": date}


def _person(number: int) -> JsonObject:
    place = number % PEOPLE
    return {"id": 5_000_000_000 + place, "is_bot": False, "first_name": f"Person {place}"}


def _document(number: int) -> JsonObject:
    name = f"plan-{number % FILES}"
    return {
        "document": {
            "file_name": f"{name}.pdf",
            "mime_type": "application/pdf",
            "file_id": name,
            "file_unique_id": name,
        },
        "caption": f"Plan {number} of the depot, for approval.",
    }


def _encoded(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
