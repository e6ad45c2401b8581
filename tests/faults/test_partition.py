"""The cable is pulled between the recorder, its homeserver and its store, and put back.

All of them live in a network of their own, whose link goes down: no packet passes, and no end is
told. That is a namespace and two system calls, on any Linux, with nothing to install; a proxy
that stops forwarding would still take connections and acknowledge what it was sent.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.holding import Holding, held
from benchmarks.s3_tool import BUCKET, Server, use_bucket
from benchmarks.scene import PROGRAM, Scene
from bridge.demo.homeserver import Account
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver
from tests.faults.rights import as_root
from tests.patience import PATIENCE
from tests.servers.fault_s3 import fault_s3_process
from tests.servers.network import Link, own_network

DOWN_SECONDS = 3.0
"""Longer than a packet is waited for, so that all ends have noticed."""

ACCOUNT = Account(
    user_id=RECORDER,
    username="recorder",
    display_name="Recorder",
    device_id="",
    password=PASSWORD,
    access_token="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A homeserver, a store and a recorder that is not started, on one link."""

    link: Link
    homeserver: FakeHomeserver
    scene: Scene

    def say(self, count: int) -> list[str]:
        """So many messages; gives their ids."""
        room = self.scene.rooms[0]
        text = "We have decided on option B, please go ahead."
        content = {"msgtype": "m.text", "body": text}
        world = self.homeserver.world
        return [world.send(room, "m.room.message", content) for _ in range(count)]

    async def kept(self, event_ids: list[str]) -> Holding:
        """What is held once all is stored; in vain it ends the test."""

        async def all_of_it() -> bool:
            return (await held(self.scene, event_ids)).stored == len(event_ids)

        await eventually(all_of_it)
        return await held(self.scene, event_ids)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await true():  # noqa: ASYNC110 - processes that tell us nothing
            await asyncio.sleep(0.2)


@contextmanager
def network() -> Iterator[Link]:
    """A link that is up again at the end, so that everything can be closed."""
    with own_network() as link:
        try:
            yield link
        finally:
            link.up()


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """See :class:`Town`."""
    with network() as link, fault_s3_process("--bucket", BUCKET) as s3:
        async with FakeHomeserver() as homeserver:
            room = homeserver.world.room("Floods")
            homeserver.world.member(room, RECORDER, "invite", sender=CLERK)
            recorder = Recorder(folder=folder, command=PROGRAM)
            groups = [ApprovedGroup(id=room, name="Floods")]
            await recorder.prepare(homeserver=homeserver.url, account=ACCOUNT, groups=groups)
            server = Server(name="fault S3", url=s3.url, access_key="a", secret_key="b")
            await asyncio.to_thread(use_bucket, recorder, server)
            scene = Scene(people=(), rooms=(room,), recorder=recorder, s3=s3)
            try:
                yield Town(link=link, homeserver=homeserver, scene=scene)
            finally:
                link.up()
                await recorder.stop()


@as_root
async def test_a_pulled_cable_loses_nothing_and_nobody_is_needed() -> None:
    """What is said before, during and after is stored once, by the same process."""
    with tempfile.TemporaryDirectory() as name:
        async with town(Path(name) / "recorder") as place:
            recorder = place.scene.recorder
            await recorder.start()
            said = place.say(10)
            await place.kept(said)
            process = recorder.pid
            said += place.say(10)  # on their way when the link goes
            place.link.down()
            for _ in range(10):
                said += place.say(2)
                await asyncio.sleep(DOWN_SECONDS / 10)
            place.link.up()
            said += place.say(10)
            holding = await place.kept(said)
            assert holding.complete, holding
            assert recorder.alive
            assert recorder.pid == process
            (group,) = (await recorder.status()).groups
            assert (group.gaps, group.late) == (0, 0)


@as_root
async def test_a_recorder_that_starts_without_a_network_begins_when_there_is_one() -> None:
    """It signs in, joins and records by itself once the link is up."""
    with tempfile.TemporaryDirectory() as name:
        async with town(Path(name) / "recorder") as place:
            recorder = place.scene.recorder
            place.link.down()
            await recorder.spawn()
            await asyncio.sleep(DOWN_SECONDS)
            assert recorder.alive
            place.link.up()

            async def recording() -> bool:
                return (await recorder.status()).recording(frozenset(place.scene.rooms))

            await eventually(recording)
            assert (await place.kept(place.say(5))).complete
