"""How much of the program a command loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge import app
from bridge.app.reading import VERSION
from bridge.cli.arguments import VERBS, parser
from tests.patience import PATIENCE

HEAVY = (
    "aiohttp",
    "aiosqlite",
    "authlib",
    "boto3",
    "bridge.classify",
    "config.settings",
    "connectors",
    "starlette",
    "telegram",
)


def test_verify_loads_no_adapter_and_no_settings(tmp_path: Path) -> None:
    """A stranger's look at a folder needs neither the bot's libraries nor those of other stores."""
    (tmp_path / "public.key").write_text("none\n")
    program = (
        "import sys\n"
        "from bridge.cli import main\n"
        f"code = main(['verify', '--store', 'file:{tmp_path}',"
        f" '--public-key', '{tmp_path / 'public.key'}'])\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "2 []\n"


def test_a_verb_is_shown_as_it_is_among_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help is the same, whether the other verbs are loaded or not."""
    shown = []
    for verbs in (("verify",), VERBS):
        with pytest.raises(SystemExit):
            parser(verbs).parse_args(["verify", "--help"])
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_everything_that_the_root_offers_is_there() -> None:
    """Each name is found in its module when it is asked for, and no other name."""
    assert all(getattr(app, name) is not None for name in app.__all__)
    assert app.VERSION == VERSION
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        app.nothing  # noqa: B018
