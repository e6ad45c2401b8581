"""A [[telegram]] table becomes a connector, or is refused with a remedy and without its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.app.platforms import connectors_of
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from config.errors import SettingsError
from config.settings import Settings, parse

TOKEN = "4000001:0123456789abcdefghijklmnopqrstuvwxyz"
SECRET = "0123456789abcdef_-ABC"
TABLE = '[[telegram]]\nname = "telegram"\ntoken_file = "token"\n'
WEBHOOK = (
    'webhook_url = "https://bridge.example.org/hook"\n'
    'webhook_listen = "127.0.0.1:0"\n'
    'webhook_secret_file = "secret"\n'
)


def _settings(
    folder: Path, text: str = "", *, token: str = TOKEN, secret: str = SECRET
) -> Settings:
    for name, content in (("token", token), ("secret", secret)):
        (folder / name).write_text(content + "\n")
        (folder / name).chmod(0o600)
    return parse(TABLE + text, folder / "muniment.toml", {})


def _refused(settings: Settings) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        connectors_of(settings, SystemClock())
    return caught.value


@pytest.mark.parametrize("text", ["", 'local_files = "files"\n', WEBHOOK])
def test_a_bot_is_a_connector(tmp_path: Path, text: str) -> None:
    """Polling, with an own server, or by webhook: there is a connector of its name."""
    connectors = connectors_of(_settings(tmp_path, text), SystemClock(), say=print)
    (connector,) = connectors.values()
    assert (connector.name, connector.platform) == ("telegram", "telegram")
    assert TOKEN not in repr(connector)
    assert connector.decrypter is None


@pytest.mark.parametrize(
    "token", ["abc", TOKEN + " x", f"{TOKEN}\n{TOKEN}", "1:short", f"bot{TOKEN}"]
)
def test_a_token_that_is_none_is_refused(tmp_path: Path, token: str) -> None:
    """A file that holds something else is named, with what belongs into it, and not repeated."""
    error = _refused(_settings(tmp_path, token=token))
    assert str(tmp_path / "token") in str(error)
    assert "@BotFather" in error.hint
    assert token not in str(error) + error.hint


@pytest.mark.parametrize("secret", ["short", "x" * 257, "with spaces in it, and more", "ü" * 20])
def test_a_secret_that_telegram_would_not_take_is_refused(tmp_path: Path, secret: str) -> None:
    """A secret that is too short, too long, or of other characters is named and not repeated."""
    error = _refused(_settings(tmp_path, WEBHOOK, secret=secret))
    assert str(tmp_path / "secret") in str(error)
    assert "openssl" in error.hint
    assert secret not in str(error) + error.hint


def test_a_token_file_open_to_others_is_refused(tmp_path: Path) -> None:
    """Nobody else on the machine may read the token."""
    settings = _settings(tmp_path)
    (tmp_path / "token").chmod(0o644)
    assert "is open to others" in str(_refused(settings))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_half_a_webhook_is_refused(tmp_path: Path, missing: int) -> None:
    """Address, listener and secret are given together or not at all."""
    lines = WEBHOOK.splitlines()
    key = lines.pop(missing).partition(" ")[0]
    with pytest.raises(SettingsError, match=rf"{key} .*is missing beside webhook_.*give all of"):
        _settings(tmp_path, "\n".join(lines))


def test_a_webhook_in_the_clear_is_for_an_own_server_only(tmp_path: Path) -> None:
    """Telegram insists on https; a Bot API server of one's own does not."""
    clear = WEBHOOK.replace("https:", "http:")
    with pytest.raises(SettingsError, match=r"webhook_url .*is not an https address"):
        _settings(tmp_path, clear)
    _settings(tmp_path, clear + 'api_base = "http://127.0.0.1:8081"\n')
