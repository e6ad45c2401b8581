"""Signing in at an identity provider, which may err or lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from bridge.canonical.json import Json
from bridge.console.oidc import Claims, Person, Provider, Refusal
from bridge.console.sessions import COOKIE, VISITOR
from bridge.console.tickets import LASTS, issue, opened
from bridge.console.wire import Wire
from bridge.errors import ConnectorUnavailableError
from bridge.protocols.people import Account, Role
from tests.servers.oidc import CLIENT_ID, CLIENT_SECRET, OidcServer, oidc_server
from tests.unit.bridge.console.desk import Browser, Desk, console_over

JO: dict[str, Json] = {"sub": "1", "preferred_username": "jo", "roles": ["reader", "unknown"]}
START = "/sign-in?with=provider"


@pytest.fixture
async def server(desk: Desk) -> AsyncIterator[OidcServer]:
    """A provider at which Jo signs in."""
    async with oidc_server(desk.clock.now()) as started:
        started.person = dict(JO)
        yield started


def provider_at(server: OidcServer, **claims: str) -> Provider:
    """This console as its client."""
    return Provider(
        issuer=server.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        claims=Claims(**claims),  # type: ignore[arg-type]
        wire=Wire(),
    )


async def browser_of(desk: Desk, provider: Provider) -> Browser:
    """Somebody at a console whose people sign in there."""
    app = await asyncio.to_thread(console_over, replace(desk.parts, provider=provider))
    desk.browsers.append(Browser(app))
    return desk.browsers[-1]


@pytest.fixture
async def browser(desk: Desk, server: OidcServer) -> Browser:
    """Somebody who is not signed in."""
    return await browser_of(desk, provider_at(server))


async def come_back(browser: Browser, server: OidcServer, start: str = START) -> httpx.Response:
    """Go to the provider, agree there, and come back."""
    answer = await browser.get(start)
    assert answer.status_code == 303, answer.text
    back = urlsplit(server.authorize(answer.headers["location"]))
    return await browser.get(f"{back.path}?{back.query}")


async def test_a_person_signs_in_with_the_roles_that_the_provider_names(
    desk: Desk, browser: Browser, server: OidcServer
) -> None:
    """And stands in the trail by name, with who that is there."""
    page = await browser.get("/sign-in")
    assert START in page.text
    assert "password" not in page.text
    answer = await come_back(browser, server)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert set(browser.cookies) == {COOKIE}
    assert (await browser.get("/groups")).status_code == 200
    (line,) = await desk.trail()
    assert (line.who, line.what, line.allowed) == ("jo", "sign in", True)
    assert line.details == f"127.0.0.1 {server.url} 1"
    account = await desk.office.account("jo")
    assert account == Account(name="jo", roles=frozenset({Role.READER}), subject=f"{server.url} 1")


async def test_what_is_asked_of_the_provider(browser: Browser, server: OidcServer) -> None:
    """The code flow with PKCE, a state and a nonce, which differ each time."""
    asked = []
    for _ in range(2):
        answer = await browser.get(START)
        place, _, query = answer.headers["location"].partition("?")
        assert place == f"{server.url}/authorize"
        asked.append({name: values[0] for name, values in parse_qs(query).items()})
    for each in asked:
        assert each["redirect_uri"] == "http://127.0.0.1:8080/sign-in"
        assert each["scope"].split()[0] == "openid"
        assert "prompt" not in each
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


async def test_the_address_of_the_settings_is_where_it_sends_people_back(
    desk: Desk, server: OidcServer
) -> None:
    """Whatever name the browser used."""
    parts = replace(desk.parts, provider=provider_at(server), address="https://records.example.org")
    browser = Browser(await asyncio.to_thread(console_over, parts))
    url = (await browser.get(START)).headers["location"]
    assert parse_qs(urlsplit(url).query)["redirect_uri"] == ["https://records.example.org/sign-in"]
    await browser.aclose()


@pytest.mark.parametrize(
    "lie",
    [
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"iss": "https://login.example.org"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": 99999999999},
        {"nbf": 99999999999},
        {"sub": None},
        {"sub": ""},
        {"at_hash": "AAAA"},
        {"aud": None},
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    desk: Desk, browser: Browser, server: OidcServer, lie: dict[str, Json]
) -> None:
    """Nobody is signed in; the attempt stands in the trail."""
    server.lies = lie
    answer = await come_back(browser, server)
    assert answer.status_code == 403
    assert COOKIE not in browser.cookies
    assert [(line.what, line.allowed) for line in await desk.trail()] == [("sign in", False)]


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_that_everybody_could_sign_is_refused(
    browser: Browser, server: OidcServer, algorithm: str
) -> None:
    """Neither unsigned, nor signed with a key that is public."""
    server.algorithm = algorithm
    assert (await come_back(browser, server)).status_code == 403


async def test_a_token_of_a_key_that_is_no_longer_shown_is_refused(
    browser: Browser, server: OidcServer
) -> None:
    """Under the same name of a key; one that was exchanged counts at once."""
    server.shown = [RSAKey.generate_key(2048, {"kid": "a"})]
    assert (await come_back(browser, server)).status_code == 403
    server.shown, server.key = None, RSAKey.generate_key(2048, {"kid": "a"})
    assert (await come_back(browser, server)).status_code == 303


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ({"roles": []}, "no role"),
        ({"roles": None}, "no role"),
        ({"roles": "records manager"}, "no role"),
        ({"roles": {"a": "reader"}}, "no role"),
        ({"roles": ["auditor", "reader"]}, "auditor and reader at once"),
        ({"preferred_username": None}, "who you are"),
        ({"preferred_username": "a\nb"}, "who you are"),
        ({"preferred_username": "x" * 201}, "who you are"),
        ({"preferred_username": 7}, "who you are"),
    ],
)
async def test_whom_the_provider_does_not_describe_is_refused(
    desk: Desk, browser: Browser, server: OidcServer, person: dict[str, Json], said: str
) -> None:
    """The page says what is missing; no account is made."""
    server.person = {**JO, **person}
    answer = await come_back(browser, server)
    assert answer.status_code == 403
    assert said in answer.text
    assert await desk.office.accounts() == ()


async def test_roles_follow_the_provider_and_names_stay(
    desk: Desk, browser: Browser, server: OidcServer
) -> None:
    """Whoever takes another name there is the same person here; another person is not."""
    await come_back(browser, server)
    server.person = {**JO, "preferred_username": "al", "roles": ["auditor"]}
    await browser.get("/groups")
    assert (await browser.post("/sign-out")).status_code == 303
    await come_back(browser, server)
    (account,) = await desk.office.accounts()
    assert (account.name, account.roles) == ("jo", frozenset({Role.AUDITOR}))
    server.person = {**JO, "sub": "2"}
    other = await browser_of(desk, provider_at(server))
    answer = await come_back(other, server)
    assert (answer.status_code, COOKIE in other.cookies) == (403, False)
    assert "another account" in answer.text


async def test_an_account_that_was_disabled_here_stays_so(
    desk: Desk, browser: Browser, server: OidcServer
) -> None:
    """Whatever the provider says."""
    await come_back(browser, server)
    (account,) = await desk.office.accounts()
    await desk.office.change_account(replace(account, disabled=True))
    assert (await browser.get("/groups")).headers["location"] == "/sign-in"
    assert (await come_back(browser, server)).status_code == 403


async def test_a_local_account_signs_in_no_more(browser: Browser) -> None:
    """Where people sign in elsewhere, no password is taken here."""
    await browser.get("/sign-in")
    browser.token = browser.token or "0"
    answer = await browser.post("/sign-in", {"username": "jo", "password": "x"})
    assert answer.status_code == 403


async def test_an_answer_counts_for_the_browser_that_asked_and_once(
    browser: Browser, desk: Desk, server: OidcServer
) -> None:
    """A link with somebody else's answer signs nobody in."""
    answer = await browser.get(START)
    back = urlsplit(server.authorize(answer.headers["location"]))
    victim = await browser_of(desk, provider_at(server))
    assert (await victim.get(f"{back.path}?{back.query}")).status_code == 403
    await victim.get(START)
    assert (await victim.get(f"{back.path}?{back.query}")).status_code == 403
    visitor = browser.cookies[VISITOR]
    assert (await browser.get(f"{back.path}?{back.query}")).status_code == 303
    browser.cookies = {VISITOR: visitor}
    assert (await browser.get(f"{back.path}?{back.query}")).status_code == 403


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=", 403),
        ("state=x.y", 403),
        ("state=é", 403),
        ("state={state}&error=access_denied", 403),
        ("state={state}", 403),
        ("state={state}&code=made-up", 403),
        ("state={state}&code=code-0&iss=https%3A%2F%2Fevil.example", 403),
    ],
)
async def test_an_answer_that_is_none(
    browser: Browser, server: OidcServer, query: str, status: int
) -> None:
    """A page says so; nobody is signed in."""
    answer = await browser.get(START)
    back = server.authorize(answer.headers["location"])
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert (await browser.get(f"/sign-in?{query.format(state=state)}")).status_code == status
    assert COOKIE not in browser.cookies


