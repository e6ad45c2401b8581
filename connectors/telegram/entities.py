"""What entities say that the text does not show; their offsets count UTF-16 units."""

from __future__ import annotations

from bridge.rawjson.fields import JsonObject, count, table, tables, text, whole
from connectors.telegram.reading import Facts, fact

OUTSIDE = "An entity lies outside of its text."
CUTTING = "An entity cuts a character in two."


def hidden(message: JsonObject) -> Facts:
    """Addresses behind words, and accounts that are mentioned by name only; one a line."""
    links: list[str] = []
    mentions: list[str] = []
    for _, entities in _ENTITIES:
        for entity in tables(message, entities):
            if (url := text(entity, "url")) is not None:
                links.append(url)
            if (user := whole(table(entity, "user"), "id")) is not None:
                mentions.append(str(user))
    return fact("links", "\n".join(links)) + fact("mentions", "\n".join(mentions))


def oddness(message: JsonObject) -> str | None:
    """What is wrong with the entities of text, caption and quote."""
    found: dict[str, None] = {}
    for of, entities in _ENTITIES:
        _check(message, of, entities, found)
    _check(table(message, "quote"), "text", "entities", found)
    return " ".join(found) or None


def _check(fields: JsonObject, of: str, entities: str, found: dict[str, None]) -> None:
    listed = tables(fields, entities)
    if not listed:
        return
    edges = _edges(text(fields, of) or "")
    for entity in listed:
        start, length = count(entity, "offset"), count(entity, "length")
        end = None if start is None or length is None else start + length
        if start is None or end is None or end >= len(edges):
            found[OUTSIDE] = None
        elif not (edges[start] and edges[end]):
            found[CUTTING] = None


def _edges(shown: str) -> bytearray:
    """For each place between UTF-16 units, whether it lies between characters."""
    edges = bytearray(b"\x01")
    for char in shown:
        edges += b"\x00\x01" if char > "\uffff" else b"\x01"
    return edges


_ENTITIES = (("text", "entities"), ("caption", "caption_entities"))
