"""The program publishes what it writes down, and says so."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.demo.ports import free_ports
from bridge.notekeys import parse_verifier
from storage.translog.checkpoint import open_checkpoint
from tests.acceptance.program import matrix_table, muniment, started, stderr_of
from tests.acceptance.test_stopping import GROUP
from tests.patience import ended, until


def test_a_run_leaves_a_checkpoint_over_all_its_leaves(config: Path, tmp_path: Path) -> None:
    """After a stop the store shows a checkpoint of our key over every leaf, and so does status."""
    table = matrix_table(tmp_path, f"http://127.0.0.1:{free_ports(1)[0]}")
    config.write_text(config.read_text() + table + GROUP)
    data = config.parent / "var"
    acts = data / "store" / "v1"
    with started(config) as child:
        until(lambda: any(acts.glob("*/acts/*/*/*/*.json")))
        child.terminate()
        assert ended(child) == 0
    assert "Traceback" not in stderr_of(config).read_text()
    with closing(sqlite3.connect(data / "journal.db")) as db:
        ((leaves,),) = db.execute("SELECT COUNT(*) FROM leaf").fetchall()
    (checkpoint,) = acts.glob("*/log/0/checkpoint")
    verifier = parse_verifier((config.parent / "keys" / "public.key").read_text())
    assert open_checkpoint(checkpoint.read_bytes(), verifier).size == leaves > 0
    said = json.loads(muniment("status", "--json", "--config", str(config)).out)["log"]
    assert (said["size"], said["waiting"]) == (leaves, 0)
    assert said["checkpoint_at"] is not None
