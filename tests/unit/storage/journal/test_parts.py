"""The journal's small parts: the cipher and the leases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import JournalKeyError
from bridge.model import Attachment, Event
from storage.journal.cipher import JournalCipher
from storage.journal.leases import Leases
from storage.journal.rows import from_ms, to_ms
from tests.fakes.samples import JOURNAL_KEY, NOW, attachment, event, seeded

ANY_TEXT = st.text(st.characters(codec=None), max_size=20)


def _cipher(key: bytes = JOURNAL_KEY) -> JournalCipher:
    return JournalCipher(key, seeded())


@given(body=ANY_TEXT, name=ANY_TEXT, raw=st.binary(max_size=20), size=st.integers())
def test_any_event_comes_back(body: str, name: str, raw: bytes, size: int) -> None:
    """Whatever text, bytes and numbers an event holds, it reads back as it was."""
    cipher = _cipher()
    made = event(f"${name}", body=body, raw=raw, attachments=[attachment(name, size=size)])
    sealed = cipher.seal(made, column="payload", row=b"1")
    assert cipher.open(sealed, Event, column="payload", row=b"1") == made


@given(ANY_TEXT)
def test_any_text_comes_back(text: str) -> None:
    """A text alone is told from a value in another encoding."""
    cipher = _cipher()
    assert cipher.open(cipher.seal(text, column="c", row=b""), str, column="c", row=b"") == text


def test_the_same_value_never_looks_the_same() -> None:
    """Equal values are not equal on the disk."""
    cipher = _cipher()
    first, second = (cipher.seal("x", column="c", row=b"1") for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("key", "column", "row"),
    [(bytes(32), "c", b"1"), (JOURNAL_KEY, "d", b"1"), (JOURNAL_KEY, "c", b"2")],
)
def test_a_value_opens_in_its_own_place(key: bytes, column: str, row: bytes) -> None:
    """Another key, column or row opens nothing."""
    sealed = _cipher().seal(attachment(), column="c", row=b"1")
    with pytest.raises(JournalKeyError):
        _cipher(key).open(sealed, Attachment, column=column, row=row)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(28)])
def test_what_is_no_ciphertext_opens_nothing(sealed: bytes) -> None:
    """Bytes that were never sealed are damage."""
    with pytest.raises(JournalKeyError):
        _cipher().open_bytes(sealed, column="c", row=b"")


def test_times_are_kept_to_the_millisecond() -> None:
    """A moment is rounded down, before 1970 too, and comes back in UTC."""
    early = from_ms(0) - timedelta(microseconds=1)
    assert from_ms(to_ms(early)) == from_ms(-1)
    assert from_ms(to_ms(NOW + timedelta(microseconds=1999))) == NOW + timedelta(milliseconds=1)


async def test_what_is_given_back_meanwhile_is_not_taken() -> None:
    """Who chooses from what it read earlier does not take what was held at that time."""
    leases = Leases()
    leases.take([1])
    async with leases.choosing() as taken:
        leases.give_back([1])
        leases.take([2])
        assert taken == {1, 2}
    async with leases.choosing() as taken:
        assert taken == {2}


async def test_choosing_is_one_at_a_time() -> None:
    """Who chooses next knows what the one before has taken."""
    leases = Leases()
    chosen: list[int] = []

    async def choose() -> None:
        async with leases.choosing() as taken:
            await asyncio.sleep(0)
            free = next(number for number in range(9) if number not in taken)
            leases.take([free])
            chosen.append(free)

    await asyncio.gather(*(choose() for _ in range(5)))
    assert chosen == [0, 1, 2, 3, 4]
