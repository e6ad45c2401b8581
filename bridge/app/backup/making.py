"""A back-up: copies of databases that a recorder may be writing, and what the settings name."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from bridge.app.backed_up import note_backup
from bridge.app.backup.contents import (
    CALIBRATION,
    FILES,
    JOURNAL,
    LOG,
    OFFICE,
    SETTINGS,
    named_files,
)
from bridge.app.backup.progress import Show, Step
from bridge.app.reading import VERSION
from bridge.clock import SystemClock
from bridge.errors import ConfigError
from bridge.protocols import Clock
from bridge.whole_file import sync_folder
from config.settings import Settings
from storage.backups import age, manifest
from storage.backups.snapshot import Snapshot, snapshot
from storage.backups.tape import Member, tar_chunks

ORDER = (JOURNAL, OFFICE, LOG)
"""What one names the other has.

The journal says up to which number it took orders from the office: an office that is older would
give those numbers again, and what they order would never be done. So the office is copied after
it; what was ordered in between is taken again, as after a crash. ``log.db`` is last: it is the
memory of what was signed, and whatever it names stands in the store by then, from where a restored
journal takes it back. Office and log do not name each other.
"""

NEEDED = ("keys.journal_key_file", "keys.blind_key_file", "keys.signing_key_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A back-up that is on disk. ``missing``: files that the settings name and nobody made."""

    file: Path
    size: int
    missing: tuple[str, ...]


def make_backup(
    settings: Settings, config: Path, target: Path | None, *, show: Show, clock: Clock | None = None
) -> Made:
    """Write a back-up to ``target``, a new file; without one, into the working folder.

    A running ``run`` goes on. Durable on return; on a failure nothing of it stays.

    Raises:
        ConfigError: there is no recipient, nothing to back up, no room, or the file is there.
    """
    clock = clock or SystemClock()
    recipient = _recipient(settings)
    at = clock.now()
    name = f"muniment-{settings.service.tenant}-{at:%Y%m%dT%H%M%SZ}.age"
    target = (target or Path(name)).absolute()
    if os.path.lexists(target):
        raise _exists(target)
    with ExitStack() as stack:
        members, document, missing = _members(settings, config, at, stack, show)
        total = sum(each.size for each in members)
        with _new(target) as sink:
            chunks = _counted(tar_chunks([document, *members], at=at), total, show)
            age.encrypt(chunks, sink, recipient)
            size = sink.tell()
    # It stands whatever becomes of the note: without one people are reminded too often, no more.
    with suppress(OSError):
        note_backup(settings.service.data_dir, at)
    return Made(file=target, size=size, missing=missing)


def _recipient(settings: Settings) -> age.Recipient:
    if settings.backup.recipient is None:
        raise ConfigError(
            "[backup] recipient is not set: a back-up is never written in the clear.",
            hint=f"{age.MAKE_ONE} Set recipient to its public key.",
        )
    return age.recipient_of(settings.backup.recipient)


def _members(
    settings: Settings, config: Path, at: datetime, stack: ExitStack, show: Show
) -> tuple[list[Member], Member, tuple[str, ...]]:
    """All that goes into it, the manifest, and the names of files that are not there."""
    small, missing = _small(settings, config)
    copies = _copies(settings.service.data_dir, stack, show)
    files = [
        *(_backed(name, content) for name, content in small.items()),
        *(
            manifest.BackedFile(name=name, size=copy.size, sha256=copy.sha256)
            for name, copy in copies.items()
        ),
    ]
    document = manifest.encoded(
        manifest.Manifest(
            program=VERSION,
            tenant=settings.service.tenant,
            log_origin=settings.service.log_origin,
            made_at=at,
            schemas={name: copy.schema for name, copy in copies.items()},
            checkpoint=copies[LOG].checkpoint if LOG in copies else "",
            files=tuple(files),
        )
    )
    members = [_member(name, content) for name, content in small.items()]
    members += [
        Member(name=name, size=copy.size, chunks=copy.chunks) for name, copy in copies.items()
    ]
    return members, _member(manifest.NAME, document), missing


def _copies(folder: Path, stack: ExitStack, show: Show) -> dict[str, Snapshot]:
    if not (folder / JOURNAL).exists():
        raise ConfigError(
            f"There is no journal in {folder}: nothing to back up.",
            hint="Start `muniment run` once, or name the settings with --config.",
        )

    def copied(name: str) -> Snapshot:
        def advance(done: int, total: int) -> None:
            show(Step(what=f"copying {name}", done=done, total=total))

        advance(0, 0)
        return stack.enter_context(snapshot(folder / name, advance=advance))

    return {name: copied(name) for name in ORDER if (folder / name).exists()}


def _small(settings: Settings, config: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Settings, keys and secrets as they are now, by their names in the back-up."""
    wanted = {SETTINGS: config}
    named = named_files(settings)
    wanted |= {f"{FILES}{name}": path for name, path in named.items()}
    wanted[CALIBRATION] = settings.service.data_dir / CALIBRATION
    found: dict[str, bytes] = {}
    missing = []
    for name, path in wanted.items():
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = None
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read ({error.strerror}).",
                hint="Give the command as the recorder's account.",
            ) from None
        if content is not None:
            found[name] = content
        elif name.removeprefix(FILES) in NEEDED or name == SETTINGS:
            raise ConfigError(
                f"{path} does not exist, and no back-up is of use without it.",
                hint="Put it back where the settings name it.",
            )
        elif name.startswith(FILES) and path.parent != settings.service.data_dir:
            missing.append(str(path))
    return found, tuple(missing)


def _member(name: str, content: bytes) -> Member:
    return Member(name=name, size=len(content), chunks=lambda: iter((content,)))


def _backed(name: str, content: bytes) -> manifest.BackedFile:
    digest = hashlib.sha256(content).hexdigest()
    return manifest.BackedFile(name=name, size=len(content), sha256=digest)


def _counted(chunks: Iterator[bytes], total: int, show: Show) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        show(Step(what="encrypting", done=min(done, total), total=total))
        yield chunk


@contextmanager
def _new(target: Path) -> Iterator[BinaryIO]:
    """A new private file, whole under its name or not there; nothing is ever replaced.

    Crash before it has its name: a ``.part`` stays, which is encrypted and may be removed.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as sink:
                yield sink
                sink.flush()
                os.fsync(sink.fileno())
            _give_name(part, target)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written ({error.strerror or error}).",
            hint="Free space there, or name a file in another folder. Nothing of it was left.",
        ) from None


def _give_name(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links: the name is taken first, then filled
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        part.replace(target)
    with suppress(OSError):  # not every file system syncs folders
        sync_folder(target.parent)


def _exists(target: Path) -> ConfigError:
    return ConfigError(
        f"{target} is there already; nothing was written.", hint="Name another file."
    )
