"""Settings: one TOML file, with single keys overridden by the environment.

:func:`load` gives settings that agree with themselves, or raises one :class:`SettingsError` that
names the field, the fact and the remedy. It reads the settings file only, none of the files that
it names (:mod:`config.secrets` does).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self, TypeAlias, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from config.errors import SettingsError, nearest
from config.explain import explain
from config.outward import Alerts, Backup, Console, Timestamp, Witness
from config.sections import (
    LEAST_REVIEW_DAYS,
    SINGLE,
    Keys,
    Log,
    Notice,
    Policy,
    Service,
    Spool,
    Store,
)
from config.table import Table
from config.tables import (
    REPEATED,
    FurtherWitness,
    GroupOverride,
    ListedGroup,
    MatrixAccount,
    RetentionClass,
    SeniorRole,
    TelegramBot,
)
from config.values import as_tuple, refusal

PREFIX = "MUNIMENT_"
SEPARATOR = "__"
CONFIG_VARIABLE = "MUNIMENT_CONFIG"
"""Names the settings file itself; read by the command line, not here."""

T = TypeVar("T")
Several: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(as_tuple)]


class Settings(Table):
    """Everything that an operator can set. All paths are absolute."""

    service: Service
    store: Store
    keys: Keys
    log: Log
    spool: Spool
    policy: Policy
    notice: Notice
    console: Console
    alerts: Alerts
    witness: Witness
    timestamp: Timestamp
    backup: Backup
    retention: Several[RetentionClass] = ()
    matrix: Several[MatrixAccount] = ()
    telegram: Several[TelegramBot] = ()
    groups: Several[ListedGroup] = ()
    capstone: Several[SeniorRole] = ()
    overrides: Several[GroupOverride] = ()
    witnesses: Several[FurtherWitness] = ()

    _folder: Path = PrivateAttr()

    @property
    def folder(self) -> Path:
        """The folder of the settings file, from which its paths are meant."""
        return self._folder

    def group(self, connector: str, group_id: str) -> ListedGroup | None:
        """The group's table, or None where the file does not list it."""
        for group in self.groups:
            if (group.connector, group.id) == (connector, group_id):
                return group
        return None

    def unfit_group(self, connector: str, group_id: str) -> str | None:
        """Why no group of this connector has such an id, as a remedy; None where one may."""
        matrix = any(account.name == connector for account in self.matrix)
        return _matrix_id(group_id) if matrix else _telegram_id(group_id)

    def longest_retention(self) -> int | None:
        """Days that manifests, acts and the log are kept: the longest of any retention."""
        days = [c.days for c in self.retention]
        if self.store.retention_days is not None:
            days.append(self.store.retention_days)
        return max(days, default=None)

    def all_witnesses(self) -> tuple[FurtherWitness, ...]:
        """The witness of [witness], then those of [[witnesses]]."""
        url, file = self.witness.url, self.witness.public_key_file
        if url is None or file is None:
            return self.witnesses
        # Both were read already: a second look would take the path from another folder.
        return (FurtherWitness.model_construct(url=url, public_key_file=file), *self.witnesses)

    @model_validator(mode="after")
    def _agree(self, info: ValidationInfo) -> Self:
        if isinstance(info.context, dict):
            self._folder = info.context["folder"]
        _check_names("[[retention]] name", (c.name for c in self.retention))
        connectors = [*(c.name for c in self.matrix), *(c.name for c in self.telegram)]
        _check_names("[[matrix]] and [[telegram]] name", connectors)
        for number, group in enumerate(self.groups, start=1):
            self._check_group(number, group)
        _check_names("[[capstone]] role", (c.role for c in self.capstone))
        for number, override in enumerate(self.overrides, start=1):
            self._check_override(number, override)
        self._check_review()
        witnesses = self.all_witnesses()
        urls = [w.url for w in witnesses]
        for url in urls:
            if urls.count(url) > 1:
                raise refusal(
                    f'is "{url}" twice', "name each witness once", key="[[witnesses]] url"
                )
        if self.witness.quorum > max(len(witnesses), 1):
            raise refusal(
                f"is {self.witness.quorum}, and there are {len(witnesses)} witnesses",
                "lower it, or add [[witnesses]] tables",
                key="[witness] quorum",
            )
        return self

    def _check_review(self) -> None:
        """What is judged once more when its context is over must leave people time to decide."""
        least = LEAST_REVIEW_DAYS + self.policy.context_minutes // (24 * 60)
        if self.store.review_days < least:
            raise refusal(
                f"is {self.store.review_days}, and context_minutes {self.policy.context_minutes}",
                f"set it to {least} days or more, or lower [policy] context_minutes, so that people"
                " can decide in time",
                key="[store] review_days",
            )

    def _check_override(self, number: int, override: GroupOverride) -> None:
        if self.group(override.connector, override.group) is None:
            raise refusal(
                f'is "{override.group}", and no [[groups]] table of connector'
                f' "{override.connector}" has that id',
                "list the group, or correct connector and group",
                key=f"[[overrides]] group (table {number})",
            )
        where = (override.connector, override.group, override.code)
        if sum((o.connector, o.group, o.code) == where for o in self.overrides) > 1:
            raise refusal(
                f'is "{override.code}" twice for one group',
                "keep one table for each code of a group",
                key=f"[[overrides]] code (table {number})",
            )

    def _check_group(self, number: int, group: ListedGroup) -> None:
        matrix = {c.name for c in self.matrix}
        connectors = matrix | {c.name for c in self.telegram}
        where = f"(table {number})"
        if group.connector not in connectors:
            known = ", ".join(sorted(connectors)) or "none yet"
            raise refusal(
                f'is "{group.connector}", and no connector has that name',
                f"add a [[matrix]] or [[telegram]] table of that name, or use one of: {known}",
                key=f"[[groups]] connector {where}",
            )
        if (remedy := self.unfit_group(group.connector, group.id)) is not None:
            raise refusal(f'is "{group.id}"', remedy, key=f"[[groups]] id {where}")
        same = [g for g in self.groups if (g.connector, g.id) == (group.connector, group.id)]
        if len(same) > 1:
            raise refusal(
                f'is "{group.id}" in {len(same)} tables of connector "{group.connector}"',
                "list each group once",
                key="[[groups]] id",
            )
        if group.retention is not None and group.retention not in {c.name for c in self.retention}:
            raise refusal(
                f'is "{group.retention}", and no [[retention]] table has that name',
                "add the class, or remove the line for [store] retention_days",
                key=f"[[groups]] retention {where}",
            )


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings file at ``path`` and lay ``MUNIMENT_<SECTION>__<KEY>`` over it.

    Paths are meant from the file's folder, those from the environment too.

    Raises:
        SettingsError: the first thing that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = f"run `muniment init DIR`, or name the file with --config or {CONFIG_VARIABLE}"
        raise SettingsError(str(path), "does not exist", remedy) from None
    except UnicodeDecodeError:
        raise SettingsError(str(path), "is not UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        fact = f"cannot be read ({error.strerror})"
        raise SettingsError(str(path), fact, "check who may read it") from None
    return parse(text, path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in ``text``, as if it stood in a file at ``path``.

    Raises:
        SettingsError: the first thing that is wrong.
    """
    try:
        document: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fact = f"is not valid TOML ({error})"
        remedy = "mend that line; text stands in quotes, and each table and key only once"
        raise SettingsError(str(path), fact, remedy) from None
    overrides = _override(document, environ)
    for section in SINGLE:
        document.setdefault(section, {})
    try:
        return Settings.model_validate(document, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise explain(error, overrides) from None


def _override(
    document: dict[str, object], environ: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """Lay the environment over ``document``; gives which keys came from which variable."""
    names = {
        f"{PREFIX}{section}{SEPARATOR}{key}".upper(): (section, key)
        for section, table in SINGLE.items()
        for key in table.model_fields
    }
    overrides: dict[tuple[str, str], str] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable not in names:
            raise SettingsError(variable, "is not a setting", _unknown_variable(variable, names))
        section, key = names[variable]
        table = document.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _from_environment(variable, value, SINGLE[section], key)
            overrides[(section, key)] = variable
    return overrides


def _unknown_variable(variable: str, names: Iterable[str]) -> str:
    section = variable.removeprefix(PREFIX).partition(SEPARATOR)[0].lower()
    if section in REPEATED:
        return f"[[{section}]] tables are set in the file only"
    by_lower = {name.lower(): name for name in (*names, CONFIG_VARIABLE)}
    meant = nearest(variable, by_lower)
    return f"did you mean {by_lower[meant]}" if meant else "unset it"


def _from_environment(variable: str, value: str, table: type[BaseModel], key: str) -> object:
    """The value as the file would hold it: text as it is, all else as TOML writes it."""
    annotation = table.model_fields[key].annotation
    kinds = (annotation, *get_args(annotation))
    if not any(kind in (int, float, bool) or get_origin(kind) is tuple for kind in kinds):
        return value
    try:
        document = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        document = {}
    if document.keys() != {"value"}:
        raise SettingsError(
            variable, f"is {value!r}", 'write 30, true or ["A", "B"], as the file would'
        )
    parsed: object = document["value"]
    return parsed


def _check_names(field: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise refusal(f'is "{name}" twice', "give each a name of its own", key=field)
        seen.add(name)


def _matrix_id(group_id: str) -> str | None:
    """Why this is no Matrix room id, as a remedy; None where it is one."""
    if group_id.startswith("#"):
        return "give the room's id, which begins with !, for an alias can be moved to another room"
    if not group_id.startswith("!") or len(group_id) < 2 or any(c.isspace() for c in group_id):
        return "give the room's id, which begins with !"
    return None


def _telegram_id(group_id: str) -> str | None:
    """Why this is no Telegram group id, as a remedy; None where it is one."""
    if not group_id.startswith("-") or not group_id[1:].isdecimal() or not group_id.isascii():
        return "give the group's number, which begins with - (names can be taken by others)"
    return None
