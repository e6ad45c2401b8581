"""Webhook and e-mail, against real servers: only an answer that says so counts as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.alerts import Alert, Change, Channel, Webhook
from bridge.alerts.mail import Mail, MailServer, Security
from bridge.demo.ports import free_ports
from bridge.errors import AlertError
from tests.servers.certificate import loopback_certificate
from tests.servers.mailbox import Mailbox, mailbox
from tests.servers.scripted import Scripted, ScriptedServer, scripted_server
from tests.unit.bridge.house import stopped, until

AT = "2026-03-01T09:00:00.000Z"
SECRET = "hooks-4711-secret"
ALERT = Alert(
    change=Change.RAISED, part="store", trouble="not storing", at=AT, since=AT, suppressed=2
)


def _conforms(webhook: Webhook, mail: Mail) -> tuple[Channel, Channel]:
    return webhook, mail


def _hook(server: ScriptedServer, *, proxy: str | None = None) -> Webhook:
    return Webhook(f"{server.url}/{SECRET}", tenant="dept", http_proxy=proxy)


async def test_a_webhook_is_given_the_alert_as_json() -> None:
    """All fields, and one sentence that chat programs show."""
    async with scripted_server() as server:
        hook = _hook(server)
        await hook.send(ALERT)
        await hook.aclose()
        assert server.paths == [f"/{SECRET}"]
        assert server.types == ["application/json"]
        assert json.loads(server.asked[0]) == {
            "v": 1,
            "tenant": "dept",
            "change": "raised",
            "part": "store",
            "trouble": "not storing",
            "subject": "",
            "at": AT,
            "since": AT,
            "count": 1,
            "suppressed": 2,
            "text": f"Muniment dept: store: not storing. Since {AT}."
            " It came 2 times more meanwhile.",
        }


@pytest.mark.parametrize("status", [204, 201])
async def test_any_answer_of_success_counts(status: int) -> None:
    """Some services answer 204."""
    async with scripted_server() as server:
        server.answers = [Scripted(status=status)]
        hook = _hook(server)
        await hook.send(ALERT)
        await hook.aclose()


@pytest.mark.parametrize("status", [302, 307, 400, 404, 429, 500, 503])
async def test_no_other_answer_counts(status: int) -> None:
    """A redirect leads nowhere: who takes over the address must not choose whom we ask."""
    async with scripted_server() as elsewhere, scripted_server() as server:
        server.answers = [Scripted(status=status, location=f"{elsewhere.url}/inside")]
        hook = _hook(server)
        with pytest.raises(AlertError) as raised:
            await hook.send(ALERT)
        await hook.aclose()
        assert elsewhere.asked == []
        assert str(status) in str(raised.value)
        assert SECRET not in f"{raised.value} {raised.value.hint}"


async def test_a_webhook_that_is_away_is_said_without_its_address() -> None:
    """The address may be a secret, and stands in no sentence."""
    hook = Webhook(f"http://127.0.0.1:{free_ports(1)[0]}/{SECRET}", tenant="dept")
    with pytest.raises(AlertError, match="does not answer") as raised:
        await hook.send(ALERT)
    await hook.aclose()
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_webhook_goes_through_the_proxy() -> None:
    """Where a proxy is set, nothing goes out beside it."""
    async with scripted_server() as proxy:
        hook = Webhook("http://hooks.invalid/x", tenant="dept", http_proxy=proxy.url)
        await hook.send(ALERT)
        await hook.aclose()
        assert len(proxy.asked) == 1


async def test_a_certificate_of_nobody_we_trust_is_refused() -> None:
    """An address with https is believed only with a certificate."""
    async with mailbox() as plain:
        hook = Webhook(f"https://127.0.0.1:{plain.port}/{SECRET}", tenant="dept")
        with pytest.raises(AlertError):
            await hook.send(ALERT)
        await hook.aclose()


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A server in the clear."""
    async with mailbox() as made:
        yield made


