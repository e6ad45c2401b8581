"""What is known of a room from its state events. Fed by the connector, read by the mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.model import GroupTimer, Timer
from bridge.rawjson.fields import JsonObject, decode, salvage, table, text, texts
from connectors.matrix import power
from connectors.matrix import timers as rules

PRESENT = frozenset({"join", "invite"})
_ROSTER = ("m.room.power_levels", "m.room.name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user's latest membership. ``raw`` is the exact bytes of the event that says so."""

    user_id: str
    membership: str
    display_name: str | None = None
    raw: bytes = field(repr=False)


class RoomState:
    """The state of one room. Mutable; owned by one connector.

    ``encrypted`` never becomes false again. ``is_whole``: all of the state is known, not only what
    changed; that of a room just entered comes with its creation. ``timer_changes`` counts the
    events that set a timer. ``can_pin`` and the rest answer from the events applied so far, in
    the order of :meth:`apply`.
    """

    __slots__ = (
        "_create",
        "_disappearing",
        "_levels",
        "_members",
        "_raw",
        "_retention",
        "encrypted",
        "is_whole",
        "name",
        "pinned",
        "successor",
        "timer_changes",
        "topic",
    )

    def __init__(self) -> None:
        self.name: str | None = None
        self.topic: str | None = None
        self.encrypted: bool = False
        self.is_whole: bool = False
        self.successor: str | None = None
        self.pinned: tuple[str, ...] = ()
        self.timer_changes = 0
        self._create: JsonObject = {}
        self._levels: JsonObject | None = None
        self._members: dict[str, Member] = {}
        self._raw: dict[str, bytes] = {}
        self._retention: rules.TimerSetting | None = None
        self._disappearing: rules.TimerSetting | None = None

    @property
    def members(self) -> Mapping[str, Member]:
        """Every user whose membership is known, those who left included, by user id."""
        return self._members

    @property
    def disappearing(self) -> rules.Length | None:
        """What ``com.beeper.disappearing_timer`` says; None where that is not known."""
        if self._disappearing is None:
            return rules.Length() if self.is_whole else None
        return rules.Length.of(self._disappearing.timer)

    @property
    def knows_standing(self) -> bool:
        """Whether it is known if the room sets a retention of its own."""
        return self.is_whole or self._retention is not None

    def timers(self, group_id: str, server: Timer | None) -> GroupTimer:
        """The timers that run now; ``server`` is that of the homeserver."""
        default = None if self._disappearing is None else self._disappearing.timer
        standing = self.standing_after((), server)
        return GroupTimer(group_id=group_id, standing=standing, default=default)

    def standing_after(self, events: Iterable[bytes], server: Timer | None) -> Timer | None:
        """What removes messages once these events are applied, which this does not do."""
        setting = self._retention
        for raw in events:
            setting = rules.set_by(raw, rules.RETENTION) or setting
        return (None if setting is None else setting.timer) or server

    def resume(self, length: rules.Length) -> None:
        """Go back to the disappearing timer that ran where the next delivery begins."""
        self._disappearing = rules.TimerSetting(timer=length.timer)

    @property
    def encryption(self) -> bool | None:
        """Whether the room is encrypted; None where what is known leaves that open."""
        return self.encrypted or (False if self.is_whole else None)

    def membership(self, user_id: str) -> str | None:
        """``join``, ``invite``, ``leave``, ``ban``, ``knock``, or None where nothing is known."""
        member = self._members.get(user_id)
        return None if member is None else member.membership

    def membership_bytes(self, user_id: str) -> bytes | None:
        """The exact event that gave a user their latest membership."""
        member = self._members.get(user_id)
        return None if member is None else member.raw

    def display_name(self, user_id: str) -> str | None:
        """The name shown for a user; of one who left, the last one known."""
        member = self._members.get(user_id)
        return None if member is None else member.display_name

    def present(self) -> tuple[Member, ...]:
        """Those who have joined or are invited, in the order of their first event."""
        return tuple(m for m in self._members.values() if m.membership in PRESENT)

    def can_pin(self, user_id: str) -> bool:
        """Whether the user has the power to change what is pinned."""
        needed = power.state_level(self._levels, power.PINNED)
        return power.user_level(self._levels, self._create, user_id) >= needed

    def roster_bytes(self) -> bytes:
        """A JSON array of the exact events that say who is here: members, powers, name."""
        events = [member.raw for member in self.present()]
        events += [self._raw[kind] for kind in _ROSTER if kind in self._raw]
        return b"[" + b",".join(events) + b"]"

    def apply(self, raw: bytes) -> None:
        """Take up an event, if it is a state event this class knows. MUST NOT raise."""
        # Most events are messages; only those which can hold the key (it may be escaped) cost more.
        if b"state_key" not in raw and b"\\u" not in raw:
            return
        event = decode(raw)
        if event is None:
            event = salvage(raw)
        kind, key = text(event, "type"), text(event, "state_key")
        if kind is None or key is None:
            return
        if kind == "m.room.member":
            self._apply_member(key, table(event, "content"), raw)
        elif key == "":
            self._apply_room(kind, event, raw)

    def _apply_room(self, kind: str, event: JsonObject, raw: bytes) -> None:
        content = table(event, "content")
        match kind:
            case "m.room.create":
                self._create = event
                self.is_whole = True
            case "m.room.name":
                self.name = text(content, "name") or None
                self._raw[kind] = raw
            case "m.room.topic":
                self.topic = text(content, "topic") or None
            case "m.room.encryption":
                self.encrypted = True
            case "m.room.tombstone":
                self.successor = text(content, "replacement_room") or None
            case "m.room.power_levels":
                self._levels = content
                self._raw[kind] = raw
            case power.PINNED:
                self.pinned = texts(content, "pinned")
            case rules.RETENTION:
                self._retention = rules.retention(content)
                self.timer_changes += 1
            case rules.DISAPPEARING:
                self._disappearing = rules.disappearing(content)
                self.timer_changes += 1
            case _:
                pass

    def _apply_member(self, user_id: str, content: JsonObject, raw: bytes) -> None:
        membership = text(content, "membership")
        if membership is None:
            return
        display_name = text(content, "displayname")
        if display_name is None and membership not in PRESENT:
            display_name = self.display_name(user_id)
        self._members[user_id] = Member(
            user_id=user_id, membership=membership, display_name=display_name, raw=raw
        )
