"""Under which names the console answers, and whom it believes about them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from starlette.types import Scope

from bridge.console.app import ASSETS
from bridge.console.callers import Caller, caller_of, host_name, host_names, is_loopback
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk, console_over

HOSTS = host_names(["Records.Example.org", "127.0.0.1", "[::1]"])
PROXY = "192.0.2.7"


def scope(*headers: tuple[str, str], client: str = "198.51.100.1") -> Scope:
    """A request with these headers, from this address."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "scheme": "http", "headers": raw, "client": (client, 4)}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("records.example.org", "records.example.org"),
        ("RECORDS.Example.ORG:8080", "records.example.org"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:8080", "::1"),
        ("[0:0:0:0:0:0:0:1]:8080", "::1"),
        ("::1", None),
        ("", None),
        (":80", None),
        ("localhost:", None),
        ("localhost:http", None),
        ("localhost:80:80", None),
        ("localhost:٣", None),
        ("[localhost]", None),
        ("[::1", None),
        ("[::1]x", None),
        ("localhost@evil.example", "localhost@evil.example"),
    ],
)
def test_the_name_in_a_host_header(place: str, name: str | None) -> None:
    """Port and case do not matter; what is malformed is no name."""
    assert host_name(place) == name


@pytest.mark.parametrize(
    "places",
    [
        [],
        ["evil.example"],
        ["records.example.org", "records.example.org"],
        ["records.example.org.evil.example"],
        ["records.example.org."],
        ["records.example.org, evil.example"],
    ],
)
def test_another_name_is_not_served(places: list[str]) -> None:
    """Nor is none, nor are two."""
    asked = scope(*(("host", place) for place in places))
    assert caller_of(asked, hosts=HOSTS, proxy=None) is None


def test_only_the_configured_proxy_is_believed() -> None:
    """Of what it says the last value counts, which it wrote itself."""
    told = (
        ("host", "inner:8080"),
        ("x-forwarded-host", "evil.example, records.example.org"),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
        ("x-forwarded-proto", "http,https"),
    )
    behind = caller_of(scope(*told, client=PROXY), hosts=HOSTS, proxy=PROXY)
    assert behind == Caller(scheme="https", place="records.example.org", address="203.0.113.9")
    assert caller_of(scope(*told), hosts=HOSTS, proxy=PROXY) is None
    assert caller_of(scope(*told, client=PROXY), hosts=HOSTS, proxy=None) is None
    lying = scope(("host", "127.0.0.1"), ("x-forwarded-for", "127.0.0.1"))
    direct = caller_of(lying, hosts=HOSTS, proxy=PROXY)
    assert direct == Caller(scheme="http", place="127.0.0.1", address="198.51.100.1")


def test_a_proxy_that_does_not_say_for_whom_it_asks_is_nobody_on_this_machine() -> None:
    """Its own address is not the browser's."""
    told = scope(("host", "127.0.0.1"), client="127.0.0.1")
    behind = caller_of(told, hosts=HOSTS, proxy="127.0.0.1")
    assert behind is not None
    assert not behind.is_local


def test_attempts_are_counted_by_address_and_of_ipv6_by_network() -> None:
    """One household has billions of IPv6 addresses."""
    ones = [
        Caller(scheme="http", place="x", address=address).network
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2")
    ]
    assert ones[0] == ones[1]
    assert len(set(ones)) == 4


def test_which_listeners_other_machines_reach() -> None:
    """An unspecified address is every address."""
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "LOCALHOST"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"))


async def test_nothing_is_served_under_a_foreign_name(desk: Desk) -> None:
    """Neither pages nor assets nor errors, and not to who is signed in either."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    for host in ("evil.example", "evil.example:8080", "[::2]", "127.0.0.2"):
        for path in ("/", "/sign-in", "/groups", "/none", "/assets/console.css"):
            for method in ("GET", "POST", "PUT"):
                answer = await browser.send(method, path, headers={"host": host})
                assert (answer.status_code, answer.text) == (421, "This name is not served here.\n")
                assert not answer.headers.get_list("set-cookie")


async def test_every_configured_name_is_served(desk: Desk) -> None:
    """An IPv6 address may stand in the settings with or without brackets."""
    parts = replace(desk.parts, hosts=frozenset({"[::1]", "::2", "Example.ORG"}))
    app = await asyncio.to_thread(console_over, parts)
    for host in ("[::1]:8080", "[::2]", "example.org:443"):
        browser = Browser(app, host="example.org")
        answer = await browser.send("GET", "/sign-in", headers={"host": host})
        assert answer.status_code == 200, host
        await browser.aclose()


async def test_assets_are_open_to_everybody_and_there_are_no_others(desk: Desk) -> None:
    """They say nothing of anybody, and no path leads out of their folder."""
    visitor = desk.visitor()
    for name, kind in ASSETS.items():
        answer = await visitor.get(f"/assets/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["cache-control"] == "public, max-age=3600"
    for name in ("NOTICE.txt", "../site.py", "%2e%2e/site.py", "..%2fsite.py", "", "console.scss"):
        assert (await visitor.get(f"/assets/{name}")).status_code == 404, name
    found: httpx.Response = await visitor.get("/assets")
    assert found.status_code == 404
