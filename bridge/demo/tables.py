"""Tables that an operator writes into the settings: where the account is, which groups. Pure."""

from __future__ import annotations

import json


def matrix_table(name: str, homeserver: str, user_id: str, password_file: str) -> str:
    """The account on Matrix."""
    return (
        "\n[[matrix]]\n"
        f"name = {quoted(name)}\n"
        f"homeserver = {quoted(homeserver)}\n"
        f"user_id = {quoted(user_id)}\n"
        f"password_file = {quoted(password_file)}\n"
    )


def telegram_table(name: str, api_base: str, token_file: str) -> str:
    """The bot on Telegram."""
    return (
        "\n[[telegram]]\n"
        f"name = {quoted(name)}\n"
        f"token_file = {quoted(token_file)}\n"
        f"api_base = {quoted(api_base)}\n"
    )


def group_table(connector: str, group_id: str, name: str) -> str:
    """An approved group."""
    return (
        "\n[[groups]]\n"
        f"connector = {quoted(connector)}\n"
        f"id = {quoted(group_id)}\n"
        f"name = {quoted(name)}\n"
    )


def quoted(text: str) -> str:
    """A string of TOML."""
    # Every JSON string is a TOML basic string.
    return json.dumps(text, ensure_ascii=False)
