"""Who calls, and under which name: the Host, and what a configured proxy says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

KEY: Final = "muniment.caller"
"""Where the scope of a request holds its caller, once the gate let it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``place`` is host and port as the browser has them, ``address`` that of the browser."""

    scheme: str
    place: str
    address: str

    @property
    def is_local(self) -> bool:
        """Whether the browser runs on this machine."""
        return is_loopback(self.address)

    @property
    def network(self) -> str:
        """Whom attempts to sign in are counted for: one address, of IPv6 one household."""
        known = _address(self.address)
        if isinstance(known, IPv6Address):
            return str(ip_network((known, 64), strict=False))
        return self.address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    known = _address(host)
    return host.lower() == "localhost" if known is None else known.is_loopback


def host_names(hosts: Iterable[str]) -> frozenset[str]:
    """Configured names as :func:`host_name` gives them; an IPv6 address may stand in brackets."""
    return frozenset(_normal(host.removeprefix("[").removesuffix("]")) for host in hosts)


def host_name(place: str) -> str | None:
    """The name in a Host header, without its port, lower case; None where it is malformed."""
    if place.startswith("["):
        name, bracket, port = place[1:].partition("]")
        if not bracket or not isinstance(_address(name), IPv6Address):
            return None
    else:
        name, colon, port = place.partition(":")
        port = colon + port
    if port and not (port.startswith(":") and port[1:].isascii() and port[1:].isdecimal()):
        return None
    return _normal(name) if name else None


def caller_of(scope: Scope, *, hosts: frozenset[str], proxy: str | None) -> Caller | None:
    """The caller of a request; None where the console does not answer to that name.

    X-Forwarded headers count only where ``proxy`` itself calls, and of each only its last value,
    which is the one that the proxy wrote.
    """
    headers = Headers(scope=scope)
    places = headers.getlist("host")
    client = scope.get("client")
    address = client[0] if client else ""
    scheme = scope["scheme"]
    if proxy is not None and _normal(address) == _normal(proxy):
        places = _last(headers, "x-forwarded-host") or places
        address = next(iter(_last(headers, "x-forwarded-for")), "")
        scheme = next(iter(_last(headers, "x-forwarded-proto")), scheme)
    if len(places) != 1 or host_name(places[0]) not in hosts:
        return None
    return Caller(scheme="https" if scheme == "https" else "http", place=places[0], address=address)


def _last(headers: Headers, name: str) -> list[str]:
    values = ",".join(headers.getlist(name)).split(",")
    return [values[-1].strip()] if values[-1].strip() else []


def _normal(name: str) -> str:
    known = _address(name)
    return name.lower() if known is None else known.compressed


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
