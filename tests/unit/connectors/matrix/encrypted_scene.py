"""A homeserver and a recorder with keys, for the tests of the client."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest_asyncio

from bridge.protocols import Decrypter
from connectors.matrix.client import MatrixConnector
from connectors.matrix.crypto.settings import CryptoSettings
from tests.fakes.clock import FakeClock
from tests.fakes.homeserver import CLERK, PASSWORD, RECORDER, FakeHomeserver
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.patience import PATIENCE

ENCRYPTION = {"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}}


@dataclass(slots=True)
class Scene:
    """A homeserver, and a recorder with keys; its clock stands until it is moved.

    ``has_password``: beside the ``access_token``; without one there is a password anyway.
    """

    server: FakeHomeserver
    folder: Path
    told: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(waiting=True))
    recovery_key_file: Path | None = None
    access_token: str | None = None
    has_password: bool = False
    intakes: list[Intake] = field(default_factory=list)

    def connector(self) -> MatrixConnector:
        """As the composition root makes it."""
        sign = Sign(
            homeserver=self.server.url,
            user_id=RECORDER,
            folder=self.folder,
            password=PASSWORD if self.has_password or not self.access_token else None,
            access_token=self.access_token,
        )
        settings = CryptoSettings(
            folder=self.folder,
            key=bytes(32),
            recovery_key_file=self.recovery_key_file,
            random=secrets.token_bytes,
            tell=self.told.append,
        )
        return matrix_connector(sign, self.clock, crypto=settings)

    def intake(self) -> Intake:
        """A recorder."""
        made = Intake(self.connector)
        self.intakes.append(made)
        return made

    def invitation(self, name: str, *, encrypted: bool = True) -> str:
        """A room that the recorder is asked into."""
        room = self.server.world.room(name, state=ENCRYPTION if encrypted else None)
        self.server.world.member(room, RECORDER, "invite", sender=CLERK)
        return room

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let time pass until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self.clock.advance_to_next()
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A homeserver and its recorder."""
    async with FakeHomeserver() as server:
        made = Scene(server, tmp_path)
        yield made
        for intake in made.intakes:
            await intake.connector.aclose()


def keys_of(intake: Intake) -> Decrypter:
    """The recorder's decrypter."""
    decrypter = intake.connector.decrypter
    assert decrypter is not None
    return decrypter
