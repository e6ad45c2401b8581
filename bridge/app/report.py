"""What ``status`` says, in the shape that others read (``docs/formats.md``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from bridge.app.adapters import LOG_FILE, open_journal
from bridge.app.backed_up import BackupReport, backup_report
from bridge.app.listed import class_names, particulars_of
from bridge.app.probes import StoreReport, store_report
from bridge.app.reading import VERSION
from bridge.canonical import rfc3339
from bridge.clock import SystemClock
from bridge.errors import JournalSchemaError, JournalUnavailableError
from bridge.health_file import FILE, Health, read_health
from bridge.model import Group, GroupState
from bridge.protocols import Clock, Tally, TallyGroup, UnopenedGroup
from config.settings import Settings
from storage.journal import SqliteJournal
from storage.translog.heads import Shown, published_size

LOOKS = 20
LOOK_PAUSE = 0.1
KEYS_TRAVEL = timedelta(minutes=1)
"""A key may well come after its message: so long that is no concern."""

NOT_RUNNING = "muniment run is not running: nothing is recorded."


class UnopenedReport(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a group that are still encrypted: how many, since when, and what is in the way.

    Those that became a gap are not among them.
    """

    count: int
    oldest_at: str
    why: str


class GroupReport(msgspec.Struct, frozen=True, kw_only=True):
    """One group. ``seen`` is the sum of captured, review, discarded and undecided.

    ``timer``: seconds after which a message said now disappears. ``unopened`` has an item for each
    thing that is in the way.
    """

    connector: str
    id: str
    name: str | None
    state: str
    seen: int
    captured: int
    review: int
    discarded: int
    undecided: int
    stored: int
    gaps: int
    late: int
    last_event_at: str | None
    notice: str
    note: str
    timer: float | None = None
    owner: str | None = None
    purpose: str | None = None
    retention: str | None = None
    dpia: str | None = None
    device_type: str | None = None
    capture_all: bool = False
    unopened: list[UnopenedReport] = []


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The groups added up. ``unlisted`` counts events of groups that are not approved."""

    seen: int
    captured: int
    review: int
    discarded: int
    undecided: int
    stored: int
    gaps: int
    late: int
    unlisted: int
    unopened: int = 0


class JournalReport(msgspec.Struct, frozen=True, kw_only=True):
    """The journal by states, and the responses that could not be split."""

    entries_by_state: dict[str, int]
    unsplit: int


class AnchorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for the log from outside: a witness or a time-stamping authority.

    ``at``: the time of its newest proof. ``trouble`` is empty while its last answer was good.
    """

    kind: str
    name: str
    at: str | None
    trouble: str


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """The published log: its leaves, its last checkpoint and who signed it, what waits."""

    size: int
    checkpoint_at: str | None = None
    signed_by: list[str] = []
    waiting: int = 0
    anchors: list[AnchorReport] = []


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``status --json``."""

    groups: list[GroupReport]
    totals: Totals
    journal: JournalReport
    downloads: dict[str, int]
    log: LogReport
    overdue: int
    alarms: list[str]
    capture_delay: float | None = None
    backup: BackupReport = BackupReport()
    store: StoreReport | msgspec.UnsetType = msgspec.UNSET
    version: str = VERSION


async def status_of(settings: Settings) -> StatusReport:
    """The status, from the journal and from what a running ``run`` says of itself.

    Raises:
        JournalError: the journal is there and cannot be read.
        LogError: ``log.db`` is there and cannot be read.
    """
    clock = SystemClock()
    health = await asyncio.to_thread(read_health, settings.service.data_dir / FILE, now=clock.now())
    try:
        journal = await _looked_into(settings, clock)
    except JournalUnavailableError:
        if await asyncio.to_thread((settings.service.data_dir / "journal.db").exists):
            raise
        tally = _nothing(settings)
    else:
        try:
            tally = await journal.tally(now=clock.now())
        finally:
            await journal.aclose()
    shown = await published_size(settings.service.data_dir / LOG_FILE)
    alarms = list(health.alarms) if health is not None else [NOT_RUNNING]
    delay = health.capture_delay if health is not None else None
    concerns = _concerns(tally, clock.now()) + _lost_classes(settings, tally)
    log = _log(tally, shown, _anchors(health))
    report = msgspec.structs.replace(
        _report(tally, log, alarms + concerns, capture_delay=delay),
        backup=await asyncio.to_thread(backup_report, settings, clock.now()),
    )
    told = await asyncio.to_thread(store_report, settings, clock.now())
    return report if told is None else msgspec.structs.replace(report, store=told)


def _anchors(health: Health | None) -> list[AnchorReport]:
    """As a running ``run`` knows it; nobody asks while none runs."""
    return [
        AnchorReport(
            kind=each.kind,
            name=each.name,
            at=rfc3339(each.at) if each.at else None,
            trouble=each.trouble,
        )
        for each in (health.anchors if health is not None else ())
    ]


def _log(tally: Tally, shown: Shown | None, anchors: list[AnchorReport]) -> LogReport:
    if shown is None:
        return LogReport(size=0, waiting=tally.leaves, anchors=anchors)
    return LogReport(
        size=shown.size,
        checkpoint_at=rfc3339(shown.at),
        signed_by=list(shown.signed_by),
        waiting=max(tally.leaves - shown.size, 0),
        anchors=anchors,
    )


async def _looked_into(settings: Settings, clock: Clock) -> SqliteJournal:
    """The journal; one that a starting ``run`` is just making or migrating is waited for."""
    for _ in range(LOOKS):
        try:
            return await open_journal(settings, clock, look=True)
        except (JournalUnavailableError, JournalSchemaError):
            if not await asyncio.to_thread((settings.service.data_dir / "journal.db").exists):
                raise
            await clock.sleep(LOOK_PAUSE)
    return await open_journal(settings, clock, look=True)


def _nothing(settings: Settings) -> Tally:
    """The status before the first start: what the file lists, and zeros."""
    listed = (
        Group(
            connector=group.connector,
            platform="",
            group_id=group.id,
            name=group.name,
            state=GroupState.APPROVED,
            particulars=particulars_of(group),
            capture_all=group.capture_all,
        )
        for group in settings.groups
    )
    return Tally(
        groups=tuple(TallyGroup(group=group) for group in listed),
        entries_by_state=(),
        downloads=(),
        leaves=0,
        overdue=0,
        unlisted=0,
        unsplit=0,
    )


def _concerns(tally: Tally, now: datetime) -> list[str]:
    found = []
    if tally.overdue:
        found.append(f"{tally.overdue} messages are overdue: past safe_by and not stored.")
    if tally.unsplit:
        found.append(f"{tally.unsplit} responses of a platform could not be split; they are kept.")
    found += _unopened(tally, now)
    deaf = {GroupState.NOT_RECORDING, GroupState.REMOVED}
    found += [
        f"{each.group.name or each.group.group_id} is {each.group.state.value}: {each.group.note}."
        for each in tally.groups
        if each.group.state in deaf
    ]
    return found


def _lost_classes(settings: Settings, tally: Tally) -> list[str]:
    """A sentence for each group whose class of retention the settings no longer have."""
    known = class_names(settings)
    return [
        f"{each.group.name or each.group.group_id} has the class of retention"
        f' "{each.group.particulars.retention}", which the settings do not have: its records are'
        " kept as long as the longest class says."
        for each in tally.groups
        if each.group.particulars.retention is not None
        and each.group.particulars.retention not in known
        and each.group.state is not GroupState.CLOSED
    ]


def _unopened(tally: Tally, now: datetime) -> Iterator[str]:
    """A sentence for each group whose messages wait for keys longer than keys travel."""
    for each in tally.groups:
        waiting = [one for one in tally.unopened if _is_of(one, each.group)]
        if not waiting or now - min(one.oldest for one in waiting) < KEYS_TRAVEL:
            continue
        count = sum(one.count for one in waiting)
        since = rfc3339(min(one.oldest for one in waiting))
        reasons = "; ".join(dict.fromkeys(one.why.rstrip(".") for one in waiting if one.why))
        yield (
            f"{count} messages of {each.group.name or each.group.group_id} are still encrypted, "
            f"the oldest since {since}{': ' if reasons else ''}{reasons}."
        )


def _is_of(unopened: UnopenedGroup, group: Group) -> bool:
    return (unopened.connector, unopened.group_id) == (group.connector, group.group_id)


def _report(
    tally: Tally, log: LogReport, alarms: list[str], *, capture_delay: float | None
) -> StatusReport:
    total = _totals(tally)
    return StatusReport(
        groups=[_group(each, tally.unopened) for each in tally.groups],
        totals=Totals(
            seen=_seen(total),
            captured=total.captured,
            review=total.review,
            discarded=total.discarded,
            undecided=total.undecided,
            stored=total.stored,
            gaps=total.gaps,
            late=total.late,
            unlisted=tally.unlisted,
            unopened=sum(each.count for each in tally.unopened),
        ),
        journal=JournalReport(entries_by_state=dict(tally.entries_by_state), unsplit=tally.unsplit),
        downloads=dict(tally.downloads),
        log=log,
        overdue=tally.overdue,
        alarms=alarms,
        capture_delay=capture_delay,
    )


def _totals(tally: Tally) -> TallyGroup:
    nobody = Group(connector="", platform="", group_id="", name=None, state=GroupState.PROPOSED)
    total = TallyGroup(group=nobody)
    for each in tally.groups:
        total = replace(
            total,
            captured=total.captured + each.captured,
            review=total.review + each.review,
            discarded=total.discarded + each.discarded,
            undecided=total.undecided + each.undecided,
            stored=total.stored + each.stored,
            gaps=total.gaps + each.gaps,
            late=total.late + each.late,
        )
    return total


def _seen(tally: TallyGroup) -> int:
    return tally.captured + tally.review + tally.discarded + tally.undecided


def _group(tally: TallyGroup, unopened: Sequence[UnopenedGroup]) -> GroupReport:
    group = tally.group
    last = tally.last_event_at
    return GroupReport(
        connector=group.connector,
        id=group.group_id,
        name=group.name,
        state=group.state.value,
        seen=_seen(tally),
        captured=tally.captured,
        review=tally.review,
        discarded=tally.discarded,
        undecided=tally.undecided,
        stored=tally.stored,
        gaps=tally.gaps,
        late=tally.late,
        last_event_at=rfc3339(last) if last else None,
        notice=group.notice.value,
        note=group.note,
        timer=group.timer.seconds if group.timer else None,
        owner=group.particulars.owner,
        purpose=group.particulars.purpose,
        retention=group.particulars.retention,
        dpia=group.particulars.dpia,
        device_type=group.particulars.device_type,
        capture_all=group.capture_all,
        unopened=[
            UnopenedReport(count=one.count, oldest_at=rfc3339(one.oldest), why=one.why)
            for one in unopened
            if _is_of(one, group)
        ],
    )
