"""A restore: unpacked and proved beside what is there, settled, and moved into place."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bridge.app.adapters import check_signing_key, lock_data_dir
from bridge.app.backup import placing
from bridge.app.backup.contents import (
    CALIBRATION,
    FILES,
    JOURNAL,
    LOG,
    OFFICE,
    SETTINGS,
    is_unchangeable,
    named_files,
)
from bridge.app.backup.progress import Show, Step
from bridge.app.backup.settling import settle
from bridge.app.policies import policy_of
from bridge.app.reading import as_config_error, read_settings
from bridge.errors import ConfigError, PolicyError
from bridge.reconcile.unclaimed import FILE as UNCLAIMED
from config.secrets import read_secret
from config.settings import Settings, parse
from storage.backups import age, manifest, tape
from storage.backups.snapshot import is_ahead

STAGE = "restoring"
DATABASES = (JOURNAL, OFFICE, LOG)
KEY_FILES = (
    "journal_key_file",
    "blind_key_file",
    "signing_key_file",
    "public_key_file",
    "next_signing_key_file",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restore that is done. ``sentences`` are what an operator should know."""

    made_at: datetime
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacked:
    """A back-up whose every byte is proved, in a folder of its own."""

    about: manifest.Manifest
    settings: Settings
    stage: Path
    writes_settings: bool

    def file(self, name: str) -> Path | None:
        """A file of it, if it has one of this name."""
        return self.stage / name if self.about.file(name) is not None else None


def restore(file: Path, identity_file: Path, config: Path, *, show: Show) -> Restored:
    """Put a back-up back, for settings at ``config`` or, where there are none, with its own.

    Nothing is replaced. Crash before anything is in place: the folder ``restoring`` stays, and the
    next restore empties it. Crash after that: ``run`` refuses, and the same restore goes on.

    Raises:
        ConfigError: what waiting cannot mend; nothing was put into its place, or all but the
            journal, which comes last.
        JournalError, LogError: as for :func:`~bridge.app.backup.settling.settle`.
    """
    try:
        with ExitStack() as stack:
            return _restored(stack, file, identity_file, config, show)
    except OSError as error:
        raise ConfigError(
            f"The restore was not done ({error.strerror or error}).",
            hint="Free disk space, see that the recorder's account may write there, and give the"
            " command again.",
        ) from None


def _restored(
    stack: ExitStack, file: Path, identity_file: Path, config: Path, show: Show
) -> Restored:
    unpacked = _unpack(stack, file, identity_file, config, show)
    settings, stage = unpacked.settings, unpacked.stage
    places = _places(unpacked, config)
    data_dir = settings.service.data_dir
    kept_office = _kept_office(data_dir, stage)
    staged = _staged(unpacked, places)
    check_signing_key(staged)
    sentences = asyncio.run(
        settle(
            staged,
            office=(data_dir if kept_office else stage) / OFFICE,
            data_dir=data_dir,
            made_at=unpacked.about.made_at,
            say=lambda what: show(Step(what=what)),
        )
    )
    show(Step(what="moving it into place"))
    sentences += _place(unpacked, places, config)
    sentences += _without_policy(settings)
    return Restored(made_at=unpacked.about.made_at, sentences=tuple(sentences))


def _unpack(
    stack: ExitStack, file: Path, identity_file: Path, config: Path, show: Show
) -> _Unpacked:
    with as_config_error():
        identities = age.identities_of(read_secret(identity_file), name=str(identity_file))
    settings = read_settings(config) if config.exists() else None
    if settings is not None:
        _take(stack, settings)
    total = file.stat().st_size if file.is_file() else 0

    def advance(done: int) -> None:
        show(Step(what="decrypting", done=done, total=total))

    with tape.opened(file, identities, advance=advance) as reading:
        files = reading.files()
        about = tape.read_manifest(files)
        text = _settings_text(files)
        writes_settings = settings is None
        if settings is None:
            settings = _parsed(text, config)
            _take(stack, settings)
        _check_names(about, settings)
        stage = _fresh(settings.service.data_dir / STAGE, stack)
        found = {SETTINGS: _written(stage / SETTINGS, iter((text,)))}
        for name, chunks in files:
            found[name] = _written(stage / name, chunks)
        reading.finish()
    _check_digests(about, found)
    return _Unpacked(about=about, settings=settings, stage=stage, writes_settings=writes_settings)


def _take(stack: ExitStack, settings: Settings) -> None:
    """The lock, for as long as this lasts; and a folder without a journal."""
    lock = lock_data_dir(settings)
    stack.callback(lock.close)
    placing.check_free(settings.service.data_dir, DATABASES)


def _settings_text(files: Iterator[tuple[str, Iterator[bytes]]]) -> bytes:
    name, chunks = next(files, ("", iter(())))
    if name != SETTINGS:
        raise ConfigError(
            f"The back-up has no {SETTINGS} behind its manifest.",
            hint="Was the file made by `muniment backup`?",
        )
    return tape.small(chunks)


def _parsed(text: bytes, config: Path) -> Settings:
    """The settings in the back-up, as they will be read from where they will stand."""
    with as_config_error():
        settings = parse(text.decode("utf-8", "replace"), config, os.environ)
    _check_inside(settings.service.data_dir, config)
    return settings


