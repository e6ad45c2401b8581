"""The console's own accounts, as whoever runs it makes and changes them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bridge.app.adapters import OFFICE
from bridge.app.console import role_named
from bridge.app.reading import as_config_error
from bridge.clock import SystemClock
from bridge.console.passwords import SHORTEST, hashed
from bridge.console.rights import clash_of
from bridge.errors import ConfigError
from bridge.protocols.people import Account, Role, TrailEntry
from config.secrets import read_secret
from config.settings import Settings
from storage.office.people import SqlitePeople

LONGEST_NAME = 200
_GID = re.compile(r"[0-9a-f]{16}")


def password_in(file: Path) -> str:
    """The password in a file. Blocks.

    Raises:
        ConfigError: it cannot be read, or is open to others.
    """
    with as_config_error():
        return read_secret(file)


async def create_user(
    settings: Settings,
    name: str,
    roles: Sequence[str],
    *,
    groups: Sequence[str],
    password: str,
    by: str,
) -> None:
    """Make an account. That ``by`` made it stands in the audit trail.

    Raises:
        ConfigError: what is given makes no account, or the name is taken.
    """
    account = Account(
        name=_name(name),
        roles=_roles(roles),
        groups=_groups(groups),
        password=await _kept(password),
    )
    async with _office(settings) as office:
        if not await office.create_account(account, at=SystemClock().now()):
            raise ConfigError(f"There is an account {name!r} already.", hint="Choose another name.")
        await office.record(_entry("create user", account, by))


async def change_user(
    settings: Settings,
    name: str,
    *,
    roles: Sequence[str],
    groups: Sequence[str],
    password: str | None,
    disabled: bool | None,
    by: str,
) -> None:
    """Change what is given of an account; it counts from the next request on.

    Raises:
        ConfigError: there is no such account, or what is given fits none.
    """
    async with _office(settings) as office:
        account = await office.account(name)
        if account is None:
            raise ConfigError(
                f"There is no account {name!r}.", hint="`muniment console users` lists them."
            )
        if password is not None and account.subject is not None:
            raise ConfigError(
                f"{name!r} signs in at the identity provider.", hint="Change the password there."
            )
        changed = replace(
            account,
            roles=_roles(roles) if roles else account.roles,
            groups=_groups(groups) if groups else account.groups,
            password=account.password if password is None else await _kept(password),
            disabled=account.disabled if disabled is None else disabled,
        )
        # The trail first: a change that nobody wrote down must not be.
        await office.record(_entry("change user", changed, by))
        await office.change_account(changed)


async def users(settings: Settings) -> tuple[Account, ...]:
    """Every account, by name."""
    async with _office(settings) as office:
        return await office.accounts()


@asynccontextmanager
async def _office(settings: Settings) -> AsyncIterator[SqlitePeople]:
    office = await SqlitePeople.open(settings.service.data_dir / OFFICE)
    try:
        yield office
    finally:
        await office.aclose()


def _entry(what: str, account: Account, by: str) -> TrailEntry:
    words = ["roles", *sorted(account.roles), "groups", *(sorted(account.groups) or ["all"])]
    if account.disabled:
        words.append("disabled")
    return TrailEntry(
        at=SystemClock().now(), who=by, what=what, subject=account.name, details=" ".join(words)
    )


def _name(name: str) -> str:
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"{name!r} is no name to sign in with.",
            hint=f"Use 1 to {LONGEST_NAME} characters, without spaces around them.",
        )
    if not name.isprintable():
        raise ConfigError(
            f"{name!r} holds characters that cannot be seen.", hint="Use letters that can."
        )
    return name


def _roles(names: Sequence[str]) -> frozenset[Role]:
    roles = frozenset(role_named(name) for name in names)
    if clash := clash_of(roles):
        raise ConfigError(
            f"Nobody may be {clash[0]} and {clash[1]} at once: {clash[0]} sees no content.",
            hint="Make two accounts, for two people.",
        )
    return roles


def _groups(gids: Sequence[str]) -> frozenset[str]:
    for gid in gids:
        if _GID.fullmatch(gid) is None:
            raise ConfigError(
                f"{gid!r} is no group's number.",
                hint="Give the 16 digits and letters from the address of the group's page.",
            )
    return frozenset(gids)


async def _kept(password: str) -> str:
    if len(password) < SHORTEST:
        raise ConfigError(
            f"The password has {len(password)} characters.", hint=f"Use {SHORTEST} or more."
        )
    return await asyncio.to_thread(hashed, password)
