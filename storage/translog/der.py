"""Just enough DER to put the certificates of a time-stamp token in order. Pure.

A SET OF stands sorted in DER. Common authorities send the certificates of their chain in the
order of the chain instead, which strict readers refuse. Nothing signed covers that order: sorted,
the token says the same, and has the same length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.translog.malformed import MalformedError

SEQUENCE = 0x30
EXPLICIT_0 = 0xA0


class DerError(MalformedError):
    """The bytes are not definite-length ASN.1 of the form that was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """Where an element stands: ``start`` of its tag, ``inner`` to ``end`` its value."""

    tag: int
    start: int
    inner: int
    end: int


def with_certificates_in_order(response: bytes) -> bytes:
    """A TimeStampResp with the certificates of its token sorted; without any, as it is.

    Raises:
        DerError: it has not the form of one.
    """
    outer = _element(response, 0, len(response), SEQUENCE)
    if outer.end != len(response):
        raise DerError("bytes follow the response")
    parts = list(_elements(response, outer))
    if len(parts) < 2:
        return response  # refused: there is no token
    content = list(_elements(response, _of(response, parts[1], SEQUENCE)))
    if len(content) != 2 or content[1].tag != EXPLICIT_0:
        raise DerError("the token is not a ContentInfo")
    signed = _element(response, content[1].inner, content[1].end, SEQUENCE)
    for part in _elements(response, signed):
        if part.tag == EXPLICIT_0:
            ordered = sorted(response[one.start : one.end] for one in _elements(response, part))
            return response[: part.inner] + b"".join(ordered) + response[part.end :]
    return response


def _elements(data: bytes, within: Element) -> Iterator[Element]:
    at = within.inner
    while at < within.end:
        element = _element(data, at, within.end)
        yield element
        at = element.end


def _of(data: bytes, element: Element, tag: int) -> Element:
    return _element(data, element.start, element.end, tag)


def _element(data: bytes, at: int, stop: int, tag: int | None = None) -> Element:
    """The element that begins at ``at`` and ends at ``stop`` or before."""
    if at + 2 > stop:
        raise DerError("an element is cut short")
    found, first, inner = data[at], data[at + 1], at + 2
    if tag is not None and found != tag:
        raise DerError(f"element 0x{found:02x} stands where 0x{tag:02x} should")
    length = first
    if first >= 0x80:
        width = first - 0x80
        if not 1 <= width <= 4 or inner + width > stop:
            raise DerError("an element has no definite length")
        length, inner = int.from_bytes(data[inner : inner + width], "big"), inner + width
    if inner + length > stop:
        raise DerError("an element is longer than what holds it")
    return Element(tag=found, start=at, inner=inner, end=inner + length)
