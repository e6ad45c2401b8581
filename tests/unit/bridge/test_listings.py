"""What manifests, records and acts say, as the catalog lists it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.canonical.json import Json
from bridge.errors import CatalogError
from bridge.listings import act_of, listings_of, part_of
from bridge.protocols.catalog import Listing
from tests.archive import Archive, draft


@pytest.fixture(scope="module")
def archive() -> Archive:
    """An archive in memory."""
    return draft(seed=3, leaves=120)


@pytest.fixture(scope="module")
def bodies(archive: Archive) -> dict[str, bytes]:
    """Its objects."""
    return {stored.key: stored.body for stored in archive.objects}


@pytest.fixture(scope="module")
def parts(bodies: dict[str, bytes]) -> list[str]:
    """The keys of its manifest parts."""
    return sorted(key for key in bodies if key.startswith("manifests/"))


def every(bodies: dict[str, bytes], parts: list[str]) -> list[Listing]:
    """What all parts list."""
    return [one for key in parts for one in listings_of(key, bodies[key], bodies.get)]


def test_what_is_kept_comes_with_what_its_record_says(
    bodies: dict[str, bytes], parts: list[str]
) -> None:
    """And of what is not kept stands what the manifest says, no more."""
    listings = every(bodies, parts)
    kept = [each for each in listings if each.key is not None]
    assert kept
    assert all(each.kind is not None and not each.damaged for each in kept)
    for each in listings:
        if each.key is None:
            assert (each.body, each.sender_id, each.kind) == (None, None, None)


def test_a_part_can_be_listed_a_few_rows_at_a_time(
    bodies: dict[str, bytes], parts: list[str]
) -> None:
    """Together they are the whole."""
    for key in parts:
        part = part_of(key, bodies[key])
        some = [
            listing
            for start in range(0, len(part), 3)
            for listing in part.listings(bodies.get, slice(start, start + 3))
        ]
        assert tuple(some) == listings_of(key, bodies[key], bodies.get)
        assert part.records() == tuple(each.key for each in some if each.key is not None)


@pytest.mark.parametrize("instead", [None, b"{}", b"", b"\xff"])
def test_a_record_that_is_not_the_one_named_is_listed_as_damaged(
    bodies: dict[str, bytes], parts: list[str], instead: bytes | None
) -> None:
    """Nothing of what it says is believed."""
    whole = every(bodies, parts)
    one = next(each for each in whole if each.key is not None)
    broken = {**bodies}
    if instead is None:
        del broken[one.key or ""]
    else:
        broken[one.key or ""] = instead
    found = [each for each in every(broken, parts) if each.key == one.key]
    for each in found:
        assert each.damaged
        assert (each.body, each.sender_id, each.kind) == (None, None, None)
        assert replace(each, damaged=False).sha256 == one.sha256


def _planted(**fields: Json) -> bytes:
    """A manifest part of one row that is in order but for these fields."""
    row: dict[str, Json] = {
        "s": "aa66554433221100",
        "n": 1,
        "leaf": 0,
        "outcome": "discard",
        "reasons": [],
        "score": 0,
        "policy": "p",
        "model": "m",
    }
    document: Json = {"gid": "00112233445566aa", "group": {"id": "!g"}, "rows": [{**row, **fields}]}
    return json.dumps(document).encode()


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", None])
def test_whatever_a_calendar_has_is_listed(sent_at: str | None) -> None:
    """Whoever writes a message says when: it is no reason to leave out its day."""
    part = part_of("manifests/g/2026/01/01/000000.json", _planted(sent_at=sent_at))
    (listing,) = part.listings(lambda _key: None)
    assert (listing.day, listing.sent_at is None) == ("2026-01-01", sent_at is None)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("manifests/g/2026/01/01/000000.json", b"[]"),
        ("manifests/g/2026/01/01/000000.json", b"\xff"),
        ("manifests/g/2026/01/01/000000.json", b'{"gid": 1}'),
        ("manifests/g/000000.json", None),
        ("manifests/g/2026/01/01/other.json", None),
        ("manifests/g/2026/13/45/000000.json", None),
        ("manifests/g/2026/W01/1/000000.json", None),
        ("manifests/g/2026/01/01/9223372036854775808.json", None),
        ("manifests/g/2026/01/01/000000.json", _planted(n=1 << 63)),
        ("manifests/g/2026/01/01/000000.json", _planted(leaf=-(1 << 63) - 1)),
        ("manifests/g/2026/01/01/000000.json", _planted(context=[1 << 70])),
        ("manifests/g/2026/01/01/000000.json", _planted(sent_at="2026-01-01T00:00:00")),
        ("manifests/g/2026/01/01/000000.json", _planted(sent_at="0001-01-01T00:00:00+10:00")),
        ("manifests/g/2026/01/01/000000.json", _planted(sent_at="9999-12-31T23:59:59-10:00")),
        ("manifests/g/2026/01/01/000000.json", _planted(key="records/../../a.json")),
        ("manifests/g/2026/01/01/000000.json", _planted(key="records/a\0.json")),
        ("manifests/g/2026/01/01/000000.json", b'{"x":' * 5000),
    ],
)
def test_what_is_no_part_is_refused_by_its_key(
    bodies: dict[str, bytes], parts: list[str], key: str, body: bytes | None
) -> None:
    """The error names it."""
    with pytest.raises(CatalogError, match=key):
        part_of(key, bodies[parts[0]] if body is None else body)


def test_an_act_says_what_it_is_about(bodies: dict[str, bytes]) -> None:
    """And what is none is refused."""
    key = next(key for key in sorted(bodies) if key.startswith("acts/"))
    act = act_of(key, bodies[key])
    assert act.key == key
    assert act.document.encode() == bodies[key]
    with pytest.raises(CatalogError, match="no act"):
        act_of(key, b'{"kind": "hold"}')
    for at in ("2026-01-01T00:00:00", "0001-01-01T00:00:00+10:00"):
        with pytest.raises(CatalogError, match="no act"):
            act_of(key, json.dumps({"kind": "hold", "by": "ada", "at": at}).encode())
    with pytest.raises(CatalogError, match="no act"):
        act_of(key, b'{"kind": "hold", "by": "a", "at": "2026-01-01T00:00:00Z", "x": "\xff"}')
