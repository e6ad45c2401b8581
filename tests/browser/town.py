"""People of a Telegram group told from here, in the words of the demonstration's script."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.demo.picture import flooded_bridge
from bridge.demo.recorder import ApprovedGroup
from bridge.demo.script import ESTATES, PEOPLE, ROOMS, SCRIPT, Line, Move
from tests.browser import hostile
from tests.servers.bot_api import RemoteBotApi

BOT = "recorder"
DOUBTFUL = (
    "Which depot should get the pumps first?",
    "Which office should get the heaters first?",
    "Which supplier should deliver the fences?",
    "Which team should take the night shift?",
)
"""What a person has to decide on, beside what the script has of that."""


@dataclass(slots=True)
class Town:
    """The people, groups and the recorder's bot. Every call blocks until it is done."""

    api: RemoteBotApi
    groups: list[ApprovedGroup] = field(default_factory=list)
    token: str = ""
    sent: int = 0

    def do(self, verb: str, **order: object) -> Mapping[str, object]:
        """Carry out an order; what was made."""
        named = {name.rstrip("_"): value for name, value in order.items()}
        return self.api.do({"do": verb, **named})

    def settle(self) -> None:
        """The demonstration's officials in their groups, which the bot can hear."""
        made = self.do("bot", as_=BOT, name="Recorder", username="recorder_bot", hears_all=True)
        self.token = str(made["token"])
        for part in PEOPLE:
            self.do("person", as_=part.username, name=part.display_name)
        for room in ROOMS:
            self.group(room.key, room.name, room.host, *room.members)

    def settle_hostile(self) -> None:
        """The others, in groups of their own."""
        people = [hostile.person(number) for number, _ in enumerate(hostile.NAMES)]
        for who, name in zip(people, hostile.NAMES, strict=True):
            self.do("person", as_=who, name=name)
        for key, name in hostile.GROUPS.items():
            self.group(key, name, *people, title=hostile.TITLE + name)

    def settings(self) -> str:
        """The tables of a recorder's settings; hostile groups are captured whole."""
        evil = set(hostile.GROUPS.values())
        account = '\n[[telegram]]\nname = "telegram"\ntoken_file = "recorder.token"\n'
        tables = [account, f"api_base = {json.dumps(self.api.url)}\n"]
        for group in self.groups:
            # Every JSON string is a TOML basic string.
            name = json.dumps(group.name, ensure_ascii=False)
            whole = "\ncapture_all = true" if group.name in evil else ""
            tables.append(
                f'\n[[groups]]\nconnector = "telegram"\nid = "{group.id}"\nname = {name}{whole}\n'
            )
        return "".join(tables)

    def group(self, key: str, name: str, host: str, *members: str, title: str = "") -> None:
        """A supergroup with the recorder in it; ``title``: on the platform, else ``name``."""
        made = self.do("supergroup", as_=key, by=host, title=title or name)
        for member in members:
            if member != host:
                self.do("join", by=member, chat=key)
        self.do("add", by=host, chat=key, whom=BOT)
        self.do("promote", by=host, chat=key, whom=BOT)
        self.groups.append(ApprovedGroup(id=str(made["id"]), name=name))

    def play(self, pace: float = 0.0) -> None:
        """The whole script, ``pace`` seconds from line to line.

        Polls are put as questions: nobody of ours can open one.
        """
        for number, line in enumerate(SCRIPT):
            time.sleep(pace)
            self._line(line, line.label or f"line-{number}")
        for number, text in enumerate(DOUBTFUL):
            time.sleep(pace)
            self.say(ESTATES, "g.lloyd", text, f"doubtful-{number}")

    def say(self, room: str, who: str, text: str, label: str = "said") -> None:
        """A text."""
        self.sent += 1
        self.do("say", as_=label, by=who, chat=room, text=text)

    def document(self, room: str, who: str, name: str, mime: str, data: bytes) -> None:
        """A file."""
        self.sent += 1
        body = base64.b64encode(data).decode()
        self.do("document", by=who, chat=room, name=name, mime=mime, data=body, caption=name)

    def _line(self, line: Line, label: str) -> None:
        match line.move:
            case Move.SAY | Move.POLL:
                self.say(line.room, line.who, line.text, label)
            case Move.REPLY:
                order = {"as": label, "reply_to": line.about, "text": line.text}
                self.do("say", by=line.who, chat=line.room, **order)
            case Move.EDIT:
                self.do("edit", by=line.who, post=line.about, text=line.text)
            case Move.REACT:
                self.do("react", by=line.who, post=line.about, emoji=line.text)
            case Move.REDACT:
                self.do("delete", by=line.who, post=line.about)
            case Move.PHOTO:
                body = base64.b64encode(flooded_bridge()).decode()
                self.do(
                    "photo",
                    **{"as": label, "by": line.who, "chat": line.room, "data": body},
                    caption=line.text,
                    mime="image/png",
                )
            case Move.TIMER:
                self.do("timer", by=line.who, chat=line.room, seconds=86400)
            case Move.VOTE:
                pass
