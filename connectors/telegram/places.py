"""Locations and venues."""

from __future__ import annotations

from bridge.rawjson.fields import JsonObject, table, text, whole
from connectors.telegram.reading import Facts, fact, lines


def geo_uri(location: JsonObject) -> str | None:
    """The place as an address, or None where it is none on earth."""
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if not (_is_angle(latitude, 90) and _is_angle(longitude, 180)):
        return None
    return f"geo:{latitude},{longitude}"


def place(message: JsonObject) -> tuple[str | None, Facts]:
    """What a reader reads of a location or venue, and its facts."""
    venue = table(message, "venue")
    location = table(venue, "location") or table(message, "location")
    uri = geo_uri(location)
    named = lines(text(venue, "title"), text(venue, "address"))
    facts = fact("geo_uri", uri) + fact("live_period", whole(location, "live_period"))
    return named or uri, facts


def _is_angle(value: object, most: int) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isinstance(value, int | float) and -most <= value <= most
