"""Known faults of what the locks pin: ``python -m supply.audit PIP-AUDIT LOCK...``.

``pip-audit`` asks a public service. Where it cannot be reached, or does not know a package, the
program says "no known vulnerabilities" all the same: here that is no answer.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

CLEAN, FAULTS, NO_ANSWER = 0, 1, 2
SECONDS = 600
_HOW = ("--require-hashes", "--disable-pip", "--format=json", "--progress-spinner=off")


class Fault(msgspec.Struct, frozen=True):
    """One known fault."""

    id: str
    fix_versions: list[str] = []


class Audited(msgspec.Struct, frozen=True):
    """What the service said of a package. ``skip_reason`` is empty where it said anything."""

    name: str
    version: str = ""
    vulns: list[Fault] = []
    skip_reason: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What ``pip-audit -f json`` prints."""

    dependencies: list[Audited]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is known of one lock."""

    code: int
    lines: tuple[str, ...]


def said_of(lock: str, printed: bytes) -> Said:
    """What ``printed`` means for this lock: faults, nothing known, or no answer."""
    try:
        found = msgspec.json.decode(printed, type=Answer).dependencies
    except msgspec.MsgspecError:
        found = []
    faults = [
        f"{lock}: {each.name} {each.version}: {fault.id}, mended in "
        f"{', '.join(fault.fix_versions) or 'no version yet'}"
        for each in found
        for fault in each.vulns
    ]
    asked = sum(1 for each in found if not each.skip_reason)
    lines = [*faults]
    if not found:
        lines.append(f"{lock}: no answer. The service cannot be reached from here.")
    elif asked < len(found):
        lines.append(
            f"{lock}: no answer for {len(found) - asked} of {len(found)} packages. What stands"
            " between here and the service does not know them: ask from another network."
        )
    else:
        lines.append(f"{lock}: {asked} packages, {len(faults)} known faults.")
    code = FAULTS if faults else (CLEAN if found and asked == len(found) else NO_ANSWER)
    return Said(code=code, lines=tuple(lines))


def ask(program: str, lock: Path) -> Said:
    """Have the lock looked up. Nothing is installed or resolved."""
    done = subprocess.run(
        [program, f"--requirement={lock}", *_HOW],
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    return said_of(lock.name, done.stdout)


def main() -> None:
    """Ask for every lock; 0: nothing known, 1: faults, 2: no answer."""
    program, *locks = sys.argv[1:]
    answers = [ask(program, Path(lock)) for lock in locks]
    print("\n".join(line for each in answers for line in each.lines))
    codes = {each.code for each in answers}
    sys.exit(FAULTS if FAULTS in codes else max(codes))


if __name__ == "__main__":
    main()
