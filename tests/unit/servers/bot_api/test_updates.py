"""Updates: what confirms them, how long they are kept, who may ask for them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from aiohttp import FormData

from tests.servers.bot_api import HandClock
from tests.unit.servers.bot_api.scene import EVERYTHING, Scene, kinds, numbers, texts

DAY = 24 * 3600


async def test_updates_come_again_until_confirmed(scene: Scene) -> None:
    """An offset confirms what is below it and nothing else does."""
    for text in ("one", "two", "three"):
        scene.anna.say(scene.room, text)
    first = await scene.updates()
    assert await scene.updates() == first
    assert texts(await scene.updates(numbers(first)[1])) == ["two", "three"]
    assert texts(await scene.updates()) == ["two", "three"]


async def test_a_negative_offset_forgets_all_before_it(scene: Scene) -> None:
    """The last two are returned and what was before them is gone."""
    for text in ("one", "two", "three"):
        scene.anna.say(scene.room, text)
    assert texts(await scene.updates(-2)) == ["two", "three"]
    assert texts(await scene.updates()) == ["two", "three"]


async def test_limit_is_drawn_into_1_to_100(scene: Scene) -> None:
    """More than a hundred is a hundred and none is one."""
    for number in range(101):
        scene.anna.say(scene.room, str(number))
    assert len(await scene.updates(limit=1000)) == 100
    assert len(await scene.updates(limit=0)) == 1


async def test_identifiers_are_sequential(scene: Scene) -> None:
    """Each update is one above the one before, unless identifiers were left out."""
    scene.anna.say(scene.room, "one")
    scene.anna.say(scene.room, "two")
    scene.bot.updates.skip(5)
    scene.anna.say(scene.room, "three")
    assert [after - before for before, after in pairwise(numbers(await scene.updates()))] == [1, 6]


async def test_an_update_is_kept_24_hours(scene: Scene) -> None:
    """It is there a second before a day is over, and gone when it is over."""
    scene.anna.say(scene.room, "one")
    scene.clock.advance(DAY - 1)
    assert texts(await scene.updates()) == ["one"]
    scene.clock.advance(1)
    assert await scene.updates() == []


async def test_a_quiet_week_makes_the_next_identifier_random(scene: Scene) -> None:
    """The new identifier is unrelated, and an offset far above it is not believed."""
    scene.anna.say(scene.room, "one")
    (before,) = numbers(await scene.updates())
    scene.clock.advance(7 * DAY)
    scene.anna.say(scene.room, "two")
    (after,) = numbers(await scene.updates())
    assert after != before + 1
    assert texts(await scene.updates(after + 1000)) == ["two"]
    assert texts(await scene.updates()) == ["two"]
    assert await scene.updates(after + 1) == []


async def test_a_long_poll_ends_with_an_update(scene: Scene) -> None:
    """Who waits is answered when something is said."""
    poll = await scene.poll()
    scene.anna.say(scene.room, "at last")
    answer = await poll
    assert b'"text":"at last"' in answer.raw


async def test_a_long_poll_ends_empty_when_its_time_is_over(scene: Scene) -> None:
    """The clock is the server's."""
    poll = await scene.poll(timeout=30)
    scene.clock.advance(30)
    assert (await poll).result == []


async def test_a_second_poller_ends_the_first(scene: Scene) -> None:
    """The older poll is refused with 409 and the newer one goes on."""
    first = await scene.poll()
    second = await scene.poll()
    status, said = (await first).refusal
    assert status == 409
    assert said.startswith("Conflict: terminated by other getUpdates request")
    scene.clock.advance(50)
    assert (await second).result == []


async def test_types_not_allowed_are_not_created(scene: Scene) -> None:
    """The list counts for updates created later, stays, and an empty one is the default."""
    scene.anna.say(scene.room, "before")
    await scene.ask("getUpdates", {"allowed_updates": ["edited_message"]})
    post = scene.anna.say(scene.room, "unheard")
    assert texts(await scene.news()) == ["before"]
    scene.anna.edit(post, "edited")
    assert [kinds(each) for each in await scene.news()] == ["edited_message"]
    await scene.ask("getUpdates", {"allowed_updates": "[]"})
    scene.anna.say(scene.room, "heard")
    assert texts(await scene.news()) == ["heard"]


