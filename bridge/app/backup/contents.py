"""What a back-up holds besides the databases: each file that the settings name, by its setting.

Never the keys of a Matrix device (``matrix-<name>.crypto.db``) nor its session. Two devices with
the same Olm and Megolm state use one message key twice, and what others sent to the one that went
on cannot be opened by the other. What comes back is a new device: the recovery key, which is here,
signs it and opens the key back-up at the homeserver.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from bridge.app.policies import CALIBRATION_FILE, base_of, shipped_policies
from config.sections import SINGLE
from config.settings import Settings
from config.tables import REPEATED

JOURNAL, LOG, OFFICE = "journal.db", "log.db", "office.db"
SETTINGS = "muniment.toml"
CALIBRATION = CALIBRATION_FILE
FILES = "files/"
POLICY = "policy.file"
BASE = "policy.extends"

FOLDERS = frozenset({"data_dir", "local_files"})
"""Settings that name folders. Nothing below them is taken along but what is named here."""


def named_files(settings: Settings, *, unpacked: Path | None = None) -> dict[str, Path]:
    """Each file that the settings name, by the setting's name, whether it is there or not.

    A recovery key that the recorder made itself stands beside the journal; it is one of them. So is
    the policy that ``[policy] file`` extends, which stands beside that. ``unpacked`` is the folder
    of a back-up's files, where they are not in their places yet.
    """
    found: dict[str, Path] = {}
    for section in SINGLE:
        found |= _of(section, getattr(settings, section))
    for section in REPEATED:
        for number, table in enumerate(getattr(settings, section), start=1):
            found |= _of(f"{section}.{getattr(table, 'name', number)}", table)
    for account in settings.matrix:
        if account.recovery_key_file is None:
            place = settings.service.data_dir / f"matrix-{account.name}.recovery-key"
            found[f"matrix.{account.name}.recovery_key_file"] = place
    if (base := _base(settings.policy.file, unpacked)) is not None:
        found[BASE] = base
    return found


def _base(policy: Path | None, unpacked: Path | None) -> Path | None:
    """Where the base of a policy of one's own stands; None: it has none, or needs no file."""
    if policy is None or (name := base_of(unpacked / POLICY if unpacked else policy)) is None:
        return None
    place = policy.with_name(f"{name}.toml")
    # One that is shipped needs none, but a file beside the policy goes before it.
    is_needed = unpacked is not None or name not in shipped_policies() or place.exists()
    return place if is_needed else None


def _of(name: str, table: BaseModel) -> dict[str, Path]:
    return {f"{name}.{key}": value for key, value in _paths(table) if key not in FOLDERS}


def _paths(table: BaseModel) -> Iterator[tuple[str, Path]]:
    for key in type(table).model_fields:
        value: object = getattr(table, key)
        if isinstance(value, Path):
            yield key, value


def is_unchangeable(name: str) -> bool:
    """Whether it can never be made anew: another one in its place would be no restore."""
    return name.startswith("keys.") or name.endswith(".recovery_key_file")
