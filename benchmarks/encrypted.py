"""An encrypted room, and a client that is not ours, which shares its keys with signed devices only.

    python -m benchmarks.encrypted --synapse .synapse/bin/python [--down N] [--kills N] [--count N]

A real Synapse, matrix-js-sdk with its Rust crypto, and `muniment run` on a `file:` store. The
client sends messages, edits, replies, a reaction and an attachment, before and after a new key;
then while the recorder is down; then while it is killed again and again. In the end every event
must be stored with its content. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.scene import PROGRAM, account, in_memory, use_free_port
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import File
from bridge.demo.recorder import ApprovedGroup, Recorder
from bridge.demo.shelf import Shelf, read_shelf
from bridge.errors import ConnectorUnavailableError
from tests.clients.js_client import JsClient
from tests.clients.js_process import JsProcess

PICTURE = File(
    name="plan.png", data=b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64, type="image/png"
)
_LOOK_SECONDS = 1.0
_ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is said while the recorder is down, and how often it is killed during how much."""

    down: int = 200
    kills: int = 20
    count: int = 500
    shortest: float = 0.5
    longest: float = 8.0
    rotate_every: int = 40
    seed: int = 20260301
    patience: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An event that the homeserver took: what its record must say."""

    event_id: str
    kind: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A recorder in an encrypted room with a person whose client is strict about devices."""

    homeserver: Homeserver
    js: JsProcess
    clerk: JsClient
    room: str
    recorder: Recorder
    recorder_id: str


