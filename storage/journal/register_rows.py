"""Rows of the register, as SQL has them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.model import Group, GroupState, NoticeState, Particulars, Presence, Timer
from storage.journal.rows import from_ms, sayable, to_ms


class GroupRow(msgspec.Struct, array_like=True, frozen=True):
    """A row of ``register``."""

    connector: str
    platform: str
    group_id: str
    name: str | None
    state: str
    notice: str
    presence: str | None
    note: str
    capture_all: int
    listed: int
    notices: int
    timer_seconds: float | None
    timer_basis: str | None
    owner: str | None
    purpose: str | None
    retention: str | None
    dpia: str | None
    device_type: str | None
    proposed_by: str | None
    approved_by: str | None
    approved_at: int | None
    notice_version: str | None
    notice_at: int | None
    newcomer_at: int | None
    newcomers_told_at: int | None

    def group(self) -> Group:
        """The row as a value."""
        return Group(
            connector=self.connector,
            platform=self.platform,
            group_id=self.group_id,
            name=self.name,
            state=GroupState(self.state),
            notice=NoticeState(self.notice),
            presence=Presence(self.presence) if self.presence else None,
            note=self.note,
            capture_all=bool(self.capture_all),
            listed=bool(self.listed),
            notices=self.notices,
            timer=self._timer(),
            particulars=self._particulars(),
            proposed_by=self.proposed_by,
            approved_by=self.approved_by,
            approved_at=_maybe_from_ms(self.approved_at),
            notice_version=self.notice_version,
            notice_at=_maybe_from_ms(self.notice_at),
            newcomer_at=_maybe_from_ms(self.newcomer_at),
            newcomers_told_at=_maybe_from_ms(self.newcomers_told_at),
        )

    def _particulars(self) -> Particulars:
        return Particulars(
            owner=self.owner,
            purpose=self.purpose,
            retention=self.retention,
            dpia=self.dpia,
            device_type=self.device_type,
        )

    def _timer(self) -> Timer | None:
        if self.timer_seconds is None:
            return None
        return Timer(seconds=self.timer_seconds, basis=self.timer_basis or "")


def group_values(group: Group) -> tuple[int | float | str | None, ...]:
    """The parameters of ``register_put``."""
    return (
        group.connector,
        group.platform,
        group.group_id,
        _maybe_sayable(group.name),
        group.state.value,
        group.notice.value,
        group.presence.value if group.presence else None,
        sayable(group.note),
        int(group.capture_all),
        int(group.listed),
        group.notices,
        *timer_values(group.timer),
        _maybe_sayable(group.particulars.owner),
        _maybe_sayable(group.particulars.purpose),
        _maybe_sayable(group.particulars.retention),
        _maybe_sayable(group.particulars.dpia),
        _maybe_sayable(group.particulars.device_type),
        _maybe_sayable(group.proposed_by),
        _maybe_sayable(group.approved_by),
        _maybe_to_ms(group.approved_at),
        group.notice_version,
        _maybe_to_ms(group.notice_at),
        _maybe_to_ms(group.newcomer_at),
        _maybe_to_ms(group.newcomers_told_at),
    )


def _maybe_sayable(text: str | None) -> str | None:
    return None if text is None else sayable(text)


def _maybe_to_ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def _maybe_from_ms(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def timer_values(timer: Timer | None) -> tuple[float | None, str | None]:
    """The two columns that hold a timer."""
    if timer is None:
        return None, None
    return float(timer.seconds), sayable(timer.basis)
