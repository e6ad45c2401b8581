"""From what a platform delivers to what stands in the store: receive, judge, seal, store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from bridge import deadlines, keys
from bridge.app.adapters import FILE_WORKERS, S3_WORKERS
from bridge.app.opened import Opened
from bridge.app.reading import VERSION, as_config_error
from bridge.app.rules import retentions
from bridge.capture import Capture
from bridge.downloads import Downloads
from bridge.errors import JournalUnavailableError
from bridge.health import Alarm
from bridge.model import GroupState
from bridge.opening import Opening
from bridge.pressure import Measure, Pressure
from bridge.protocols import Classifier, Connector
from bridge.rounds import Turns
from bridge.seal import Keeper, Sealer
from bridge.supervise import Loop
from bridge.triage import Triage
from bridge.writer import Writer
from config.secrets import read_key
from storage.journal import SqliteJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a message goes through. ``keeper`` puts single records, for whoever may."""

    captures: tuple[Capture, ...]
    openings: tuple[Opening, ...]
    triage: Triage
    keeper: Keeper
    writer: Writer
    downloads: Downloads
    pressure: Pressure
    classifier: Classifier
    journal: SqliteJournal = field(repr=False)
    blind_key: bytes = field(repr=False)

    def turns(self) -> Iterator[tuple[str, Turns]]:
        """Of the loops without which nothing is recorded, by their names."""
        for capture in self.captures:
            yield f"capture {capture.name}", capture.turns
        yield "triage", self.triage.turns
        yield "writer", self.writer.turns

    @property
    def inlets(self) -> tuple[str, ...]:
        """The loops by which something new comes in; they stop first."""
        captures = (f"capture {capture.name}" for capture in self.captures)
        return (*captures, *(f"opening {opening.name}" for opening in self.openings))

    def loops(self) -> Iterator[tuple[str, Loop]]:
        """Every loop by its name."""
        for capture in self.captures:
            yield f"capture {capture.name}", capture.run
        for opening in self.openings:
            yield f"opening {opening.name}", opening.run
        yield "pressure", self.pressure.run
        yield "downloads", self.downloads.run
        yield "triage", self.triage.run
        yield "writer", self.writer.run

    def troubles(self) -> Iterator[tuple[str, str, str]]:
        """Part, kind of trouble, and the sentence, which is empty where all is well."""
        for capture in self.captures:
            yield capture.name, "not receiving", capture.health
        for opening in self.openings:
            yield opening.name, "not opening", opening.health
            for what in opening.decrypter.troubles:
                yield opening.name, "keys", what
        yield "messages", "not judged", self.triage.health
        yield "messages", "model missing", self.classifier.alarm
        yield "store", "not storing", self.writer.health
        yield "attachments", "waiting", self.pressure.health
        if self.journal.damaged:
            what = f"{self.journal.damaged} entries of the journal do not open."
            yield "journal", "damaged", what

    async def outrun(self) -> list[Alarm]:
        """Groups whose messages may disappear before they are stored."""
        delay = self.writer.capture_delay
        if delay is None:
            return []
        with suppress(JournalUnavailableError):  # the parts that need it say so
            return [
                Alarm(
                    part="groups",
                    trouble="timer too short",
                    sentence=f"{group.name or group.group_id}: its timer of"
                    f" {group.timer.seconds:g} s is shorter than recording safely takes,"
                    f" {delay.total_seconds():.1f} s lately; messages may disappear before they are"
                    " stored.",
                    subject=keys.group_gid(self.blind_key, group.platform, group.group_id),
                )
                for group in await self.journal.groups()
                if group.state is GroupState.ACTIVE
                and group.timer is not None
                and deadlines.outruns(group.timer, delay)
            ]
        return []


def recording_of(opened: Opened) -> Recording:
    """Wire these parts.

    Raises:
        ConfigError: the blinding key cannot be read.
    """
    settings, journal, clock = opened.settings, opened.journal, opened.clock
    keeper = Keeper(
        journal=journal,
        store=opened.store,
        spool=opened.spool,
        clock=clock,
        tenant=settings.service.tenant,
        retention=retentions(settings),
    )
    s3 = settings.store.location.folder is None
    captures = _captures_of(opened)
    with as_config_error():
        blind_key = read_key(settings.keys.blind_key_file)
    triage = _triage_of(opened, blind_key)
    downloads = Downloads(
        journal=journal,
        spool=opened.spool,
        connectors=opened.connectors,
        clock=clock,
        media_max_bytes=settings.spool.media_max_bytes,
    )
    return Recording(
        captures=captures,
        openings=_openings_of(opened, captures),
        triage=triage,
        keeper=keeper,
        writer=Writer(
            journal=journal, keeper=keeper, clock=clock, workers=S3_WORKERS if s3 else FILE_WORKERS
        ),
        downloads=downloads,
        pressure=_pressure_of(opened, triage, downloads),
        classifier=opened.classifier,
        journal=journal,
        blind_key=blind_key,
    )


def _captures_of(opened: Opened) -> tuple[Capture, ...]:
    notice = opened.settings.notice
    return tuple(
        Capture(
            connector=connector,
            journal=opened.journal,
            clock=opened.clock,
            interruption_seconds=notice.interruption_seconds,
            language=notice.language,
        )
        for connector in opened.connectors.values()
    )


def _openings_of(opened: Opened, captures: tuple[Capture, ...]) -> tuple[Opening, ...]:
    """One for each connector with keys; it is woken by what its capture journals."""
    found = []
    for capture in captures:
        decrypter = opened.connectors[capture.name].decrypter
        if decrypter is None:
            continue
        opening = Opening(
            connector=capture.name, decrypter=decrypter, journal=opened.journal, clock=opened.clock
        )
        capture.on_batch = opening.wake
        found.append(opening)
    return tuple(found)


def _triage_of(opened: Opened, blind_key: bytes) -> Triage:
    return Triage(
        journal=opened.journal,
        classifier=opened.classifier,
        sealer=Sealer(
            journal=opened.journal,
            blind_key=blind_key,
            random_bytes=os.urandom,
            clock=opened.clock,
            version=VERSION,
        ),
        clock=opened.clock,
        capture_all=opened.settings.policy.capture_all,
        window=timedelta(minutes=opened.settings.policy.context_minutes),
        audit_percent=opened.settings.policy.audit_percent,
    )


def _pressure_of(opened: Opened, triage: Triage, downloads: Downloads) -> Pressure:
    connectors: tuple[Connector, ...] = tuple(opened.connectors.values())

    def make_way(measures: frozenset[Measure]) -> None:
        for connector in connectors:
            connector.pause_backfill(paused=Measure.LIVE_FIRST in measures)
        triage.hurried = Measure.NO_WAITING in measures
        downloads.paused = Measure.TEXTS_FIRST in measures

    return Pressure(
        journal=opened.journal,
        spool=opened.spool,
        clock=opened.clock,
        lag=lambda: triage.lag,
        take=make_way,
        sweep=downloads.sweep,
        language=opened.settings.notice.language,
    )
