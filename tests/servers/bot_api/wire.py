"""JSON as the Bot API writes it, and the parameters of a request as it reads them.

Documentation: "Making requests" (GET and POST; query string, urlencoded, JSON or multipart;
``ok``, ``result``, ``error_code``, ``description``, ``parameters``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from tests.servers.bot_api.refusals import RefusalError, bad_request

JsonObject: TypeAlias = dict[str, object]

NOTHING: Mapping[str, object] = MappingProxyType({})


def encode(value: object) -> str:
    r"""Compact, and everything beyond ASCII as ``\uXXXX`` (surrogate pairs beyond the BMP)."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def success(result: bytes, description: str | None = None) -> bytes:
    """The body of an answer; ``result`` is JSON already."""
    said = b"" if description is None else b',"description":' + encode(description).encode()
    return b'{"ok":true,"result":' + result + said + b"}"


def failure(refusal: RefusalError) -> bytes:
    """The body of a refusal."""
    body: JsonObject = {
        "ok": False,
        "error_code": refusal.status,
        "description": refusal.description,
    }
    if refusal.parameters:
        body["parameters"] = dict(refusal.parameters)
    return encode(body).encode()


class Parameters:
    """The parameters of one request. Numbers, flags and lists may come as texts."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def text(self, name: str) -> str:
        """A text, or an empty one."""
        value = self._given.get(name)
        return "" if value is None else value if isinstance(value, str) else encode(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A number, or the default where there is none or no number."""
        value = self._given.get(name)
        if isinstance(value, bool) or value is None:
            return default
        try:
            return int(str(value))
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        """True, ``true``, ``yes`` or 1."""
        return str(self._given.get(name, "")).lower() in {"true", "yes", "1"}

    def loaded(self, name: str) -> object:
        """A JSON value, be it sent as itself or as text.

        Raises:
            RefusalError: it is a text and no JSON.
        """
        value = self._given.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def names(self, name: str) -> frozenset[str] | None:
        """A list of texts, or None where it was not sent.

        Raises:
            RefusalError: it is no list.
        """
        if name not in self._given:
            return None
        value = self.loaded(name)
        if value is None:
            return frozenset()
        if not isinstance(value, list):
            raise bad_request(f"{name} must be an Array of String")
        return frozenset(str(each) for each in value)

    def plain(self) -> JsonObject:
        """What was sent, for tests that look at it."""
        return dict(self._given)