async def test_a_provider_that_cannot_be_asked(browser: Browser, server: OidcServer) -> None:
    """The page names it, and what to look at."""
    for metadata in (
        {"issuer": "https://login.example.org"},
        {"token_endpoint": "http://login.example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ):
        server.metadata = dict(metadata)
        answer = await browser.get(START)
        assert answer.status_code == 503
        assert "oidc_issuer" in answer.text
    server.metadata = {}
    for body in (b"", b"[]", b'{"keys": [{"kty": "RSA"}]}', b'{"keys": 3}'):
        server.keys_body = body
        assert (await come_back(browser, server)).status_code == 503, body
    server.keys_body = None
    for body in (b"", b"{}", b'{"id_token": 3}', b'{"id_token": "a.b.c"}', b"x" * 2_000_000):
        server.token_body = body
        assert (await come_back(browser, server)).status_code in {403, 503}
    server.token_body, server.status = None, 500
    assert (await come_back(browser, server)).status_code == 403


async def test_a_provider_that_is_not_there() -> None:
    """No answer is an error of ours, with the host and without the rest."""
    with pytest.raises(ConnectorUnavailableError, match=r"127\.0\.0\.1 cannot be asked"):
        await Wire().get("http://127.0.0.1:9/secret")
    with pytest.raises(ConnectorUnavailableError):
        await Wire(http_proxy="http://127.0.0.1:9").get("https://login.example.org/")


async def test_everything_goes_through_the_proxy(server: OidcServer) -> None:
    """The provider stands in for one: it is asked for the address of another."""
    status, body = await Wire(http_proxy=server.url).get(
        "http://login.example.org/.well-known/openid-configuration"
    )
    assert (status, server.asked) == (200, ["metadata"])
    assert server.url.encode() in body


async def test_the_secret_goes_in_the_form_where_the_provider_wants_it_there(
    browser: Browser, server: OidcServer
) -> None:
    """As some do."""
    server.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await come_back(browser, server)).status_code == 303


async def test_a_proof_is_another_sign_in_of_the_same_person(
    desk: Desk, browser: Browser, server: OidcServer
) -> None:
    """Asked for just now; the session goes on under another cookie."""
    await come_back(browser, server)
    cookie = browser.cookies[COOKIE]
    prove = "/prove?with=provider&next=%2Fgroups"
    page = await browser.get("/prove?next=/groups")
    assert prove.replace("&", "&amp;") in page.text
    just_now = desk.clock.now().timestamp()
    refused: tuple[dict[str, Json], ...] = (
        {"auth_time": None},
        {"auth_time": just_now - 600},
        {"auth_time": "now"},
        {"auth_time": just_now, "sub": "2"},
    )
    for person in refused:
        server.person = {**JO, **person}
        assert (await come_back(browser, server, prove)).status_code == 403, person
        assert browser.cookies[COOKIE] == cookie
    server.person = {**JO, "auth_time": just_now}
    answer = await browser.get(prove)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    back = urlsplit(server.authorize(answer.headers["location"]))
    answer = await browser.get(f"{back.path}?{back.query}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/groups")
    assert browser.cookies[COOKIE] != cookie


async def test_a_proof_without_a_session_is_none(
    browser: Browser, server: OidcServer, desk: Desk
) -> None:
    """Whoever signed out meanwhile signs in again."""
    await come_back(browser, server)
    server.person = {**JO, "auth_time": desk.clock.now().timestamp()}
    answer = await browser.get("/prove?with=provider")
    back = urlsplit(server.authorize(answer.headers["location"]))
    await browser.get("/groups")
    assert (await browser.post("/sign-out")).status_code == 303
    answer = await browser.get(f"{back.path}?{back.query}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_too_many_ways_to_the_provider_are_refused(
    browser: Browser, server: OidcServer
) -> None:
    """A flood here is none there."""
    statuses = [(await browser.get(START)).status_code for _ in range(31)]
    assert statuses == [303] * 30 + [429]
    assert len(server.asked) == 30


def test_roles_come_from_where_the_settings_say() -> None:
    """By a path or a name with dots, by the values of the department."""
    claims: dict[str, Json] = {
        "sub": "1",
        "name": "Jo",
        "realm": {"roles": ["Records", "Other"]},
        "https://example.org/roles": "Audit",
        "scope": ["a" * 16],
    }
    records = {"Records": frozenset({Role.RECORDS_MANAGER, Role.REVIEWER})}
    nested = Claims(name="name", roles="realm.roles", mapping=records)
    found = nested.person(claims, "i")
    assert isinstance(found, Person)
    assert found.roles == {Role.RECORDS_MANAGER, Role.REVIEWER}
    assert found.groups == frozenset()
    audit = {"Audit": frozenset({Role.AUDITOR})}
    dotted = Claims(name="name", roles="https://example.org/roles", mapping=audit, groups="scope")
    found = dotted.person(claims, "i")
    assert isinstance(found, Person)
    assert found.roles == {Role.AUDITOR}
    assert found.groups == {"a" * 16}
    unmapped = Claims(name="name", roles="realm.roles").person(claims, "i")
    assert isinstance(unmapped, Refusal)


def test_a_scope_that_is_empty_is_not_everything() -> None:
    """Where the settings ask for groups, whoever has none is refused."""
    empty: tuple[Json, ...] = (None, [], "", {}, [1])
    for groups in empty:
        claims: dict[str, Json] = {**JO, "groups": groups}
        found = Claims(groups="groups").person(claims, "i")
        assert isinstance(found, Refusal)
        assert found.cause == "no_group"


def test_a_ticket_is_for_one_browser_and_ten_minutes(desk: Desk) -> None:
    """Whatever is changed of it makes it none."""
    now, secret = desk.clock.now(), b"s" * 32
    ticket = issue(secret, "me", purpose="p", following="/x", at=now, salt=bytes(16))
    assert opened(secret, "me", ticket.sealed, now=now) == ticket
    assert opened(secret, "me", ticket.sealed, now=now + LASTS) == ticket
    late = now + LASTS + timedelta(seconds=1)
    assert opened(secret, "me", ticket.sealed, now=late) is None
    assert opened(secret, "me", ticket.sealed, now=now - timedelta(seconds=1)) is None
    assert opened(secret, "you", ticket.sealed, now=now) is None
    assert opened(b"t" * 32, "me", ticket.sealed, now=now) is None
    for other in ("", ".", ticket.sealed[1:], ticket.sealed + "0", ticket.sealed.upper(), "é.é"):
        assert opened(secret, "me", other, now=now) is None
    assert len({ticket.nonce, ticket.verifier, ticket.sealed}) == 3
