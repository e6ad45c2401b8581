"""What the command line does beside a running bridge: make folders, order steps, list groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.app.adapters import open_journal, open_office
from bridge.app.listed import class_names
from bridge.app.reading import as_config_error
from bridge.clock import SystemClock
from bridge.errors import ConfigError, JournalError
from bridge.model import Group, Particulars, unfit_line
from bridge.notekeys import generate, origin
from bridge.protocols import GroupStep, Office, StepKind
from config.scaffold import check_names, scaffold
from config.settings import Settings


def new_folder(
    folder: Path, *, tenant: str, log_origin: str, random_bytes: Callable[[int], bytes]
) -> None:
    """What ``muniment init`` makes.

    Raises:
        ConfigError: the folder is not empty or cannot be written, or a name is refused.
    """
    with as_config_error():
        check_names(tenant=tenant, log_origin=log_origin)
        scaffold(
            folder,
            tenant=tenant,
            log_origin=log_origin,
            random_bytes=random_bytes,
            key_lines=generate(origin(log_origin, tenant), random_bytes),
        )


async def known_groups(settings: Settings) -> tuple[Group, ...]:
    """The register as the journal has it."""
    journal = await open_journal(settings, SystemClock(), look=True)
    try:
        return await journal.groups()
    finally:
        await journal.aclose()


NOTHING_SAID = Particulars()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A step that the office has. ``unsaid``: options by which its approval would say more."""

    number: int
    unsaid: tuple[str, ...]


async def order_step(
    settings: Settings,
    *,
    kind: StepKind,
    connector: str,
    group_id: str,
    name: str | None,
    by: str,
    why: str,
    said: Particulars = NOTHING_SAID,
    capture_all: bool | None = None,
) -> Ordered:
    """Put a step into the office.

    Raises:
        ConfigError: no connector has that name, no group such an id, no class of retention is
            named so, or a text is unfit.
    """
    known = {a.name for a in settings.matrix} | {b.name for b in settings.telegram}
    if connector not in known:
        raise ConfigError(
            f'No connector is named "{connector}".',
            hint=f"Configured: {', '.join(sorted(known)) or 'none'}.",
        )
    if not why.strip() or not group_id.strip():
        raise ConfigError("A step needs a group and a reason.", hint="Give both in words.")
    if (remedy := settings.unfit_group(connector, group_id)) is not None:
        raise ConfigError(f'"{group_id}" is the id of no group.', hint=f"{_capital(remedy)}.")
    _check_lines(settings, name=name, why=why, said=said)
    office = await open_office(settings)
    try:
        unsaid: tuple[str, ...] = ()
        if kind is StepKind.APPROVE:
            unsaid = await _unsaid(settings, office, (connector, group_id), said)
        step = GroupStep(
            kind=kind,
            connector=connector,
            group_id=group_id,
            name=name,
            by=by,
            at=SystemClock().now(),
            why=why,
            particulars=said,
            capture_all=capture_all,
        )
        return Ordered(number=await office.order(step), unsaid=unsaid)
    finally:
        await office.aclose()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _check_lines(settings: Settings, *, name: str | None, why: str, said: Particulars) -> None:
    """Refuse what nobody could read in the register.

    Raises:
        ConfigError: a text is unfit, or no class of retention is named so.
    """
    texts = {
        "--name": name,
        "--why": why,
        "--owner": said.owner,
        "--purpose": said.purpose,
        "--dpia": said.dpia,
        "--device-type": said.device_type,
    }
    for option, text in texts.items():
        if text is not None and (fault := unfit_line(text)) is not None:
            raise ConfigError(f"{option} {fault}.", hint="Give it as one line of text.")
    if said.retention is not None and said.retention not in class_names(settings):
        known = ", ".join(sorted(class_names(settings))) or "none; [store] retention_days holds"
        raise ConfigError(
            f'--retention is "{said.retention}", and no [[retention]] table has that name.',
            hint=f"There are: {known}.",
        )


async def _unsaid(
    settings: Settings, office: Office, where: tuple[str, str], said: Particulars
) -> tuple[str, ...]:
    """Options for what neither this approval says, nor the register, the file or a waiting order.

    It is no reason to refuse: the settings file approves without them, and a group that waits for
    a form to be filled in is not recorded meanwhile.
    """
    if settings.group(*where) is not None:
        return ()
    standing, taken = await _standing(settings, where)
    for step in await office.steps(taken):
        if (step.connector, step.group_id) == where:
            standing = step.particulars.over(standing)
    whole = said.over(standing)
    texts = {"--owner": whole.owner, "--purpose": whole.purpose}
    return tuple(option for option, text in texts.items() if text is None)


async def _standing(settings: Settings, where: tuple[str, str]) -> tuple[Particulars, int]:
    """What the register says of a group, and the last order taken; nothing before the first run."""
    try:
        journal = await open_journal(settings, SystemClock(), look=True)
    except JournalError:
        return NOTHING_SAID, 0
    try:
        known = {(group.connector, group.group_id): group for group in await journal.groups()}
        found = known.get(where)
        return found.particulars if found else NOTHING_SAID, await journal.office_taken()
    finally:
        await journal.aclose()
