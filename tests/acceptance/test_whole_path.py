"""The main job on real parts: the program as users start it, a real Synapse, a real store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.cases import SHORT
from benchmarks.loss import loss_table, lost, muniment
from bridge.demo.script import SCRIPT
from tests.patience import PATIENCE
from tests.servers.synapse import MARKS, synapse_python

pytestmark = MARKS


async def test_nothing_is_lost_in_the_short_table(tmp_path: Path) -> None:
    """Live, down, in a burst, behind a slow classifier, killed, limited: journalled and stored."""
    results = await loss_table(
        python=synapse_python(), folder=tmp_path, cases=SHORT, makers=[muniment], quiet=PATIENCE
    )
    assert len(results) == len(SHORT)
    assert {result.case: lost(result) for result in results} == {case.key: 0 for case in SHORT}


def test_the_demonstration_keeps_and_discards_what_it_should(tmp_path: Path) -> None:
    """``muniment demo --once`` exits 0: all is where it should be, and the console proves one."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bridge", "demo", "--once"),
            *("--synapse", str(synapse_python()), "--folder", str(tmp_path / "demo")),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said[-4000:]
    assert f"All {len(SCRIPT)} lines as expected" in said
    assert "The console as expected" in said
    secrets = {file.name for file in (tmp_path / "demo" / "recorder").glob("*.password")}
    assert secrets == {"recorder.password"}
