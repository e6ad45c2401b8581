"""What the settings say of groups: which are listed, how long records stay, what a notice says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from bridge.admission import ListedGroup
from bridge.app.listed import particulars_of
from bridge.app.policies import policy_of
from bridge.app.reading import as_config_error
from bridge.console.schedule import RetentionClass, Schedule
from bridge.errors import ConfigError
from bridge.model import Group, GroupState, Stream
from bridge.notices import LONGEST, Notice, NoticeFacts, Template
from bridge.protocols import Connector
from bridge.reconcile import Lifetimes
from bridge.seal import Retention
from bridge.undecided import BEFORE
from config.secrets import read_public
from config.settings import Settings

FILLED = 4096
"""Notices that are kept as filled: they are compared twice a second with what groups were told."""


def retentions(settings: Settings) -> Callable[[Stream], Retention]:
    """The retention of a stream's group."""
    review = timedelta(days=settings.store.review_days)
    classes = classes_of(settings)

    def retention(stream: Stream) -> Retention:
        days = classes.of(stream.connector, stream.group_id, stream.retention).days
        return Retention(records=None if days is None else timedelta(days=days), review=review)

    return retention


def listed_groups(settings: Settings, connectors: Mapping[str, Connector]) -> Sequence[ListedGroup]:
    """The groups that the settings file approves."""
    return [
        ListedGroup(
            connector=group.connector,
            platform=connectors[group.connector].platform,
            group_id=group.id,
            name=group.name,
            capture_all=group.capture_all,
            particulars=particulars_of(group),
        )
        for group in settings.groups
    ]


def platforms_of(settings: Settings) -> Mapping[str, str]:
    """The platform of each connector."""
    matrix = {account.name: "matrix" for account in settings.matrix}
    return matrix | {bot.name: "telegram" for bot in settings.telegram}


def notices(settings: Settings) -> Callable[[Group], Notice]:
    """The notice of a group.

    Raises:
        ConfigError: the text cannot be read, filled or posted.
    """
    with as_config_error():
        own = read_public(settings.notice.text_file) if settings.notice.text_file else None
    template = Template.of(settings.notice.language, own)
    policy = policy_of(settings)
    overrides: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
    for each in settings.overrides:
        said = (*overrides.get((each.connector, each.group), ()), (each.outcome, each.code))
        overrides[each.connector, each.group] = said
    everything = settings.policy.capture_all or policy.capture_all
    classes = classes_of(settings)
    filled = lru_cache(maxsize=FILLED)(template.filled)

    def notice(group: Group) -> Notice:
        given = group.particulars.retention
        facts = NoticeFacts(
            department=settings.service.department,
            contact=settings.notice.contact,
            retention_days=classes.of(group.connector, group.group_id, given).days,
            discard_days=settings.policy.discard_after_days,
            group=group.name,
            owner=group.particulars.owner,
            policy=policy.label,
            capture_all=everything or group.capture_all,
            overrides=overrides.get((group.connector, group.group_id), ()),
            timer=group.timer.seconds if group.timer else None,
        )
        return filled(facts)

    # Tried once with no group at all, so that a text that cannot be filled stops the start.
    nobody = Group(connector="", platform="", group_id="", name=None, state=GroupState.PROPOSED)
    if (length := len(notice(nobody).text)) > LONGEST:
        raise ConfigError(
            f"[notice] gives a notice of {length} characters; platforms take {LONGEST}.",
            hint="Shorten text_file, contact or [service] department.",
        )
    return notice


def lifetimes(settings: Settings) -> Lifetimes:
    """How long each object stays, as the writer and the scribe ask it of the store."""
    days = settings.longest_retention()
    return Lifetimes(
        records=retentions(settings),
        documents=None if days is None else timedelta(days=days),
    )


def descriptions(settings: Settings) -> Callable[[str], str]:
    """What the policy in force says of a reason code; empty for one it does not know."""
    return policy_of(settings).described


def review_time(settings: Settings) -> timedelta:
    """How long a review is left to people, with the week before its end: the policy's time or less.

    A policy that wants a decision sooner than the store would forget is followed.
    """
    kept = timedelta(days=settings.store.review_days)
    within = policy_of(settings).decide_within_days
    return kept if within is None else min(kept, timedelta(days=within) + BEFORE)


def schedule_of(settings: Settings) -> Schedule:
    """The classes of retention, which groups are in each, and the time that reviews have."""
    review = max(review_time(settings) - BEFORE, timedelta(0))
    return replace(classes_of(settings), review=review)


def classes_of(settings: Settings) -> Schedule:
    """The classes of retention, and which groups the settings put into each."""
    return Schedule(
        usual=RetentionClass(name="", days=settings.store.retention_days),
        classes=tuple(
            RetentionClass(name=each.name, days=each.days, authority=each.authority or "")
            for each in settings.retention
        ),
        named={
            (group.connector, group.id): group.retention
            for group in settings.groups
            if group.retention is not None
        },
    )
