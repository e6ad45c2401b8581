"""What people order and are told: groups, notices, commands, decisions, holds, destruction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from bridge.admission import Admission
from bridge.app.listed import class_names
from bridge.app.opened import Opened
from bridge.app.parts.recording import Recording
from bridge.app.rules import descriptions, listed_groups, notices, review_time
from bridge.commands import Commands
from bridge.decisions import Decisions
from bridge.forget import Forget
from bridge.holds import HoldActs, StoreHolds
from bridge.speech import Speech
from bridge.supervise import Loop
from bridge.undecided import Undecided


@dataclass(frozen=True, slots=True, kw_only=True)
class Governing:
    """Who may be recorded, and what becomes of what was recorded."""

    admission: Admission
    speech: Speech
    commands: Commands
    decisions: Decisions
    undecided: Undecided
    hold_acts: HoldActs
    store_holds: StoreHolds | None
    forget: Forget

    inlets = ("admission", "speech", "commands", "decisions", "holds")
    """The loops by which something new comes in; they stop first."""

    def loops(self) -> Iterator[tuple[str, Loop]]:
        """Every loop by its name."""
        yield "admission", self.admission.run
        yield "speech", self.speech.run
        yield "commands", self.commands.run
        yield "decisions", self.decisions.run
        yield "undecided", self.undecided.run
        yield "holds", self.hold_acts.run
        if self.store_holds is not None:
            yield "store holds", self.store_holds.run
        yield "forget", self.forget.run

    def troubles(self) -> Iterator[tuple[str, str, str]]:
        """Part, kind of trouble, and the sentence, which is empty where all is well."""
        yield "groups", "not kept", self.admission.health
        yield "groups", "not told", self.speech.health
        yield "commands", "not answered", self.commands.health
        yield "decisions", "not carried out", self.decisions.health
        yield "reviews", "not decided", self.undecided.health
        yield "holds", "not taken up", self.hold_acts.health
        if self.store_holds is not None:
            yield "store", "not holding", self.store_holds.health
        yield "discards", "not destroyed", self.forget.health


def governing_of(opened: Opened, recording: Recording) -> Governing:
    """Wire these parts."""
    settings, journal, clock = opened.settings, opened.journal, opened.clock
    undecided = Undecided(
        journal=journal,
        clock=clock,
        holds=opened.holds,
        review=review_time(settings),
        revise=recording.triage.revise,
    )
    return Governing(
        admission=_admission_of(opened, recording),
        speech=Speech(journal=journal, connectors=opened.connectors, clock=clock),
        commands=Commands(
            journal=journal,
            clock=clock,
            describe=descriptions(settings),
            language=settings.notice.language,
        ),
        decisions=Decisions(
            journal=journal,
            office=opened.office,
            clock=clock,
            random_bytes=os.urandom,
            revise=recording.triage.revise,
        ),
        undecided=undecided,
        hold_acts=HoldActs(
            journal=journal,
            holds=opened.holds,
            clock=clock,
            random_bytes=os.urandom,
            keep=undecided.keep_held,
        ),
        store_holds=_store_holds_of(opened),
        forget=Forget(
            journal=journal,
            spool=opened.spool,
            holds=opened.holds,
            clock=clock,
            discard_after=timedelta(days=settings.policy.discard_after_days),
            context_window=timedelta(minutes=settings.policy.context_minutes),
        ),
    )


def _admission_of(opened: Opened, recording: Recording) -> Admission:
    by_name = {capture.name: capture for capture in recording.captures}
    return Admission(
        journal=opened.journal,
        office=opened.office,
        connectors=opened.connectors,
        clock=opened.clock,
        random_bytes=os.urandom,
        listed=listed_groups(opened.settings, opened.connectors),
        notice=notices(opened.settings),
        received=lambda name: by_name[name].received,
        language=opened.settings.notice.language,
        classes=class_names(opened.settings),
    )


def _store_holds_of(opened: Opened) -> StoreHolds | None:
    if opened.legal_holds is None:
        return None
    return StoreHolds(
        journal=opened.journal, holds=opened.holds, store=opened.legal_holds, clock=opened.clock
    )
