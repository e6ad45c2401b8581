"""What was redacted while the recorder was down, on a real homeserver that keeps it (MSC2815)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.canonical.json import Json
from bridge.demo.homeserver import Homeserver
from bridge.demo.official import Official
from bridge.model import CaptureMethod, EventKind, Relation, RelationType
from tests.fakes.clock import FakeClock
from tests.fakes.intake import Intake, Sign, matrix_connector
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keeping(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    """A homeserver that shows what was redacted to those who may redact."""
    folder = tmp_path_factory.mktemp("synapse-msc2815")
    async with Homeserver(folder=folder, python=synapse_python()) as server:
        await server.stop()
        await asyncio.to_thread(_enable, folder / "homeserver.yaml")
        await server.start()
        yield server


def _enable(settings: Path) -> None:
    document: dict[str, Json] = json.loads(settings.read_text(encoding="utf-8"))
    document["experimental_features"] = {"msc2815_enabled": True}
    settings.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("power", [50, 0])
async def test_redacted_while_down(keeping: Homeserver, tmp_path: Path, power: int) -> None:
    """With the power to redact the recorder has the text after all; without, a gap says so."""
    clerk = await keeping.register(f"rescue-clerk-{power}", "password", "Clerk")
    account = await keeping.register(f"rescue-recorder-{power}", "password", "Recorder")
    sign = Sign(
        homeserver=keeping.url,
        user_id=account.user_id,
        folder=tmp_path,
        access_token=account.access_token,
    )
    intake = Intake(lambda: matrix_connector(sign, FakeClock()))
    async with Official(homeserver=keeping.url, account=clerk) as official:
        room = await official.create_room("Rescue", invite=[account.user_id])
        await intake.start(room)
        await intake.connector.join(room)
        await intake.until(lambda: bool(intake.of(room, EventKind.ROSTER)))
        await official.power(room, account.user_id, power)
        said = await official.text(room, "Open the sluice at six")
        redaction = await official.redact(room, said, "sent in error")
        await intake.restart()
        await intake.until(lambda: {said, redaction} <= intake.ids(room))
        await intake.until(lambda: b'"rescues"' not in (intake.cursor or b""))
    await intake.connector.aclose()
    pruned = intake.events[room, said, None]
    assert (pruned.kind, pruned.body, pruned.missing) == (EventKind.MESSAGE, None, None)
    assert dict(pruned.upstream)["redacted_by"] == redaction
    if not power:
        assert (room, said, "rescued") not in intake.events
        (loss,) = intake.losses
        assert (loss.group_id, loss.why) == (room, "not_rescued")
        assert loss.detail.startswith(f"{said}: The homeserver refuses it")
        return
    event = intake.events[room, said, "rescued"]
    assert (event.kind, event.body) == (EventKind.MESSAGE, "Open the sluice at six")
    assert event.method is CaptureMethod.RESCUE
    assert event.relates_to == Relation(type=RelationType.RESCUED, upstream_id=said)
    assert json.loads(event.raw)["event_id"] == said
    assert intake.losses == []
