"""What a store keeps, asked as the manual says."""

from __future__ import annotations

from tests.documented.commands import block
from tests.documented.walk import Walk, documented
from tests.servers.fault_s3 import fault_s3_process

MANUAL = "docs/operations.md"
KEYS = 'access_key_id = "{name}"\nsecret_access_key = "secret"'


@documented(f"{MANUAL}#What the store keeps")
def test_a_store_is_tried(walk: Walk) -> None:
    """With the settings of the page, by another identity, and without any settings."""
    config = walk.init("records")
    walk.secret("keys/store.toml", KEYS.format(name="writer"))
    walk.secret("keys/probe.toml", KEYS.format(name="probe"))
    with fault_s3_process("--bucket", "mydept-records") as server:
        text = config.read_text()
        begin, end = text.index("[store]"), text.index("[keys]")
        table = block(f"{MANUAL}#S3", "toml")
        table += f'endpoint_url = "{server.url}"\naddressing = "path"\n\n'
        config.write_text(text[:begin] + table + text[end:])
        for start in ("muniment doctor --store --probe", "muniment doctor --store"):
            assert "governance: enforced" in walk.run(start).err
        walk.put("https://store.example.org", server.url)
        (walk.folder / "elsewhere/keys").mkdir(parents=True)
        walk.go(walk.folder / "elsewhere")
        walk.secret("keys/store.toml", KEYS.format(name="writer"))
        assert "governance: enforced" in walk.run("muniment doctor --store s3://").err
