"""What several measurements stand on: one Synapse in memory, people, and an S3 server that fails.

Everything runs on loopback and is ended with its block.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.s3_tool import BUCKET, Server, use_bucket
from bridge.demo.homeserver import Account, Homeserver
from bridge.demo.official import Official
from bridge.demo.ports import free_ports
from bridge.demo.recorder import ApprovedGroup, Recorder
from tests.servers.fault_s3 import RemoteFaultS3, fault_s3_process

PROGRAM = (sys.executable, "-m", "bridge")
"""The program of this checkout, before its verb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A prepared recorder, approved for ``rooms`` and invited to them, and where it stores."""

    people: Sequence[Official]
    rooms: tuple[str, ...]
    recorder: Recorder
    s3: RemoteFaultS3


@contextlib.asynccontextmanager
async def in_memory() -> AsyncIterator[Path]:
    """A folder in memory where there is one: the homeserver's disk is not what is measured."""
    memory = "/dev/shm" if await asyncio.to_thread(os.path.isdir, "/dev/shm") else None  # noqa: S108
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="muniment-", dir=memory)
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def account(homeserver: Homeserver, name: str) -> Account:
    """A new account with a password that nobody knows."""
    return await homeserver.register(name, secrets.token_urlsafe(12), name)


@contextlib.asynccontextmanager
async def speakers(homeserver: Homeserver, count: int) -> AsyncIterator[list[Official]]:
    """People who are signed in."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Official(
                    homeserver=homeserver.url,
                    account=await account(homeserver, f"speaker-{number}"),
                )
            )
            for number in range(count)
        ]


async def room_for(
    people: Sequence[Official], name: str, recorder: Account, *, retention_ms: int | None = None
) -> str:
    """A room with all the people in it, to which the recorder is invited."""
    host, *guests = people
    invited = [recorder.user_id, *(guest.user_id for guest in guests)]
    room = await host.create_room(name, invite=invited, retention_ms=retention_ms)
    for guest in guests:
        await guest.join(room)
    return room


@contextlib.asynccontextmanager
async def on_s3(
    *, python: Path, folder: Path, retentions_ms: Sequence[int | None], people: int = 2
) -> AsyncIterator[Scene]:
    """A recorder on an S3 server, not started yet, with one room for each of ``retentions_ms``.

    ``python`` has Synapse; ``folder`` MUST NOT exist. The recorder is stopped with the block.
    """
    async with contextlib.AsyncExitStack() as stack:
        s3 = stack.enter_context(fault_s3_process("--bucket", BUCKET))
        memory = await stack.enter_async_context(in_memory())
        homeserver = await stack.enter_async_context(Homeserver(folder=memory, python=python))
        speaking = await stack.enter_async_context(speakers(homeserver, people))
        own = await account(homeserver, "recorder")
        rooms = [
            await room_for(speaking, f"Room {number}", own, retention_ms=retention_ms)
            for number, retention_ms in enumerate(retentions_ms)
        ]
        recorder = Recorder(folder=folder, command=PROGRAM)
        groups = [ApprovedGroup(id=room, name="Measured") for room in rooms]
        await recorder.prepare(homeserver=homeserver.url, account=own, groups=groups)
        server = Server(name="fault S3", url=s3.url, access_key="writer", secret_key="secret")
        await asyncio.to_thread(use_bucket, recorder, server)
        await asyncio.to_thread(use_free_port, recorder)
        stack.push_async_callback(recorder.stop)
        yield Scene(people=speaking, rooms=tuple(rooms), recorder=recorder, s3=s3)


def use_free_port(recorder: Recorder) -> None:
    """Nothing else on this machine is to be an alarm of the recorder."""
    settings = recorder.config.read_text()
    (port,) = free_ports(1)
    recorder.config.write_text(settings.replace("127.0.0.1:9464", f"127.0.0.1:{port}", 1))