@dataclass(slots=True, kw_only=True)
class Figures:
    """Counts of events. ``late``: stored encrypted first, and with their content afterwards."""

    said: list[Said] = field(default_factory=list)
    opened: int = 0
    missing: int = 0
    unopened: int = 0
    twice: int = 0
    late: int = 0
    signed: bool = False
    attachment: bool = False
    kills: int = 0
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all is there with its content, once."""
        return self.signed and self.attachment and self.opened == len(self.said) and not self.twice


@contextlib.asynccontextmanager
async def on_encrypted(*, python: Path, folder: Path) -> AsyncIterator[Scene]:
    """The recorder is started, invited and in the room. ``folder`` MUST NOT exist."""
    async with contextlib.AsyncExitStack() as stack:
        memory = await stack.enter_async_context(in_memory())
        log = memory / "js.log"
        homeserver = await stack.enter_async_context(
            Homeserver(folder=memory / "synapse", python=python)
        )
        js = await stack.enter_async_context(JsProcess(log=log))
        clerk = await JsClient.login(
            js, homeserver=homeserver.url, account=await account(homeserver, "clerk")
        )
        await clerk.bootstrap()
        await clerk.isolate(only_signed=True)
        room = await clerk.create_room("Floods")
        own = await account(homeserver, "recorder")
        recorder = Recorder(folder=folder, command=PROGRAM)
        await recorder.prepare(
            homeserver=homeserver.url, account=own, groups=[ApprovedGroup(id=room, name="Floods")]
        )
        await asyncio.to_thread(use_free_port, recorder)
        stack.push_async_callback(recorder.stop)
        await clerk.invite(room, own.user_id)
        await recorder.start()
        await clerk.member(room, own.user_id)
        yield Scene(
            homeserver=homeserver,
            js=js,
            clerk=clerk,
            room=room,
            recorder=recorder,
            recorder_id=own.user_id,
        )


async def talk(scene: Scene, name: str) -> list[Said]:
    """One of each: a message, its edit, a reply, a reaction and an attachment."""
    clerk, room = scene.clerk, scene.room
    first = await clerk.text(room, f"{name}: open the sluice at six")
    said = [Said(event_id=first.event_id, kind="message", body=f"{name}: open the sluice at six")]
    edit = await clerk.edit(room, first.event_id, f"{name}: open the sluice at seven")
    said.append(Said(event_id=edit.event_id, kind="edit", body=f"{name}: open the sluice at seven"))
    reply = await clerk.reply(room, first.event_id, f"{name}: agreed?")
    said.append(Said(event_id=reply.event_id, kind="message", body=f"{name}: agreed?"))
    reaction = await clerk.react(room, reply.event_id, "👍")
    said.append(Said(event_id=reaction.event_id, kind="reaction", body="👍"))
    sent = await clerk.attach(room, PICTURE)
    said.append(Said(event_id=sent.event_id, kind="message", body=PICTURE.name))
    return said


async def texts(
    scene: Scene, name: str, count: int, *, rotate_every: int, until: asyncio.Event | None = None
) -> list[Said]:
    """Messages one after the other, ``count`` and on to ``until``, with a new key now and then."""
    said: list[Said] = []
    for number in itertools.count():
        if number >= count and (until is None or until.is_set()):
            break
        if number and number % rotate_every == 0:
            await scene.clerk.rotate(scene.room)
        body = f"{name} {number}: approve option B, go ahead"
        sent = await scene.clerk.text(scene.room, body)
        said.append(Said(event_id=sent.event_id, kind="message", body=body))
    return said


async def measure(
    scene: Scene, plan: Plan, *, progress: Callable[[str], None] = lambda _: None
) -> Figures:
    """All of it; see the module."""
    begun = time.monotonic()
    figures = Figures()
    devices = await scene.clerk.devices(scene.recorder_id)
    figures.signed = bool(devices) and all(each.signed_by_owner for each in devices)
    figures.said += await talk(scene, "first key")
    await scene.clerk.rotate(scene.room)
    figures.said += await talk(scene, "second key")
    progress("said one of each, twice")
    await scene.recorder.stop()
    figures.said += await texts(scene, "down", plan.down, rotate_every=plan.rotate_every)
    progress(f"said {plan.down} while it was down")
    await scene.recorder.spawn()
    killed = asyncio.Event()
    talking = asyncio.create_task(
        texts(scene, "killed", plan.count, rotate_every=plan.rotate_every, until=killed)
    )
    try:
        figures.kills = await _kill(scene, plan, talking, progress)
        killed.set()
        figures.said += await talking
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
    await _settle(scene, figures, time.monotonic() + plan.patience)
    figures.seconds = time.monotonic() - begun
    return figures


async def _kill(
    scene: Scene,
    plan: Plan,
    talking: asyncio.Task[list[Said]],
    progress: Callable[[str], None],
) -> int:
    moments = random.Random(plan.seed)
    for number in range(plan.kills):
        await asyncio.wait({talking}, timeout=moments.uniform(plan.shortest, plan.longest))
        if talking.done():
            return number
        if not scene.recorder.alive:
            said = await scene.recorder.last_words()
            raise ConnectorUnavailableError(f"`muniment run` ended by itself: {said}")
        await scene.recorder.kill()
        await scene.recorder.spawn()
        progress(f"killed {number + 1} of {plan.kills}")
    return plan.kills


async def _settle(scene: Scene, figures: Figures, until: float) -> None:
    """Look until all is there, or there is no time left."""
    while True:
        objects = await scene.recorder.objects()
        _count(figures, await asyncio.to_thread(read_shelf, objects))
        if figures.complete or time.monotonic() > until:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _count(figures: Figures, shelf: Shelf) -> None:
    figures.opened = figures.missing = figures.unopened = figures.twice = figures.late = 0
    for said in figures.said:
        found = shelf.of(said.event_id)
        clear = [each for each in found if (each.kind, each.body) == (said.kind, said.body)]
        sealed = [each for each in found if each.kind == _ENCRYPTED]
        figures.opened += bool(clear)
        figures.missing += not found
        figures.unopened += bool(sealed) and not clear
        figures.twice += len(clear) > 1 or len(sealed) > 1
        figures.late += bool(sealed) and bool(clear)
    digest = hashlib.sha256(PICTURE.data).hexdigest()
    figures.attachment = any(digest in each.media for each in shelf.records)


def told(figures: Figures) -> str:
    """The figures as lines of a page."""
    counts = (
        len(figures.said),
        figures.opened,
        figures.late,
        figures.unopened,
        figures.missing,
        figures.twice,
    )
    signed = "sees the recorder's device signed" if figures.signed else "**sees no signed device**"
    file = "stored as it was sent" if figures.attachment else "**not stored**"
    return (
        "A client that shares keys with signed devices only (matrix-js-sdk 37.5.0, Rust crypto)"
        f" {signed}; {figures.kills} SIGKILLs; {figures.seconds:.0f} s in all. The attachment is"
        f" {file}.\n\n"
        "| sent | stored open | of these first shut | only shut | missing | twice |\n"
        "|---|---|---|---|---|---|\n"
        f"| {' | '.join(map(str, counts))} |"
    )


async def run(
    *,
    python: Path,
    folder: Path,
    plan: Plan,
    progress: Callable[[str], None] = lambda _: None,
) -> Figures:
    """The whole of it. ``python`` has Synapse; ``folder`` MUST NOT exist."""
    async with on_encrypted(python=python, folder=folder) as scene:
        return await measure(scene, plan, progress=progress)


def main() -> None:
    """Read the arguments, measure, print; 1 if an event is missing, unopened, or there twice."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--synapse", type=Path, required=True, help="python with Synapse")
    for name in ("down", "kills", "count"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name))
    chosen = parser.parse_args()
    plan = Plan(down=chosen.down, kills=chosen.kills, count=chosen.count)
    with tempfile.TemporaryDirectory(prefix="muniment-encrypted-") as name:
        figures = asyncio.run(
            run(
                python=chosen.synapse.absolute(),
                folder=Path(name) / "recorder",
                plan=plan,
                progress=lambda line: print(line, file=sys.stderr, flush=True),
            )
        )
    print(told(figures))
    raise SystemExit(0 if figures.complete else 1)


if __name__ == "__main__":
    main()
