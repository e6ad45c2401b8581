"""What people ask the catalog."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.errors import CatalogError
from bridge.model import EventKind, Outcome
from bridge.protocols.catalog import COUNTED, Found, ListedReason, Listing, Search
from bridge.query import parse_query
from storage.catalog import SqliteCatalog, SqliteCatalogWriter
from tests.archive import Archive

Newest = dict[tuple[str, int], Listing]


async def everything(catalog: SqliteCatalog, search: Search) -> list[Listing]:
    """All pages of a search."""
    found: list[Listing] = []
    page = await catalog.search(replace(search, limit=7))
    while True:
        found += page.listings
        if page.following is None:
            return found
        page = await catalog.search(replace(search, limit=7, before=page.following))


def names(listings: list[Listing]) -> set[tuple[str, int]]:
    """Which events these are."""
    return {(each.stream, each.n) for each in listings}


async def test_a_search_without_conditions_finds_every_event_once_newest_first(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """Pages follow each other without a hole or a repeat."""
    found = await everything(catalog, Search())
    assert Counter((each.stream, each.n) for each in found) == Counter(newest.keys())
    times = [each.at for each in found if each.at is not None]
    assert times == sorted(times, reverse=True)


async def test_a_listing_comes_back_as_it_was_put_in(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """Nothing of it is lost on the way."""
    by_name = {(each.stream, each.n): each for each in await everything(catalog, Search())}
    for name, listing in newest.items():
        # A group's platform is known once any of its records is.
        assert replace(by_name[name], platform="") == replace(listing, platform="")


async def test_words_find_what_says_them(catalog: SqliteCatalog, newest: Newest) -> None:
    """A word that stands in a message finds exactly the messages in which it stands."""
    said = Counter(
        word
        for each in newest.values()
        for word in set((each.body or "").lower().split())
        if word.isascii() and word.isalpha()
    )
    for word, number in said.most_common(5):
        found = await catalog.search(Search(words=parse_query(word), limit=500))
        bodies = [each.body for each in found.listings]
        assert all(word in (body or "").lower() for body in bodies if body is not None)
        assert len(found.listings) >= number


@pytest.mark.parametrize(
    "search",
    [
        Search(outcomes=(Outcome.CAPTURE,)),
        Search(outcomes=(Outcome.DISCARD, Outcome.REVIEW)),
        Search(kinds=(EventKind.EDIT,)),
        Search(kinds=(EventKind.MESSAGE, EventKind.REACTION)),
        Search(restricted=True),
        Search(outcomes=(Outcome.REVIEW,), restricted=True),
    ],
)
async def test_conditions_find_what_has_them(
    catalog: SqliteCatalog, newest: Newest, search: Search
) -> None:
    """An outcome or a kind finds exactly the events that have it."""
    wanted = {
        name
        for name, each in newest.items()
        if (not search.outcomes or each.outcome in search.outcomes)
        and (not search.kinds or each.kind in search.kinds)
        and (not search.restricted or (each.outcome is Outcome.REVIEW and each.key is None))
    }
    assert wanted
    assert names(await everything(catalog, search)) == wanted
    assert (await catalog.search(search)).total == min(len(wanted), COUNTED + 1)


@pytest.mark.parametrize("search", [Search(), Search(outcomes=(Outcome.CAPTURE,))])
async def test_what_is_passed_over_is_not_found(
    catalog: SqliteCatalog, newest: Newest, search: Search
) -> None:
    """Nor counted, nor any version or part of it; all else is. What is not listed does no harm."""
    fitting = {
        n: each for n, each in newest.items() if each.outcome in (search.outcomes or Outcome)
    }
    edited = {each.message for each in fitting.values() if each.kind is EventKind.EDIT}
    assert edited
    some = {message for message in edited if message is not None} | {("ff", "$unknown")}
    wanted = {n for n, each in fitting.items() if each.message not in some}
    assert len(fitting) - len(wanted) > len(edited)
    search = replace(search, passed_over=tuple(some))
    assert names(await everything(catalog, search)) == wanted
    assert (await catalog.search(search)).total == min(len(wanted), COUNTED + 1)


@pytest.mark.parametrize("search", [Search(), Search(outcomes=(Outcome.REVIEW,))])
async def test_the_oldest_may_come_first(catalog: SqliteCatalog, search: Search) -> None:
    """The same in the other order, page by page."""
    found = await everything(catalog, replace(search, oldest=True))
    assert len(found) > 7
    assert found == [*reversed(await everything(catalog, search))]


async def test_group_person_code_file_and_time_narrow_a_search(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """Each condition that is given must hold."""
    one = next(each for each in newest.values() if each.media and each.sender_id and each.at)
    digest = next(m.sha256 for m in one.media if m.sha256)
    assert one.at is not None
    assert one.sender_id is not None
    near = Search(
        gids=(one.gid,),
        persons=(one.sender_id,),
        codes=(one.reasons[0].code,),
        since=one.at,
        until=one.at + timedelta(milliseconds=1),
        sha256=digest,
    )
    assert (one.stream, one.n) in names(await everything(catalog, near))
    for other in (
        replace(near, gids=("0" * 16,)),
        replace(near, persons=("nobody",)),
        replace(near, codes=("NONE",)),
        replace(near, since=one.at + timedelta(milliseconds=1), until=None),
        replace(near, sha256="0" * 64),
    ):
        found = await catalog.search(other)
        assert found == Found(listings=(), total=0)


async def test_a_day_is_shown_in_the_order_in_which_things_were_said(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """It holds each event of the group's day, once."""
    gid, day = Counter((each.gid, each.day) for each in newest.values()).most_common(1)[0][0]
    found = await catalog.day(gid, day)
    assert names(list(found)) == {
        name for name, each in newest.items() if (each.gid, each.day) == (gid, day)
    }
    times = [each.at for each in found if each.at is not None]
    assert times == sorted(times)


