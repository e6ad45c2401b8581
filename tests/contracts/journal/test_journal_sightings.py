"""What every journal promises of what the platform tells about groups."""

from __future__ import annotations

from bridge import groups as rules
from bridge.model import GroupState, Presence
from tests.contracts.journal.subjects import Subject
from tests.fakes.samples import CONNECTOR, GROUP_ID, batch, event, group, sighting


async def test_an_unknown_group_is_proposed(subject: Subject) -> None:
    """An invitation to an unknown group lists it as proposed, with who invited."""
    await subject.journal.append(
        batch(sightings=[sighting(Presence.INVITED, group_id="!new", name="New", by="@bo:x")])
    )
    found = await subject.group("!new")
    assert (found.state, found.presence, found.name) == (
        GroupState.PROPOSED,
        Presence.INVITED,
        "New",
    )
    assert found.note == "invited by @bo:x"


async def test_a_group_that_is_gone_is_not_proposed(subject: Subject) -> None:
    """There is nothing to approve where the recorder is gone already."""
    await subject.journal.append(batch(sightings=[sighting(Presence.REMOVED, group_id="!gone")]))
    assert [each.group_id for each in await subject.journal.groups()] == [GROUP_ID]


async def test_a_sighting_is_applied_by_the_rules(subject: Subject) -> None:
    """The register moves as the rules of groups say."""
    before = await subject.group()
    removal = sighting(Presence.REMOVED)
    await subject.journal.append(batch(sightings=[removal]))
    after = await subject.group()
    assert after == rules.apply_sighting(before, removal)
    assert after.state is GroupState.REMOVED


async def test_a_sighting_twice_changes_nothing_more(subject: Subject) -> None:
    """A delivery that comes again leaves the register as it was."""
    delivery = batch(
        sightings=[
            sighting(Presence.INVITED, group_id="!new", by="@bo:x"),
            sighting(obstacle="encrypted"),
        ]
    )
    await subject.journal.append(delivery)
    once = await subject.journal.groups()
    await subject.journal.append(delivery)
    assert await subject.journal.groups() == once


async def test_sightings_apply_in_their_order(subject: Subject) -> None:
    """The last of several sightings of a group in one batch stands."""
    await subject.journal.append(
        batch(sightings=[sighting(obstacle="encrypted"), sighting(name="Renamed")])
    )
    found = await subject.group()
    assert (found.state, found.name, found.note) == (GroupState.ACTIVE, "Renamed", "")


async def test_a_group_is_told_by_its_connector(subject: Subject) -> None:
    """The same id under another connector is another group."""
    await subject.journal.append(
        batch(sightings=[sighting(Presence.REMOVED)], connector="other", platform="other")
    )
    await subject.journal.append(
        batch(sightings=[sighting(Presence.INVITED)], connector="other", platform="other")
    )
    found = {each.connector: each for each in await subject.journal.groups()}
    assert found[CONNECTOR].state is GroupState.ACTIVE
    assert (found["other"].state, found["other"].platform) == (GroupState.PROPOSED, "other")


async def test_proposals_are_bounded(subject: Subject) -> None:
    """A flood of invitations lists two hundred groups and no more; known groups still move."""
    flood = [sighting(Presence.INVITED, group_id=f"!{i:04d}") for i in range(250)]
    await subject.journal.append(batch(sightings=[*flood, sighting(Presence.REMOVED)]))
    await subject.journal.append(batch(sightings=[sighting(Presence.JOINED, group_id="!late")]))
    found = await subject.journal.groups()
    proposed = [each.group_id for each in found if each.state is GroupState.PROPOSED]
    assert proposed == [f"!{i:04d}" for i in range(200)]
    assert (await subject.group()).state is GroupState.REMOVED


async def test_the_bound_is_for_each_connector(subject: Subject) -> None:
    """One platform's flood does not keep another's invitation out."""
    flood = [sighting(Presence.INVITED, group_id=f"!{i:04d}") for i in range(250)]
    await subject.journal.append(batch(sightings=flood))
    await subject.journal.append(
        batch(sightings=[sighting(Presence.INVITED, group_id="!x")], connector="other")
    )
    assert (await subject.group("!x")).state is GroupState.PROPOSED


async def test_hostile_names_do_not_stop_a_delivery(subject: Subject) -> None:
    """A name that UTF-8 cannot carry is shown without that; an id like it is not listed."""
    await subject.journal.append(
        batch(
            event(),
            sightings=[
                sighting(name="a\x00'; DROP TABLE entry; --\ud800"),
                sighting(Presence.INVITED, group_id="!\ud800"),
            ],
        )
    )
    (found,) = await subject.journal.groups()
    assert found.name == "a\x00'; DROP TABLE entry; --?"


async def test_a_sighting_leaves_the_rest_of_a_group_alone(subject: Subject) -> None:
    """Only presence, state, name and note come from a platform."""
    listed = group("!listed", listed=True, capture_all=True)
    await subject.journal.set_group(listed, expect=None)
    await subject.journal.append(batch(sightings=[sighting(group_id="!listed", name="N")]))
    found = await subject.group("!listed")
    assert (found.listed, found.capture_all, found.notice) == (True, True, listed.notice)
