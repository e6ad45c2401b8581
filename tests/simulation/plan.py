"""What is to happen in one run: messages, attachments, and everything that goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from bridge.model import Outcome

GROUPS = 3
TIMERS = (None, None, 4.0, 15.0, 30.0, 60.0, 90.0, 300.0)


STEPS = (-90_000.0, -7200.0, -45.0, -7.0, -0.5, 0.5, 7.0, 45.0, 1200.0, 90_000.0)
"""Steps of the wall clock. One of some minutes back makes a pause last as much longer."""


class FaultKind(StrEnum):
    """What goes wrong."""

    STORE_DOWN = "store down"
    STORE_LOSSY = "store answers nothing, but did it"
    STORE_SLOW = "store slow"
    STORE_CONFLICT = "somebody else's objects"
    PLATFORM = "platform fails"
    REPLAY = "platform delivers again"
    JOURNAL = "journal unavailable"
    SPOOL = "spool full"
    KILL = "process killed"
    STOP = "process stopped in order"
    CLOCK = "wall clock stepped"


MOMENTARY = frozenset({FaultKind.KILL, FaultKind.STOP, FaultKind.CLOCK})
"""What happens at a moment. All other faults last for their ``seconds`` and end."""


class MediumFate(StrEnum):
    """What becomes of an attachment's transfer."""

    THERE = "there"
    LATE = "late"
    BREAKS = "breaks once"
    NEVER = "never"
    TOO_LARGE = "too large"


class KeyFate(StrEnum):
    """When a key comes, as seen from the first message that needs it."""

    BEFORE = "before"
    WITH = "with"
    AFTER = "after"
    ELSEWHERE = "is to be looked for"
    NEVER = "never"