def _mail(
    box: Mailbox,
    security: Security = Security.NONE,
    *,
    ca_file: Path | None = None,
    user: str | None = None,
    password: str | None = None,
) -> Mail:
    server = MailServer(
        host="127.0.0.1",
        port=box.port,
        security=security,
        ca_file=ca_file,
        user=user,
        password=password,
    )
    return Mail(
        server,
        sender="muniment@example.org",
        recipients=("duty@example.org", "records@example.org"),
        tenant="dept",
    )


async def test_a_mail_says_what_is_wrong(box: Mailbox) -> None:
    """Subject and text name part and trouble; the date is the alert's."""
    await _mail(box).send(ALERT)
    (mail,) = box.mails
    assert box.recipients == [["duty@example.org", "records@example.org"]]
    assert mail["Subject"] == "[muniment dept] store: not storing"
    assert mail["From"] == "muniment@example.org"
    assert mail["To"] == "duty@example.org, records@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Sun, 01 Mar 2026 09:00:00 +0000"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"It came 2 times more meanwhile." in body


async def test_the_same_alert_has_the_same_id(box: Mailbox) -> None:
    """Sent again after a crash it is one mail for those who read it; another alert is another."""
    for _ in range(2):
        await _mail(box).send(ALERT)
    await _mail(box).send(Alert(change=Change.RESOLVED, part="store", trouble="x", at=AT, since=AT))
    first, second, third = (mail["Message-ID"] for mail in box.mails)
    assert first == second != third
    assert box.mails[2]["Subject"] == "[muniment dept] over: store: x"


async def test_a_recipient_that_is_refused_is_said_without_the_address(box: Mailbox) -> None:
    """One of two is refused, or both: it is tried again, and the sentence says how many."""
    box.refused = frozenset({"duty@example.org"})
    with pytest.raises(AlertError, match="refuses 1 of the recipients"):
        await _mail(box).send(ALERT)
    box.refused |= {"records@example.org"}
    with pytest.raises(AlertError, match="refuses 2 of the recipients") as raised:
        await _mail(box).send(ALERT)
    assert "@" not in str(raised.value)


async def test_an_answer_of_the_server_is_not_repeated(box: Mailbox) -> None:
    """Its number is told; its words may hold anything."""
    box.answer = "451 duty@example.org has no room"
    with pytest.raises(AlertError, match=r"answers 451\.") as raised:
        await _mail(box).send(ALERT)
    assert "@" not in str(raised.value)


async def test_a_server_without_starttls_is_refused(box: Mailbox) -> None:
    """Whoever takes the offer out of the greeting gets no mail in the clear."""
    with pytest.raises(AlertError):
        await _mail(box, Security.STARTTLS).send(ALERT)
    assert box.mails == []


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_mail_goes_encrypted_to_a_trusted_server(tmp_path: Path, security: Security) -> None:
    """After a greeting, or from the first byte; signed in where a user is named."""
    tls, ca_file = loopback_certificate(tmp_path)
    starttls = security is Security.STARTTLS
    async with mailbox(tls, starttls=starttls, user="bridge", password="right") as box:
        await _mail(box, security, ca_file=ca_file, user="bridge", password="right").send(ALERT)
        assert (box.encrypted, box.signed_in) == ([True], ["bridge"])
        with pytest.raises(AlertError, match="refuses user and password") as raised:
            await _mail(box, security, ca_file=ca_file, user="bridge", password="wrong").send(ALERT)
        assert "wrong" not in str(raised.value)
        with pytest.raises(AlertError, match="certificate is not trusted"):
            await _mail(box, security, user="bridge", password="right").send(ALERT)
        assert len(box.mails) == 1


async def test_a_mail_server_that_is_away_is_said() -> None:
    """Nothing listens there."""
    with pytest.raises(AlertError, match="does not answer"):
        await _mail(Mailbox(port=free_ports(1)[0])).send(ALERT)


async def test_a_stop_in_the_moment_of_an_answer_is_a_stop() -> None:
    """Whoever cancels is not left waiting for a mail that was taken just then."""
    async with mailbox() as box:
        server = MailServer(host="127.0.0.1", port=box.port, security=Security.NONE)
        mail = Mail(server, sender="m@example.org", recipients=("a@example.org",), tenant="dept")
        sending = asyncio.create_task(mail.send(ALERT))
        await until(lambda: len(box.mails) == 1)
        await stopped(sending)
