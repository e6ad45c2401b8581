"""Which ways to people the settings give, and what people are told besides the alarms."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.alerts import Webhook
from bridge.alerts.mail import Mail
from bridge.app.alerting import LOOK_SECONDS, Conditions, channels_of
from bridge.errors import ConfigError
from bridge.keys import group_gid
from bridge.model import GroupState, Outcome
from bridge.reconcile import FIXITY_FILE, Report
from bridge.reconcile.fixity import keep_fixity
from config.settings import Settings, parse
from tests.contracts.journal.encrypted import shut
from tests.contracts.journal.subjects import LATER, MemoryBacking, Subject
from tests.fakes.clock import FakeClock
from tests.fakes.samples import BLIND_KEY, GROUP_ID, event, group, proof, verdict

MAIL = (
    'email_to = ["duty@example.org"]\nemail_from = "m@example.org"\nsmtp_host = "mail.example.org"'
)
REVIEW = timedelta(days=30)


def _settings(folder: Path, alerts: str) -> Settings:
    return parse(f"[alerts]\n{alerts}", folder / "muniment.toml", {})


def _secret(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.touch(mode=0o600)
    file.write_text(text)


def test_without_a_way_nobody_is_told(tmp_path: Path) -> None:
    """The default."""
    assert channels_of(_settings(tmp_path, "")) == ()


def test_both_ways_may_be_had(tmp_path: Path) -> None:
    """Each with its secret from a file."""
    _secret(tmp_path, "hook", "https://hooks.example.org/T0/secret?x=1\n")
    _secret(tmp_path, "password", "right")
    told = f'webhook_url_file = "hook"\n{MAIL}\nsmtp_user = "u"\nsmtp_password_file = "password"'
    channels = channels_of(_settings(tmp_path, told))
    assert [type(channel) for channel in channels] == [Webhook, Mail]
    assert [channel.name for channel in channels] == ["webhook", "e-mail"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.example.org",
        "file:///etc/passwd",
        "gopher://h/",
        "https://a:b@h",
        "https://h /",
    ],
)
def test_what_is_no_web_address_is_refused_unsaid(tmp_path: Path, address: str) -> None:
    """The file is named, and never what stands in it."""
    _secret(tmp_path, "hook", address)
    with pytest.raises(ConfigError) as raised:
        channels_of(_settings(tmp_path, 'webhook_url_file = "hook"'))
    assert str(tmp_path / "hook") in str(raised.value)
    assert not address or address not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(
    "address",
    ["http://hooks.example.org/T0", "http://192.0.2.7/T0", "http://localhost.example.org/T0"],
)
def test_an_address_in_the_clear_is_refused_unsaid(tmp_path: Path, address: str) -> None:
    """Whoever is on the way would read it, and could send in our name."""
    _secret(tmp_path, "hook", address)
    with pytest.raises(ConfigError, match="is not https") as raised:
        channels_of(_settings(tmp_path, 'webhook_url_file = "hook"'))
    assert str(tmp_path / "hook") in str(raised.value)
    assert address not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1:9000", "[::1]:9000", "localhost"])
def test_a_receiver_on_this_machine_may_be_told_in_the_clear(tmp_path: Path, host: str) -> None:
    """Such as a relay of the operator's own."""
    _secret(tmp_path, "hook", f"http://{host}/T0")
    (channel,) = channels_of(_settings(tmp_path, 'webhook_url_file = "hook"'))
    assert channel.name == "webhook"


def test_an_address_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Whoever knows it can send in our name."""
    _secret(tmp_path, "hook", "https://hooks.example.org/secret")
    (tmp_path / "hook").chmod(0o644)
    with pytest.raises(ConfigError, match="open to others"):
        channels_of(_settings(tmp_path, 'webhook_url_file = "hook"'))


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("", 587),
        ('smtp_security = "tls"', 465),
        ('smtp_security = "none"', 25),
        ("smtp_port = 2525", 2525),
    ],
)
def test_the_usual_port_follows_the_encryption(tmp_path: Path, line: str, port: int) -> None:
    """Unless one is given."""
    assert _settings(tmp_path, f"{MAIL}\n{line}").alerts.port == port


class _Scene:
    """A journal in memory, and what follows from it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.subject = Subject(MemoryBacking(self.clock), self.clock)
        self.file = folder / FIXITY_FILE
        self.conditions = Conditions(
            journal=self.subject.journal,
            clock=self.clock,
            blind_key=BLIND_KEY,
            review=REVIEW,
            fixity=self.file,
        )

    async def told(self) -> list[tuple[str, str, str]]:
        """What people are told at the next look."""
        self.clock.advance(LOOK_SECONDS)
        found = await self.conditions.now()
        return [(alarm.part, alarm.trouble, alarm.subject) for alarm in found]