class ActKind(StrEnum):
    """What happens to a group as such."""

    KICK = "kick"
    INVITE = "invite"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    TIMER = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """An attachment; ``after`` is how many seconds it takes until it can be had, if ``late``."""

    fate: MediumFate
    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of encrypted messages, ``after`` so many seconds, or before if it comes before."""

    fate: KeyFate
    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Utter:
    """Somebody says something. ``leans`` counts how many messages back it needs as context.

    ``backdated`` seconds before it reaches the recorder's server. ``outcome`` None: the
    classifier fails. ``key``: it is encrypted with this key of its group.
    """

    at: float
    group: int
    outcome: Outcome | None
    timer: float | None = None
    backdated: float = 0.0
    leans: int = 0
    restricted: bool = False
    media: tuple[Medium, ...] = ()
    key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something happens to a group. ``timer``: what its standing timer is changed to."""

    at: float
    group: int
    kind: ActKind
    timer: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Somebody decides on what is restricted of the message that was said so many before it."""

    at: float
    said: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something goes wrong at ``at``; for a clock step, ``seconds`` is its signed size."""

    at: float
    kind: FaultKind
    seconds: float

    @property
    def end(self) -> float:
        """When it is over; a process that was ended is started again after a while."""
        return self.at if self.kind in MOMENTARY else self.at + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. ``seed`` draws the order of callbacks, delays, and the details of the faults."""

    seed: int
    said: tuple[Utter, ...]
    faults: tuple[Fault, ...] = ()
    acts: tuple[Act, ...] = ()
    rulings: tuple[Ruling, ...] = ()
    keys: tuple[Key, ...] = ()
    forget_after: float = 3600.0
    groups: int = GROUPS

    @property
    def life(self) -> float:
        """When all has been said and all faults are over."""
        ends = [each.at for each in self.said] + [each.at for each in self.acts]
        ends += self.sent_keys().values()
        ends += [each.at for each in self.rulings]
        return max(ends + [fault.end for fault in self.faults], default=0.0)

    def sent_keys(self) -> dict[tuple[int, int], float]:
        """When each (group, key) comes, of those that come neither never nor with a message."""
        first: dict[tuple[int, int], float] = {}
        for utter in self.said:
            if utter.key is not None:
                place = utter.group, utter.key
                first[place] = min(first.get(place, utter.at), utter.at)
        found: dict[tuple[int, int], float] = {}
        for (group, number), at in first.items():
            key = self.keys[number]
            if key.fate is KeyFate.BEFORE:
                found[group, number] = max(at - key.after, 0.0)
            elif key.fate in {KeyFate.AFTER, KeyFate.ELSEWHERE}:
                found[group, number] = at + key.after
        return found

    def steady(self, group: int) -> bool:
        """Whether the group is recorded from its invitation to the end."""
        return all(act.group != group or act.kind is ActKind.TIMER for act in self.acts)


def seeded(seed: int) -> Plan:
    """The plan that this seed stands for; the same for ever, as long as this file stays."""
    random = Random(f"plan {seed}")
    length = random.uniform(5.0, 18.0)
    groups = random.choice((1, 2, 2, GROUPS))
    most = random.choice((6, 10, 24))
    plan = Plan(
        seed=seed,
        groups=groups,
        said=tuple(_utter(random, length, groups) for _ in range(random.randint(2, most))),
        faults=tuple(_fault(random, length) for _ in range(random.randint(0, 5))),
        acts=_acts(random, length, groups),
        forget_after=random.choice((5.0, 20.0, 3600.0)),
    )
    return _ruled(_encrypted(plan, Random(f"keys {seed}")), Random(f"rulings {seed}"))


def _ruled(plan: Plan, random: Random) -> Plan:
    """Of most that is restricted somebody decides, of some twice; a third of the runs have more."""
    more = 0.3 if random.random() < 1 / 3 else 0.0
    said = tuple(
        replace(utter, restricted=utter.restricted or random.random() < more) for utter in plan.said
    )
    rulings = [
        Ruling(
            at=utter.at + random.choice((0.5, 5.0, 30.0, 90.0)) * random.random(),
            said=i,
            outcome=random.choice((Outcome.CAPTURE, Outcome.DISCARD)),
        )
        for i, utter in enumerate(sorted(said, key=lambda each: each.at))
        for _ in range(random.choice((0, 1, 1, 2)))
        if utter.restricted
    ]
    return replace(plan, said=said, rulings=tuple(rulings))


def _encrypted(plan: Plan, random: Random) -> Plan:
    """In a third of the runs some groups are encrypted; not each of their messages is."""
    if random.random() > 1 / 3:
        return plan
    keys = tuple(_key(random) for _ in range(random.randint(1, 4)))
    shut = {group for group in range(plan.groups) if random.random() < 0.7}
    said = tuple(
        replace(utter, key=random.randrange(len(keys)))
        if utter.group in shut and random.random() < 0.9
        else utter
        for utter in plan.said
    )
    return replace(plan, said=said, keys=keys)


def _key(random: Random) -> Key:
    fate = random.choice((*KeyFate, KeyFate.WITH, KeyFate.AFTER))
    spans = ((0.0, 1.0), (0.5, 12.0), (20.0, 60.0))
    return Key(fate=fate, after=random.uniform(*random.choice(spans)))


def _utter(random: Random, length: float, groups: int) -> Utter:
    media: tuple[Medium, ...] = ()
    if random.random() < 0.25:
        media = tuple(_medium(random) for _ in range(random.choice((1, 1, 2))))
    return Utter(
        at=random.uniform(0.0, length),
        group=random.randrange(groups),
        outcome=random.choice((*Outcome, Outcome.CAPTURE, Outcome.DISCARD, None)),
        timer=random.choice(TIMERS),
        backdated=random.choice((0.0, 0.0, 0.0, 2.0, 100.0)),
        leans=random.choice((0, 0, 1, 2)),
        restricted=random.random() < 0.05,
        media=media,
    )


def _medium(random: Random) -> Medium:
    return Medium(fate=random.choice(tuple(MediumFate)), after=random.uniform(0.5, 25.0))


def _fault(random: Random, length: float) -> Fault:
    kind = random.choice((*FaultKind, FaultKind.KILL, FaultKind.KILL))
    seconds = random.choice((random.uniform(0.1, 3.0), random.uniform(1.0, 15.0)))
    if kind is FaultKind.CLOCK:
        seconds = random.choice(STEPS)
    elif random.random() < 0.03:
        seconds = random.uniform(20.0, 100.0)
    return Fault(at=random.uniform(0.0, length), kind=kind, seconds=seconds)


def _acts(random: Random, length: float, groups: int) -> tuple[Act, ...]:
    """In a third of the runs one group is not recorded all the time; in many a timer changes."""
    story = random.choice(
        (
            (ActKind.KICK, ActKind.INVITE),
            (ActKind.PAUSE, ActKind.RESUME),
            (ActKind.CLOSE,),
            *((),) * 6,
        )
    )
    times = sorted(random.uniform(0.0, length) for _ in story)
    group = random.randrange(groups)
    acts = [Act(at=at, group=group, kind=kind) for at, kind in zip(times, story, strict=True)]
    for _ in range(random.choice((0, 0, 1, 3))):
        at, timer = random.uniform(0.0, length), random.choice(TIMERS)
        changed = random.randrange(groups)
        acts.append(Act(at=at, group=changed, kind=ActKind.TIMER, timer=timer))
    return tuple(acts)
