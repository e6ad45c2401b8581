"""What the command line does beside a running bridge: make folders, order steps, list groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bridge.app.adapters import open_journal, open_office
from bridge.app.reading import as_config_error
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.model import Group
from bridge.notekeys import generate, origin
from bridge.protocols import GroupStep, StepKind
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


async def order_step(
    settings: Settings,
    *,
    kind: StepKind,
    connector: str,
    group_id: str,
    name: str | None,
    by: str,
    why: str,
) -> int:
    """Put a step into the office; gives its number.

    Raises:
        ConfigError: no connector has that name, or a text is empty.
    """
    known = {a.name for a in settings.matrix} | {b.name for b in settings.telegram}
    if connector not in known:
        raise ConfigError(
            f'No connector is named "{connector}".',
            hint=f"Configured: {', '.join(sorted(known)) or 'none'}.",
        )
    if not why.strip() or not group_id.strip():
        raise ConfigError("A step needs a group and a reason.", hint="Give both in words.")
    office = await open_office(settings)
    try:
        step = GroupStep(
            kind=kind,
            connector=connector,
            group_id=group_id,
            name=name,
            by=by,
            at=SystemClock().now(),
            why=why,
        )
        return await office.order(step)
    finally:
        await office.aclose()
