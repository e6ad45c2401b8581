"""One table of a policy file, read field by field; what is wrong is named with its place."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from bridge.errors import PolicyError

Choice = TypeVar("Choice", bound=StrEnum)


class Table:
    """Typed access to a TOML table. ``close`` refuses what nobody asked for."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self._values = dict(values)
        self._where = where

    def at(self, key: str) -> str:
        """The place of a field as an operator would look for it."""
        return f"{self._where}.{key}" if self._where else key

    def keys(self) -> tuple[str, ...]:
        """The keys not yet taken."""
        return tuple(self._values)

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a text in quotes")
        return value

    def has(self, key: str) -> bool:
        """Whether the field stands there and has not been taken."""
        return key in self._values

    def whole(
        self, key: str, default: int | None = None, *, least: int = 0, most: int | None = None
    ) -> int:
        """A whole number of at least ``least``, and at most ``most``."""
        value = self._take(key, default)
        above = "" if most is None else f" and at most {most}"
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._wrong(key, f"a whole number of at least {least}{above}")
        if most is not None and value > most:
            raise self._wrong(key, f"a whole number of at least {least}{above}")
        return value

    def share(self, key: str, default: float | None = None) -> float:
        """A number between 0 and 1."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self._wrong(key, "a number between 0 and 1")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def choice(self, key: str, kind: type[Choice], default: Choice | None = None) -> Choice:
        """One of the words of ``kind``."""
        value = self._take(key, default)
        try:
            return kind(str(value))
        except ValueError:
            words = ", ".join(member.value for member in kind)
            raise self._wrong(key, f"one of {words}") from None

    def strings(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        value = self._take(key, default)
        if not isinstance(value, list | tuple):
            raise self._wrong(key, "a list of texts in quotes")
        found = tuple(item for item in value if isinstance(item, str) and item.strip())
        if len(found) != len(value):
            raise self._wrong(key, "a list of texts in quotes, none of them empty")
        return found

    def table(self, key: str) -> Table:
        """A table below this one."""
        value = self._take(key, None)
        if not isinstance(value, dict):
            raise self._wrong(key, f"a table [{self.at(key)}]")
        return Table(value, self.at(key))

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables, such as ``[[rules]]``."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(key, f"tables [[{self.at(key)}]]")
        return tuple(
            Table(item, f"{self.at(key)}[{item.get('id', n)}]") for n, item in enumerate(value, 1)
        )

    def close(self) -> None:
        """Refuse fields that nobody asked for: a misspelt one would silently change nothing."""
        for key in self._values:
            raise PolicyError(
                f"{self.at(key)}: unknown field",
                hint=f"Correct the spelling of {self.at(key)}, or remove it.",
            )

    def _take(self, key: str, default: object) -> object:
        if key in self._values:
            return self._values.pop(key)
        if default is None:
            raise PolicyError(f"{self.at(key)}: missing", hint=f"Add {self.at(key)} to the policy.")
        return default

    def _wrong(self, key: str, wanted: str) -> PolicyError:
        place = self.at(key)
        return PolicyError(f"{place}: must be {wanted}", hint=f"Set {place} to {wanted}.")