async def test_three_types_come_only_when_named(scene: Scene) -> None:
    """By default there is no chat_member, message_reaction or message_reaction_count."""
    bert = scene.api.person("Bert")
    scene.anna.promote(scene.room, scene.bot)
    await scene.ask("getUpdates", {"allowed_updates": []})
    await scene.news()
    post = scene.anna.say(scene.room, "hello")
    scene.anna.react(post, "\N{THUMBS UP SIGN}")
    bert.join(scene.room)
    assert [kinds(each) for each in await scene.news()] == ["message", "message"]
    await scene.ask("getUpdates", {"allowed_updates": EVERYTHING})
    scene.anna.react(post)
    bert.leave(scene.room)
    found = [kinds(each) for each in await scene.news()]
    assert found == ["message_reaction", "message", "chat_member"]


async def test_a_revoked_token_is_refused_even_while_it_polls(scene: Scene) -> None:
    """The poll ends with 401, as does every call; the new token gets what waited."""
    old = scene.bot.token
    poll = await scene.poll()
    new = scene.api.world.revoke(scene.bot)
    assert (await poll).refusal == (401, "Unauthorized")
    scene.anna.say(scene.room, "still kept")
    assert texts(await scene.updates()) == ["still kept"]
    async with scene.session.get(f"{scene.api.base_url}{old}/getMe") as answer:
        assert answer.status == 401
    assert new != old


async def test_what_is_no_token_or_no_method_is_not_found(scene: Scene) -> None:
    """Both are 404."""
    async with scene.session.get(f"{scene.api.base_url}nonsense/getMe") as answer:
        assert answer.status == 404
    assert (await scene.ask("getEverything")).refusal == (404, "Not Found: method not found")


async def test_parameters_come_in_four_ways_and_names_in_any_case(scene: Scene) -> None:
    """The query, a form, multipart and JSON say the same."""
    for text in ("one", "two"):
        scene.anna.say(scene.room, text)
    url = f"{scene.api.base_url}{scene.bot.token}/GETUPDATES"
    session = scene.session
    multipart = FormData({"limit": "1"})
    multipart.add_field("certificate", b"attached", filename="certificate.pem")
    ways = (
        session.get(url, params={"limit": "1"}),
        session.post(url, data={"limit": "1"}),
        session.post(url, data=multipart),
        session.post(url, json={"limit": 1}),
    )
    for way in ways:
        async with way as answer:
            assert len((await answer.json())["result"]) == 1


async def test_text_beyond_ascii_is_escaped_on_the_wire(scene: Scene) -> None:
    """Updates are one line after their identifier, in ASCII, with surrogate pairs."""
    scene.anna.say(scene.room, "\N{GRINNING FACE}")
    said = await scene.ask("getUpdates")
    assert b',\n"message":{"message_id":' in said.raw
    assert rb'"text":"\ud83d\ude00"' in said.raw


async def test_what_waited_is_there_after_an_outage(scene: Scene) -> None:
    """A poll is cut when the server goes down, and nothing is lost."""
    scene.anna.say(scene.room, "one")
    await scene.api.down()
    scene.anna.say(scene.room, "two")
    await scene.api.up()
    assert texts(await scene.updates()) == ["one", "two"]


async def test_whoever_waits_for_confirmation_goes_on_with_it(scene: Scene) -> None:
    """Being returned is not enough, an offset above the last one is."""
    scene.anna.say(scene.room, "one")
    confirmed = asyncio.create_task(scene.bot.updates.confirmed())
    found = await scene.updates()
    assert not confirmed.done()
    await scene.updates(numbers(found)[-1] + 1)
    await confirmed


def test_a_clock_set_by_hand_stands_still() -> None:
    """It moves by what it is told, back also."""
    clock = HandClock(10.0)
    clock.advance(5)
    clock.advance(-20)
    assert clock.now() == -5.0
