"""Proposing, approving, pausing and closing groups in the browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge import keys
from bridge.console.schedule import RetentionClass
from bridge.model import Group, GroupState, Particulars
from bridge.protocols import GroupStep, Office, StepKind
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Browser, Desk, console_over

ROOM = "!new:example.org"
FORM = {
    "connector": "office",
    "id": ROOM,
    "name": "Flood cell",
    "owner": "Head of Floods",
    "purpose": "Flood response",
    "retention": "short",
    "dpia": "DPIA-7",
    "device_type": "corporate",
    "why": "asked for",
}
APPROVAL = {"step": "approve", "owner": "Head", "purpose": "Floods", "why": "fit"}


def _orders(desk: Desk) -> Office:
    assert desk.parts.orders is not None
    return desk.parts.orders


async def _last(desk: Desk) -> GroupStep:
    return (await _orders(desk).steps(0))[-1]


def _gid(desk: Desk, group_id: str = ROOM) -> str:
    return keys.group_gid(desk.parts.blind_key, "matrix", group_id)


async def _known(
    desk: Desk,
    state: GroupState = GroupState.PROPOSED,
    *,
    proposed_by: str | None = "ada",
    said: Particulars = Particulars(),  # noqa: B008 - frozen
) -> str:
    """A group in the register; gives the path of its page."""
    group = Group(
        connector="office",
        platform="matrix",
        group_id=ROOM,
        name="Flood <cell>",
        state=state,
        proposed_by=proposed_by,
        particulars=said,
    )
    assert await desk.journal.set_group(group, expect=None)
    return f"/groups/{_gid(desk)}"


def _with_accounts(desk: Desk) -> None:
    def unfit(_connector: str, group_id: str) -> str | None:
        return None if group_id.startswith("!") else "give the room's id, which begins with !"

    parts = replace(desk.parts, connectors={"office": "matrix"}, unfit_group=unfit)
    desk.parts, desk.app = parts, console_over(parts)


@pytest.fixture
def accounts(desk: Desk) -> Desk:
    """A desk whose recorder has an account."""
    _with_accounts(desk)
    return desk


async def test_a_group_is_proposed_with_its_particulars(accounts: Desk) -> None:
    """What is typed is ordered as it is; the trail first, and the list says that it waits."""
    browser = await accounts.browser(Role.OWNER)
    assert "Class of retention" in (await browser.get("/groups/new")).text
    answer = await browser.post("/groups", {**FORM, "capture_all": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/groups")
    step = await _last(accounts)
    assert (step.kind, step.connector, step.group_id, step.name, step.by, step.why) == (
        StepKind.PROPOSE,
        "office",
        ROOM,
        "Flood cell",
        "jo",
        "asked for",
    )
    assert step.particulars == Particulars(
        owner="Head of Floods",
        purpose="Flood response",
        retention="short",
        dpia="DPIA-7",
        device_type="corporate",
    )
    assert step.capture_all is True
    (line,) = await accounts.trail()
    assert (line.what, line.subject, line.details) == (
        "propose group",
        f"office {ROOM}",
        "asked for",
    )
    assert "not taken up by the recorder yet" in (await browser.get("/groups")).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"owner": ""}, "Say who answers for the group"),
        ({"purpose": " "}, "Say what official business it serves"),
        ({"why": ""}, "Say your reason"),
        ({"name": ""}, "name"),
        ({"owner": "x" * 501}, "Owner is longer than 500 characters"),
        ({"name": "safe\u202ename"}, "Name holds a character that turns"),
        ({"dpia": "a\x07b"}, "Dpia holds a control character"),
        ({"retention": "for-ever"}, "class of retention from the list"),
        ({"connector": "nowhere"}, "account from the list"),
        ({"id": "#alias:example.org"}, "That is the id of no group"),
    ],
)
async def test_an_unfit_proposal_is_refused_in_words(
    accounts: Desk, fields: dict[str, str], said: str
) -> None:
    """The form comes back with what was typed, and nothing is ordered."""
    browser = await accounts.browser(Role.RECORDS_MANAGER)
    answer = await browser.post("/groups", {**FORM, **fields})
    assert answer.status_code == 400
    assert said in answer.text
    assert "asked for" in answer.text or "why" in fields
    assert await _orders(accounts).steps(0) == ()


async def test_somebody_else_approves(accounts: Desk) -> None:
    """The form has what was proposed; the approval says who, what for and why."""
    said = Particulars(owner="Head of Floods", purpose="Flood response", retention="short")
    path = await _known(accounts, said=said)
    browser = await accounts.browser(Role.OWNER)
    page = (await browser.get(path)).text
    assert 'value="Head of Floods"' in page
    assert "Flood &lt;cell&gt;" in page
    answer = await browser.post(f"{path}/steps", {**APPROVAL, "retention": "short"})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    step = await _last(accounts)
    assert (step.kind, step.by, step.why, step.capture_all) == (
        StepKind.APPROVE,
        "jo",
        "fit",
        False,
    )
    assert step.particulars == Particulars(owner="Head", purpose="Floods", retention="short")
    assert "has not taken it up yet" in (await browser.get(path)).text
    assert [(each.what, each.allowed) for each in await accounts.trail()] == [
        ("approve group", True)
    ]


async def test_nobody_approves_what_they_proposed(accounts: Desk) -> None:
    """The page says so, the form is not there, and a forged one is refused and on the trail."""
    path = await _known(accounts, proposed_by="jo")
    browser = await accounts.browser(Role.OWNER)
    assert "somebody else has to approve it" in (await browser.get(path)).text
    answer = await browser.post(f"{path}/steps", APPROVAL)
    assert answer.status_code == 400
    assert await _orders(accounts).steps(0) == ()
    (line,) = await accounts.trail()
    assert (line.what, line.allowed) == ("approve group", False)


@pytest.mark.parametrize("missing", ["owner", "purpose", "why"])
async def test_an_approval_needs_owner_purpose_and_reason(accounts: Desk, missing: str) -> None:
    """Without one of them the page says which, and nothing is ordered."""
    path = await _known(accounts)
    browser = await accounts.browser(Role.OWNER)
    answer = await browser.post(f"{path}/steps", {**APPROVAL, missing: ""})
    assert answer.status_code == 400
    assert "Say " in answer.text
    assert await _orders(accounts).steps(0) == ()


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (GroupState.PROPOSED, {"approve", "close"}),
        (GroupState.APPROVED, {"pause", "close"}),
        (GroupState.ACTIVE, {"pause", "close"}),
        (GroupState.NOT_RECORDING, {"pause", "close"}),
        (GroupState.PAUSED, {"resume", "close"}),
        (GroupState.REMOVED, {"approve", "close"}),
        (GroupState.CLOSED, set[str]()),
    ],
)
async def test_only_what_is_possible_is_offered_and_taken(
    accounts: Desk, state: GroupState, offered: set[str]
) -> None:
    """Each state has its steps; any other is refused, whatever the browser sends."""
    path = await _known(accounts, state)
    browser = await accounts.browser(Role.OWNER)
    page = (await browser.get(path)).text
    for kind in ("approve", "pause", "resume", "close", "propose", "nonsense"):
        assert (f'name="step" value="{kind}"' in page) is (kind in offered)
        answer = await browser.post(f"{path}/steps", {**APPROVAL, "step": kind})
        assert answer.status_code == (303 if kind in offered else 409)
    steps = await _orders(accounts).steps(0)
    assert {step.kind.value for step in steps} == offered
    assert all(step.particulars == Particulars() for step in steps if step.kind.value != "approve")


@pytest.mark.parametrize("step", ["approve", "close"])
async def test_approval_and_end_ask_once_more_who_one_is(accounts: Desk, step: str) -> None:
    """A session that proved itself too long ago is sent to prove it, and nothing is ordered."""
    path = await _known(accounts)
    browser = await accounts.browser(Role.OWNER)
    accounts.clock.advance(601)
    answer = await browser.post(f"{path}/steps", {**APPROVAL, "step": step})
    assert answer.status_code == 303
    assert "/prove" in answer.headers["location"]
    assert await _orders(accounts).steps(0) == ()


async def test_an_account_for_other_groups_orders_nothing(accounts: Desk) -> None:
    """Scope holds for the register too, for groups that are there and for new ones."""
    path = await _known(accounts)
    browser = await accounts.browser(Role.OWNER, groups=frozenset({"f" * 16}))
    assert 'name="step"' not in (await browser.get(path)).text
    assert (await browser.post(f"{path}/steps", APPROVAL)).status_code == 404
    answer = await browser.post("/groups", FORM)
    assert "none of them" in answer.text
    assert await _orders(accounts).steps(0) == ()


async def test_reasons_are_for_who_keeps_the_register(accounts: Desk) -> None:
    """A reader sees the register's particulars, and not who ordered what and why."""
    path = await _known(accounts, said=Particulars(owner="Head of Floods"))
    owner = await accounts.browser(Role.OWNER)
    await owner.post(f"{path}/steps", {**APPROVAL, "why": "private words"})
    assert "private words" in (await owner.get(path)).text
    reader: Browser = await accounts.browser(Role.READER, name="kim")
    page = (await reader.get(path)).text
    assert "Head of Floods" in page
    assert "private words" not in page
    assert 'name="step"' not in page


async def test_a_class_of_the_register_is_shown(accounts: Desk) -> None:
    """A group that a person gave a class has it on its page and under retention."""
    path = await _known(accounts, GroupState.ACTIVE, said=Particulars(retention="short"))
    browser = await accounts.browser(Role.OWNER)
    assert "short, 365 days" in (await browser.get(path)).text
    assert accounts.parts.schedule.of("x", "y", "short") == RetentionClass(
        name="short", days=365, authority="DfE/12"
    )


async def test_a_class_that_is_gone_is_shown_as_it_is_kept(accounts: Desk) -> None:
    """A group whose class the settings lost is kept, and shown, as long as the longest class."""
    path = await _known(accounts, GroupState.ACTIVE, said=Particulars(retention="gone"))
    browser = await accounts.browser(Role.OWNER)
    assert "gone, 2555 days" in (await browser.get(path)).text
    assert ">gone</bdi></h2>" in (await browser.get("/retention")).text
