"""Being a witness for another department."""

from __future__ import annotations

from bridge.demo.ports import free_ports
from tests.archive import draft
from tests.documented.walk import Walk, documented, until


@documented(
    "docs/operations.md#Be a witness for another department",
    spans=("sqlite3 witness.db 'SELECT note FROM contradiction'",),
)
def test_a_witness_is_made_and_listens(walk: Walk) -> None:
    """Its key is printed, it names the log, and its memory can be looked at."""
    place = walk.folder / "srv"
    place.mkdir()
    walk.put("/srv/witness", place / "witness")
    walk.put("127.0.0.1:8091", f"127.0.0.1:{free_ports(1)[0]}")
    said = walk.run("muniment witness init")
    key = (place / "witness/public.key").read_text().strip()
    assert key.startswith("witness.example.org/w1+")
    assert key in said.err
    (walk.here / "their-public.key").write_text(draft(seed=5, leaves=60).public_key)
    with walk.started("muniment witness --listen") as witness:
        until(lambda: "listens on" in witness.text, witness)
        assert "for records.example.org/mydept/log/0" in witness.text
    walk.go(place / "witness")
    assert walk.run("sqlite3").out == ""
