"""Texts of settings files, and how the tests read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SettingsError
from config.settings import Settings, parse

MATRIX = """
[[matrix]]
name = "matrix"
homeserver = "https://matrix.example.org/"
user_id = "@recorder:example.org"
password_file = "keys/matrix.password"
"""
TELEGRAM = """
[[telegram]]
name = "telegram"
token_file = "keys/telegram.token"
"""
GROUP = """
[[groups]]
connector = "matrix"
id = "!room:example.org"
name = "Flood cell"
"""
WITNESSES = """
[witness]
url = "https://w1.example.org"
public_key_file = "keys/w1.key"
quorum = 2

[[witnesses]]
url = "https://w2.example.org"
public_key_file = "keys/w2.key"

[[witnesses]]
url = "https://w3.example.org"
public_key_file = "keys/w3.key"
"""
S3 = '[store]\nurl = "s3://bucket/pre/fix/"\nretention_days = 365\n'


def read(text: str, environ: dict[str, str] | None = None) -> Settings:
    """Settings from a text, as if it stood in /srv/muniment.toml."""
    return parse(text, Path("/srv/muniment.toml"), environ or {})


def sentence(text: str, environ: dict[str, str] | None = None) -> str:
    """What is said of a text that cannot be used."""
    with pytest.raises(SettingsError) as caught:
        read(text, environ)
    error = caught.value
    assert error.message == str(error) == f"{error.field} {error.fact}: {error.remedy}."
    assert "\n" not in error.message
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error.message
