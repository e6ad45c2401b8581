"""A policy that is another one with changes: ``extends``, resolved from texts passed in.

There is one rule for all of a policy. A table is laid over the base's table of that name, key by
key. In a list of tables (``[[rules]]``, ``[[cues]]``, ``[[markings.forms]]``) one with the ``id``
or ``name`` of an earlier one takes its place, and any other is put behind. Everything else
replaces what the base has. ``without`` names rules and cues of the base that do not hold.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.classify.table import Table
from bridge.errors import PolicyError
from bridge.model import Digest

EXTENDS = "extends"
OWN = ("name", "version", "title", "sources")
"""What a policy says of itself; never taken over from a base."""

_LISTS = ("rules", "cues")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The whole policy as one document, and a digest of every text that it was made of."""

    document: dict[str, object]
    extends: str | None
    digest: str


def resolve(text: str, bases: Mapping[str, str]) -> Resolved:
    """The document of ``text``, laid over its base where it names one.

    ``bases`` are the texts of other policies by ``name-version``. The same texts MUST give the same
    digest, and others another.

    Raises:
        PolicyError: naming the field and the remedy.
    """
    document = _parsed(text, "")
    if EXTENDS not in document:
        if "without" in document:
            raise PolicyError(
                "without: there is nothing to leave out",
                hint="Name a base with extends, or remove without.",
            )
        return Resolved(document=document, extends=None, digest=_digest([text]))
    table = Table(document, "")
    name = table.text(EXTENDS)
    without = table.strings("without", ())
    if name not in bases:
        raise PolicyError(
            f"extends: there is no policy {name!r}",
            hint=f"Set extends to one of: {', '.join(sorted(bases)) or 'none is at hand'}.",
        )
    base = _parsed(bases[name], f"{name}: ")
    if EXTENDS in base:
        raise PolicyError(
            f"extends: {name!r} extends another policy itself",
            hint="Set extends to a policy that stands on its own.",
        )
    own = {key: value for key, value in document.items() if key not in {EXTENDS, "without"}}
    inherited = {key: value for key, value in base.items() if key not in OWN}
    merged = _laid(_less(inherited, without), own)
    return Resolved(document=merged, extends=name, digest=_digest([text, bases[name]]))


def _parsed(text: str, where: str) -> dict[str, object]:
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(
            f"{where}not TOML: {error}", hint="Correct the policy file at the place named."
        ) from error


def _digest(texts: Iterable[str]) -> str:
    """SHA-256 over the digests of the texts, so that no two lists of texts run together."""
    each = [Digest.of(text.encode("utf-8", "surrogatepass")).hex for text in texts]
    return each[0] if len(each) == 1 else Digest.of("\n".join(each).encode()).hex


def _less(base: Mapping[str, object], without: tuple[str, ...]) -> dict[str, object]:
    known = {_name(item) for key in _LISTS for item in _items(base.get(key))}
    for name in without:
        if name not in known:
            raise PolicyError(
                f"without: the base has no rule or cue {name!r}",
                hint="Correct the id in without, or remove it.",
            )
    kept: dict[str, object] = dict(base)
    for key in _LISTS:
        if key in kept:
            kept[key] = [item for item in _items(kept[key]) if _name(item) not in without]
    return kept


def _laid(base: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    laid = dict(base)
    for key, value in own.items():
        beneath = laid.get(key)
        if isinstance(beneath, dict) and isinstance(value, dict):
            laid[key] = _laid(beneath, value)
        elif _is_list_of_tables(beneath) and _is_list_of_tables(value):
            laid[key] = _listed(_items(beneath), _items(value))
        else:
            laid[key] = value
    return laid


def _listed(base: list[object], own: list[object]) -> list[object]:
    """The base's tables in their order, each replaced by its namesake; then the new ones."""
    by_name = {_name(item): item for item in own if _name(item)}
    kept = [by_name.get(_name(item), item) for item in base]
    taken = {_name(item) for item in base}
    return kept + [item for item in own if _name(item) not in taken]


def _name(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    return str(item.get("id", item.get("name", "")))


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
