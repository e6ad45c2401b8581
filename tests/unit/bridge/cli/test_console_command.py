"""``muniment console create-user`` and ``change-user``: where the password comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli import main

PASSWORD = "a long password of hers"


@pytest.mark.parametrize("verb", [("create-user", "al", "--role", "reader"), ("change-user", "jo")])
def test_a_password_that_others_may_read_is_refused(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the remedy, and unsaid."""
    config = tmp_path / "bridge" / "muniment.toml"
    assert main(["init", str(config.parent)]) == 0
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o644)
    given = ["--config", str(config), "--password-file", str(file)]
    assert main(["console", *verb, *given]) == 2
    said = capsys.readouterr().err
    assert f"chmod 600 {file}" in said
    assert PASSWORD not in said
