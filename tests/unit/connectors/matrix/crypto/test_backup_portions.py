"""One key that a homeserver refuses keeps no other key out of the backup."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConnectorRejectedError
from bridge.model import Provenance
from connectors.matrix.crypto.backup import MOST_REFUSED, PORTION
from connectors.matrix.crypto.recovery_key import RecoveryKey
from connectors.matrix.crypto.safekeeping import REFUSED_REST, Safekeeping
from tests.fakes.clock import FakeClock
from tests.unit.connectors.matrix.crypto.account_server import FakeKeeper, Randomness
from tests.unit.connectors.matrix.crypto.sessions import ROOM, keys
from tests.unit.connectors.matrix.crypto.test_backup import MASTER, RECOVERY, Scene, scene

__all__ = ["scene"]


async def test_keys_that_the_server_refuses(scene: Scene) -> None:
    """All others are backed up; those are passed over until they are offered once more."""
    machine = await scene.machine()
    given = keys(PORTION + 30)
    await machine.import_keys(given, Provenance.IMPORT)
    scene.backups.refused = {given[at].session_id for at in (0, 17, PORTION, PORTION + 29)}
    backup = await scene.backup(machine)
    with capture_logs() as logs:
        assert await backup.upload() == len(given) - 4
    said = [(each["event"], each["code"], each["refused"]) for each in logs]
    assert said == [("key_not_taken", "M_INVALID_PARAM", number) for number in (1, 2, 3, 4)]
    assert scene.backups.puts < 50
    [stored] = scene.backups.versions.values()
    assert len(stored.rooms[ROOM]) == len(given) - 4
    puts = scene.backups.puts
    assert await backup.upload() == 0
    assert (scene.backups.puts, backup.refused) == (puts, 4)
    scene.backups.refused.clear()
    backup.reconsider()
    assert await backup.upload() == 4


async def test_a_server_that_refuses_every_key(scene: Scene) -> None:
    """It is said, and not asked about each of them; each later try comes further."""
    machine = await scene.machine()
    given = keys(PORTION)
    await machine.import_keys(given, Provenance.IMPORT)
    scene.backups.refused = {key.session_id for key in given}
    backup = await scene.backup(machine)
    for at in (1, 2):
        with pytest.raises(ConnectorRejectedError):
            await backup.upload()
        assert backup.refused == at * MOST_REFUSED
        assert scene.backups.puts < at * 3 * MOST_REFUSED


async def test_the_others_of_a_portion_that_is_refused(scene: Scene) -> None:
    """Where many are refused the rest come with the next tries, and the refused ones hourly."""
    machine = await scene.machine()
    given = keys(PORTION)
    await machine.import_keys(given, Provenance.IMPORT)
    scene.backups.refused = {key.session_id for key in given[: MOST_REFUSED + 5]}
    await (await scene.vault()).make_default()
    clock = FakeClock()
    safekeeping = Safekeeping(
        backups=scene.backups,
        server=scene.account,
        keeper=FakeKeeper(RecoveryKey(raw=RECOVERY.raw)),
        machine=machine,
        random=Randomness(),
        clock=clock,
    )
    safekeeping.master = MASTER.public
    await safekeeping.work()
    assert safekeeping.troubles
    clock.advance(safekeeping.left)
    await safekeeping.work()
    assert safekeeping.troubles == ()
    [stored] = scene.backups.versions.values()
    assert len(stored.rooms[ROOM]) == PORTION - MOST_REFUSED - 5
    scene.backups.refused.clear()
    clock.advance(REFUSED_REST)
    await safekeeping.work()
    assert len(stored.rooms[ROOM]) == PORTION
