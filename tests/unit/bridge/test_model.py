"""The values every part speaks in."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bridge import model
from bridge.model import Digest, Event, EventKind, require_utc
from tests.fakes import samples

VALUES = [each for each in vars(model).values() if isinstance(each, type) and is_dataclass(each)]
EAST = timezone(timedelta(hours=1))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_values_are_frozen_slotted_and_named(value: type) -> None:
    """No value can be changed, grow attributes, or be made from positions."""
    assert is_dataclass(value)
    assert all(field.kw_only for field in fields(value))
    assert "__slots__" in vars(value)
    with pytest.raises(FrozenInstanceError):
        setattr(object.__new__(value), fields(value)[0].name, None)


def test_a_digest_says_what_it_is() -> None:
    """SHA-256 of the empty text, known from the standard."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Digest.of(b"").hex == empty
    assert Digest.of(b"").algorithm == "sha256"
    assert Digest.of(b"") == Digest(value=bytes.fromhex(empty))
    assert Digest.of(b"a") != Digest(algorithm="sha512", value=Digest.of(b"a").value)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1),  # noqa: DTZ001 - naive is the point
        datetime(2026, 3, 1, tzinfo=EAST),
    ],
)
def test_times_are_utc(moment: datetime) -> None:
    """A naive time or one of another zone is refused by name, alone and in an event."""
    with pytest.raises(ValueError, match=r"^when must be an aware UTC time"):
        require_utc(moment, "when")
    with pytest.raises(ValueError, match=r"^observed_at must be"):
        samples.event(observed_at=moment)
    with pytest.raises(ValueError, match=r"^sent_at must be"):
        samples.event(sent_at=moment)


def test_a_zone_without_offset_is_utc() -> None:
    """Any zone that is UTC now will do."""
    require_utc(datetime(2026, 3, 1, tzinfo=timezone(timedelta(0))), "when")
    require_utc(datetime(2026, 3, 1, tzinfo=UTC), "when")


def test_content_does_not_show_in_a_representation() -> None:
    """Raw bytes and record bodies stay out of what a traceback or a log may print."""
    assert "SECRETS" not in repr(samples.event(body=None, raw=b"SECRETS"))
    sealed = model.SealedRecord(body=b"SECRETS", digest=Digest.of(b""), key="k")
    assert "SECRETS" not in repr(sealed)


def test_the_kinds_are_those_of_the_record_format() -> None:
    """The format lists twenty-one kinds, and no more are written."""
    listed = (
        "message, edit, redaction, reaction, poll, poll_answer, location, contact, sticker, call,"
        " membership, group, pin, timer, roster, notice, media, service, encrypted, unparsed,"
        " unknown"
    )
    assert [kind.value for kind in EventKind] == listed.split(", ")


def test_an_event_needs_only_what_every_platform_has() -> None:
    """Group, id, kind, time of observation and raw bytes are enough."""
    event = Event(
        group_id="g",
        upstream_id="1",
        kind=EventKind.UNKNOWN,
        observed_at=samples.NOW,
        raw=b"",
    )
    assert (event.sent_at, event.sender, event.attachments) == (None, None, ())
