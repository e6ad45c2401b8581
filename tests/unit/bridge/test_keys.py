"""Names of objects and streams: their formats, and what never stands in them."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import keys
from bridge.keys import RecordName

ALLOWED = re.compile(r"[a-z0-9./_-]+")
RECORD = re.compile(
    r"(records|review)/([a-z]+)/([0-9a-f]{16})/(\d{4}/\d{2}/\d{2})"
    r"/(\d{9})-(\d{12,})-([0-9a-f]{16})\.json"
)
KEY = bytes(range(32))
NOW = datetime(2026, 3, 1, 9, 5, 7, 42_999, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=60)
MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def _name(n: int = 7, filed_at: datetime = NOW) -> RecordName:
    return RecordName(
        platform="matrix", gid="00112233445566aa", filed_at=filed_at, n=n, id16="ffeeddccbbaa9988"
    )


def test_the_key_of_a_record() -> None:
    """Area, platform, group, day, and a stem of time, number and identity."""
    stem = "090507042-000000000007-ffeeddccbbaa9988"
    assert _name().stem == stem
    key = f"records/matrix/00112233445566aa/2026/03/01/{stem}.json"
    assert _name().record(keys.RECORDS) == key
    assert _name().record(keys.REVIEW) == key.replace("records/", "review/")
    assert keys.stem_of(key) == stem


def test_the_key_of_a_medium() -> None:
    """Media stand in a folder named after the record, beside it."""
    stem = _name().stem
    key = f"records/matrix/00112233445566aa/2026/03/01/media/{stem}/2"
    assert keys.media_object(stem, 2) == f"media/{stem}/2"
    assert keys.media_key(_name().record(keys.RECORDS), keys.media_object(stem, 2)) == key


def test_the_keys_of_manifests_and_acts() -> None:
    """Parts have six digits, acts twelve."""
    assert (
        keys.placed_key(keys.manifest_folder("00ff", "2026/03/01"), 3)
        == "manifests/00ff/2026/03/01/000003.json"
    )
    assert keys.placed_key(keys.act_folder(NOW), 12) == "acts/2026/03/01/000000000012.json"


def test_the_absolute_key() -> None:
    """Leaves digest a key from v1 on."""
    assert keys.absolute("demo", "acts/x.json") == "v1/demo/acts/x.json"


def _expected(*parts: str) -> str:
    return hmac.new(KEY, "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def test_blinded_names() -> None:
    """Stream and group are HMACs over platform, zero byte and group id; an id adds its revision."""
    assert keys.stream_id(KEY, "matrix", "!a:b") == _expected("matrix", "!a:b")[:16]
    assert keys.group_gid(KEY, "matrix", "!a:b") == _expected("matrix", "!a:b")[:16]
    ident = keys.identity(KEY, "s1", "$e", "u7")
    assert ident[:8].hex() == _expected("s1", "$e", "u7")[:16]
    assert keys.identity(KEY, "s1", "$e", None).hex() == _expected("s1", "$e", "")[:32]


@given(TEXTS, TEXTS, TEXTS)
def test_blinding_takes_any_text(platform: str, group_id: str, revision: str) -> None:
    """Lone surrogates and empty texts blind like any other, to sixteen hex digits."""
    for name in (keys.stream_id(KEY, platform, group_id), keys.group_gid(KEY, platform, group_id)):
        assert re.fullmatch(r"[0-9a-f]{16}", name)
    assert len(keys.identity(KEY, platform, group_id, revision)) == 16


def test_identity_tells_revisions_and_streams_apart() -> None:
    """The same id in another stream, or with another revision, is another event."""
    idents = {
        keys.identity(KEY, stream, upstream_id, revision)
        for stream in ("s1", "s2")
        for upstream_id in ("$1", "$2")
        for revision in (None, "decrypted", "media-0")
    }
    assert len(idents) == 12


@pytest.mark.parametrize(
    ("sent", "credible"),
    [
        (None, False),
        (datetime(1989, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), False),
        (datetime(1990, 1, 1, tzinfo=UTC), True),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (NOW - timedelta(days=4000), True),
        (NOW + timedelta(days=1), True),
        (NOW + timedelta(days=1, microseconds=1), False),
        (datetime.max.replace(tzinfo=UTC), False),
    ],
)
def test_the_time_a_record_is_filed_under(sent: datetime | None, *, credible: bool) -> None:
    """The message's own time, unless it is absent, before 1990 or over a day ahead."""
    assert keys.filed_at(sent_at=sent, observed_at=NOW) == (sent if credible else NOW)


@given(n=st.integers(0, 10**13), filed_at=MOMENTS, i=st.integers(0, 100))
def test_keys_use_only_the_allowed_characters_and_parse_back(
    n: int, filed_at: datetime, i: int
) -> None:
    """Every key has only [a-z0-9./_-], and gives back its day, time, number and identity."""
    name = _name(n, filed_at)
    for area in (keys.RECORDS, keys.REVIEW):
        key = name.record(area)
        assert ALLOWED.fullmatch(key)
        assert ALLOWED.fullmatch(keys.media_key(key, keys.media_object(name.stem, i)))
        match = RECORD.fullmatch(key)
        assert match is not None
        found_area, platform, gid, day, clock, number, id16 = match.groups()
        assert (found_area, platform, gid, id16) == (area, "matrix", name.gid, name.id16)
        assert int(number) == n
        parsed = datetime.strptime(f"{day} {clock}000", "%Y/%m/%d %H%M%S%f").replace(tzinfo=UTC)
        assert parsed == filed_at.replace(microsecond=filed_at.microsecond // 1000 * 1000)
        assert ".." not in key


@given(TEXTS, TEXTS)
def test_nothing_of_a_group_stands_in_a_key(group_id: str, upstream_id: str) -> None:
    """Whatever a platform calls a group or a message, its key has only digests of it."""
    stream = keys.stream_id(KEY, "matrix", group_id)
    name = RecordName(
        platform="matrix",
        gid=keys.group_gid(KEY, "matrix", group_id),
        filed_at=NOW,
        n=0,
        id16=keys.identity(KEY, stream, upstream_id, None)[:8].hex(),
    )
    assert RECORD.fullmatch(name.record(keys.RECORDS))
