"""What the settings say of groups: which are listed, how long records stay, what a notice says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from bridge.admission import ListedGroup
from bridge.app.policies import policy_of
from bridge.app.reading import as_config_error
from bridge.console.schedule import RetentionClass, Schedule
from bridge.model import Group, GroupState
from bridge.notices import NoticeFacts, notice_text
from bridge.protocols import Connector
from bridge.reconcile import Lifetimes
from bridge.seal import Retention
from bridge.undecided import BEFORE
from config.secrets import read_public
from config.settings import Settings


def retentions(settings: Settings) -> Callable[[str, str], Retention]:
    """The retention of a group, by connector and group id."""
    review = timedelta(days=settings.store.review_days)

    def retention(connector: str, group_id: str) -> Retention:
        days = settings.effective_retention(settings.group(connector, group_id))
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
        )
        for group in settings.groups
    ]


def notices(settings: Settings) -> Callable[[Group], str]:
    """The notice of a group.

    Raises:
        ConfigError: the text cannot be read or filled.
    """
    with as_config_error():
        own = read_public(settings.notice.text_file) if settings.notice.text_file else None

    def notice(group: Group) -> str:
        listed = settings.group(group.connector, group.group_id)
        facts = NoticeFacts(
            department=settings.service.department,
            contact=settings.notice.contact,
            retention_days=settings.effective_retention(listed),
            discard_days=settings.policy.discard_after_days,
        )
        return notice_text(facts, language=settings.notice.language, own_text=own)

    # Tried once with no group at all, so that a text that cannot be filled stops the start.
    nobody = Group(connector="", platform="", group_id="", name=None, state=GroupState.PROPOSED)
    notice(nobody)
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
    said = {name: code.description for name, code in policy_of(settings).codes.items()}
    return lambda code: said.get(code, "")


def review_time(settings: Settings) -> timedelta:
    """How long a review is left to people, with the week before its end: the policy's time or less.

    A policy that wants a decision sooner than the store would forget is followed.
    """
    kept = timedelta(days=settings.store.review_days)
    within = policy_of(settings).decide_within_days
    return kept if within is None else min(kept, timedelta(days=within) + BEFORE)


def schedule_of(settings: Settings) -> Schedule:
    """The classes of retention, which groups are in each, and the time that reviews have."""
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
        review=max(review_time(settings) - BEFORE, timedelta(0)),
    )