def _check_inside(place: Path, config: Path) -> None:
    """Anyone who knows the recipient can make a back-up: its settings may not lead elsewhere.

    Raises:
        ConfigError: they do.
    """
    if not place.resolve().is_relative_to(config.resolve().parent):
        raise ConfigError(
            f"The settings in the back-up name {place}, outside their folder.",
            hint=f"Take them out (`age -d -i KEY FILE | tar x {SETTINGS}`), read them, put them at"
            f" {config}, and give the command again.",
        )


def _check_names(about: manifest.Manifest, settings: Settings) -> None:
    ours = settings.service.tenant, settings.service.log_origin
    if ours != (about.tenant, about.log_origin):
        raise ConfigError(
            f'The back-up is of tenant "{about.tenant}" and log "{about.log_origin}"; the settings'
            f' name "{ours[0]}" and "{ours[1]}".',
            hint="Name the settings it was made with, by --config, or a place where none are.",
        )


def _fresh(stage: Path, stack: ExitStack) -> Path:
    if os.path.lexists(stage):
        shutil.rmtree(stage)
    stage.mkdir(mode=0o700)
    stack.callback(shutil.rmtree, stage, ignore_errors=True)
    return stage


def _written(target: Path, chunks: Iterator[bytes]) -> tuple[int, str]:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _check_digests(about: manifest.Manifest, found: dict[str, tuple[int, str]]) -> None:
    wanted = {each.name: (each.size, each.sha256) for each in about.files}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ConfigError(
                f"{name} in the back-up is not as its {manifest.NAME} says.",
                hint="Take another back-up: this one was not made by `muniment backup`.",
            )
    if JOURNAL not in found:
        raise ConfigError("The back-up holds no journal.", hint="Take another back-up.")


def _places(unpacked: _Unpacked, config: Path) -> dict[str, Path]:
    """Where the file of each setting goes.

    Raises:
        ConfigError: another key stands there already, or settings of the back-up lead elsewhere.
    """
    places = {}
    named = named_files(unpacked.settings, unpacked=unpacked.stage / FILES)
    for name, target in named.items():
        source = unpacked.file(f"{FILES}{name}")
        if source is None:
            continue
        if unpacked.writes_settings and not target.exists():
            _check_inside(target, config)
        places[name] = target
        if is_unchangeable(name) and target.exists() and _differ(source, target):
            raise ConfigError(
                f"{target} is there and is another one than in the back-up.",
                hint="Move it away if it is of no use any more, and give the command again.",
            )
    return places


def _differ(one: Path, other: Path) -> bool:
    return one.read_bytes() != other.read_bytes()


def _kept_office(data_dir: Path, stage: Path) -> bool:
    """Whether the office that is there stays: it is the later one, or there is none to put back.

    Raises:
        ConfigError: it is another one, and would give numbers that the journal takes for done.
    """
    there, staged = data_dir / OFFICE, stage / OFFICE
    if not there.exists():
        return False
    if staged.exists() and not is_ahead(there, staged):
        raise ConfigError(
            f"{there} is there, and what people ordered before the back-up is not in it.",
            hint="Move it away, with what begins with its name: the back-up has its own.",
        )
    return True


def _staged(unpacked: _Unpacked, places: dict[str, Path]) -> Settings:
    """The settings with databases and keys where they are now."""
    settings, stage = unpacked.settings, unpacked.stage
    keys = {key: stage / FILES / f"keys.{key}" for key in KEY_FILES if f"keys.{key}" in places}
    hidden: dict[str, Path] = {
        key: stage / FILES / f"store.{key}"
        for key in ("credentials_file", "hold_credentials_file")
        if (place := places.get(f"store.{key}")) is not None and not place.exists()
    }
    return settings.model_copy(
        update={
            "service": settings.service.model_copy(update={"data_dir": stage}),
            "keys": settings.keys.model_copy(update=keys),
            "store": settings.store.model_copy(update=hidden),
        }
    )


def _without_policy(settings: Settings) -> list[str]:
    """What is wrong with the policy as it stands now: told, since it can be mended any time."""
    try:
        policy_of(settings)
    except (ConfigError, PolicyError) as error:
        fact = str(error).rstrip(".")
        return [f"`muniment run` will not start with this policy: {fact}. {error.hint}"]
    return []


def _place(unpacked: _Unpacked, places: dict[str, Path], config: Path) -> list[str]:
    """Everything into its place, the journal last; gives what stays as it was."""
    data_dir, stage = unpacked.settings.service.data_dir, unpacked.stage
    placing.begin(data_dir)
    sentences = []
    for name, target in places.items():
        source = stage / FILES / name
        if not placing.write_new(target, source.read_bytes()) and _differ(source, target):
            sentences.append(f"{target} was there and stays.")
    if unpacked.writes_settings:
        placing.write_new(config.absolute(), (stage / SETTINGS).read_bytes())
    elif _differ(stage / SETTINGS, config):
        sentences.append(f"{config} is not as it was at the back-up, and stays as it is.")
    # log.db that is there is the memory of what was signed since: it is never put back.
    sentences += [
        f"{data_dir / name} was there and stays."
        for name in (CALIBRATION, LOG, OFFICE)
        if (stage / name).exists() and not placing.move_new(stage / name, data_dir / name)
    ]
    if (stage / UNCLAIMED).exists():
        placing.replace(stage / UNCLAIMED, data_dir / UNCLAIMED)
    placing.finish(stage / JOURNAL, data_dir)
    return sentences