@pytest.fixture
def scene(tmp_path: Path) -> _Scene:
    """An empty journal."""
    return _Scene(tmp_path)


async def test_nothing_is_told_where_all_is_well(scene: _Scene) -> None:
    """A group that is recorded, and a message that is stored."""
    await scene.subject.admit(GROUP_ID)
    await scene.subject.stored()
    assert await scene.told() == []


@pytest.mark.parametrize(
    ("state", "trouble"),
    [(GroupState.REMOVED, "recorder removed"), (GroupState.NOT_RECORDING, "not recording")],
)
async def test_a_group_that_is_not_heard_is_told_by_its_number(
    scene: _Scene, state: GroupState, trouble: str
) -> None:
    """Not by its name and not by its platform's id."""
    gone = group(state=state)
    await scene.subject.journal.set_group(gone, expect=None)
    gid = group_gid(BLIND_KEY, gone.platform, gone.group_id)
    assert await scene.told() == [("groups", trouble, gid)]
    (alarm,) = await scene.conditions.now()
    assert GROUP_ID not in alarm.sentence
    assert gone.name is not None
    assert gone.name not in alarm.sentence


async def test_what_is_overdue_is_told(scene: _Scene) -> None:
    """Once it is past safe_by and not stored."""
    await scene.subject.admit(GROUP_ID)
    await scene.subject.sealed()
    assert await scene.told() == []
    scene.clock.advance(3600)
    assert await scene.told() == [("messages", "overdue", "")]


async def test_keys_that_do_not_come_are_told_after_a_while(scene: _Scene) -> None:
    """Ten minutes are given to them."""
    await scene.subject.admit(GROUP_ID)
    await scene.subject.received(shut())
    assert ("messages", "keys withheld", "") not in await scene.told()
    scene.clock.advance(600)
    assert ("messages", "keys withheld", "") in await scene.told()


async def test_reviews_are_told_before_policy_decides_them(scene: _Scene) -> None:
    """Three days before the day by which people had to decide."""
    await scene.subject.admit(GROUP_ID)
    entry = await scene.subject.sealed(verdict(Outcome.REVIEW), of=event("$1"))
    await scene.subject.journal.store([proof(entry, at=LATER)])
    scene.clock.advance(timedelta(days=19).total_seconds())
    assert await scene.told() == []
    scene.clock.advance(timedelta(days=2).total_seconds())
    assert await scene.told() == [("reviews", "soon decided by policy", "")]


def _report(*, fits: bool, complete: bool = True, subject: str = "store") -> Report:
    return Report(
        subject=subject,
        began_at="",
        ended_at="",
        fits=fits,
        complete=complete,
        trouble="",
        checked={},
        findings=[],
        groups=[],
    )


MISFIT = ("store", "does not fit the journal", "")


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ([_report(fits=True)], []),
        ([_report(fits=False)], [MISFIT]),
        ([_report(fits=False), _report(fits=True)], []),
        ([_report(fits=True), _report(fits=False, complete=False)], []),
        ([_report(fits=False), _report(fits=True, complete=False)], [MISFIT]),
        ([_report(fits=False), _report(fits=True, subject="source")], [MISFIT]),
        ([_report(fits=True), _report(fits=False, subject="source")], []),
    ],
)
async def test_a_store_that_does_not_fit_is_told(
    scene: _Scene, ended: list[Report], told: list[tuple[str, str, str]]
) -> None:
    """By the last comparison with the store that reached its end, until another one fits."""
    for report in ended:
        await asyncio.to_thread(keep_fixity, scene.file, report)
    assert await scene.told() == told


async def test_a_look_is_made_every_few_seconds(scene: _Scene) -> None:
    """Between two of them the last one holds, and so it does while the journal is away."""
    assert await scene.told() == []
    await scene.subject.journal.set_group(group(state=GroupState.REMOVED), expect=None)
    assert await scene.conditions.now() == ()
    (told,) = await scene.told()
    await scene.subject.journal.aclose()
    assert await scene.told() == [told]