async def test_a_record_is_found_by_its_stem_and_with_what_stands_around(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """The page of a record has its neighbours before and after it."""
    kept = [each for each in newest.values() if each.key is not None]
    one = kept[len(kept) // 2]
    assert one.key is not None
    found = await catalog.by_stem(one.key.rpartition("/")[2].removesuffix(".json"))
    assert found is not None
    around = await catalog.around(found, before=2, after=2)
    assert (one.stream, one.n) in names(list(around))
    assert len(around) <= 5
    assert [each.n for each in await catalog.numbered(one.stream, [one.n])] == [one.n]
    assert await catalog.by_stem("nothing") is None


async def test_results_come_with_what_stands_beside_them(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """The one before and the one after in the same group, where there are any."""
    gid = Counter(each.gid for each in newest.values()).most_common(1)[0][0]
    page = (await catalog.search(Search(gids=(gid,), limit=500))).listings
    beside = await catalog.beside(page)
    for i, (one, around) in enumerate(zip(page, beside, strict=True)):
        assert one in around
        assert set(around) <= set(page[max(i - 1, 0) : i + 2])
    assert await catalog.beside(()) == ()


async def test_a_marking_is_found_however_it_is_spelt(
    writer: SqliteCatalogWriter, tmp_path: Path, newest: Newest
) -> None:
    """By its words as they stand in the text; neither by others nor by talk about it."""
    one = next(each for each in newest.values() if each.body and each.key)
    marked = replace(
        one,
        body="OFFICIAL-SENSITIVE: the gate",
        reasons=(ListedReason(code="MARKING", rule="marking", start=0, end=18),),
    )
    await writer.take("manifests/x/2026/01/01/000009.json", listings=[marked])
    catalog = SqliteCatalog(tmp_path / "catalog" / "catalog.db")
    for text in ("official sensitive", "OFFICIAL - SENSITIVE", "Official-Sensitive"):
        assert (await catalog.search(Search(markings=(text,)))).total == 1
    for text in ("OFFICIAL", "the gate", "-"):
        assert (await catalog.search(Search(markings=(text,)))).total == 0
    await catalog.aclose()


async def test_people_are_called_what_they_were_last_called(
    writer: SqliteCatalogWriter, tmp_path: Path, newest: Newest
) -> None:
    """Whichever part is listed last."""
    one = next(each for each in newest.values() if each.sender_id and each.sent_at)
    assert one.sent_at is not None
    assert one.observed_at is not None
    later = replace(
        one,
        n=one.n + 1,
        sender_name="Zed",
        sent_at=one.sent_at + timedelta(days=1),
        observed_at=one.observed_at + timedelta(days=1),
    )
    await writer.take("manifests/x/2026/01/02/000000.json", listings=[later])
    await writer.take("manifests/x/2026/01/01/000000.json", listings=[one])
    catalog = SqliteCatalog(tmp_path / "catalog" / "catalog.db")
    assert await catalog.persons("zed", limit=9) == ((one.sender_id, "Zed"),)
    await catalog.aclose()


async def test_all_that_happened_to_a_message_is_found_by_its_id(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """Edits, reactions and removals stand with the message they are about."""
    edit = next(each for each in newest.values() if each.relates_to and each.kind)
    assert edit.relates_to is not None
    about = await catalog.about(edit.stream, edit.relates_to.upstream_id)
    assert (edit.stream, edit.n) in names(list(about))


async def test_groups_and_days_are_counted_by_what_holds_now(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """A decision moves an event from one count to the other."""
    groups = {group.gid: group for group in await catalog.groups()}
    for gid, group in groups.items():
        outcomes = Counter(each.outcome for each in newest.values() if each.gid == gid)
        assert (group.captured, group.review, group.discarded) == (
            outcomes[Outcome.CAPTURE],
            outcomes[Outcome.REVIEW],
            outcomes[Outcome.DISCARD],
        )
    days = await catalog.days()
    assert sum(d.captured + d.review + d.discarded for d in days) == len(newest)
    assert [d for d in days if d.gid == gid] == list(await catalog.days(gid))


async def test_people_are_found_by_how_their_name_or_id_begins(
    catalog: SqliteCatalog, newest: Newest
) -> None:
    """A per cent sign is a character like any other."""
    one = next(each for each in newest.values() if each.sender_id)
    assert one.sender_id is not None
    assert one.sender_id in {id_ for id_, _ in await catalog.persons(one.sender_id[:4], limit=99)}
    assert await catalog.persons("%", limit=9) == ()


async def test_acts_are_listed_newest_first(catalog: SqliteCatalog, archive: Archive) -> None:
    """All of them, or those of one kind."""
    acts = await catalog.acts(limit=1000)
    assert {act.key for act in acts} == {
        stored.key for stored in archive.objects if stored.key.startswith("acts/")
    }
    assert [act.at for act in acts] == sorted((act.at for act in acts), reverse=True)
    opens = await catalog.acts(kind="open", limit=1000)
    assert opens
    assert {act.kind for act in opens} == {"open"}


async def test_parts_may_come_in_any_order_and_twice(
    writer: SqliteCatalogWriter,
    tmp_path: Path,
    parts: dict[str, tuple[Listing, ...]],
    newest: Newest,
) -> None:
    """The row of the highest part holds, whichever came last."""
    for key in (*reversed(parts), *parts):
        await writer.take(key, listings=parts[key])
    assert await writer.has_taken([*parts, "manifests/none"]) == frozenset(parts)
    catalog = SqliteCatalog(tmp_path / "catalog" / "catalog.db")
    found = await everything(catalog, Search())
    assert {(each.stream, each.n): each.outcome for each in found} == {
        name: each.outcome for name, each in newest.items()
    }
    hits = await everything(catalog, Search(outcomes=tuple(Outcome)))
    await catalog.aclose()
    assert Counter(names(hits)) == Counter(newest.keys())


async def test_without_a_catalog_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    """The remedy is the verb that rebuilds it."""
    catalog = SqliteCatalog(tmp_path / "catalog.db")
    with pytest.raises(CatalogError, match="no catalog") as raised:
        await catalog.groups()
    await catalog.aclose()
    assert "catalog rebuild" in raised.value.hint


@pytest.mark.usefixtures("writer")
async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """0600, in a folder of its own of 0700."""
    folder = tmp_path / "catalog"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
