"""What the locks pin: names, versions and the digests of the files that are taken."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "requirements" / "runtime.txt"
BUILD = ROOT / "requirements" / "build.txt"
ASSETS = ROOT / "bridge" / "console" / "assets" / "package-lock.json"

_PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==(\S+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FOLDER = "node_modules/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package at one version. ``digests`` has one for each file that may be taken."""

    kind: str
    """``pypi`` or ``npm``, as package URLs name them."""
    name: str
    version: str
    algorithm: str
    digests: tuple[str, ...]
    licence: str = ""
    """As the lock says, where it does."""
    needs: tuple[str, ...] = ()
    """Names, where the lock has them."""
    ships: bool = True
    """Whether it is in what is installed, or only made it."""

    @property
    def purl(self) -> str:
        """Its package URL, which names it to every other program."""
        return f"pkg:{self.kind}/{self.name.replace('@', '%40')}@{self.version}"


def pins(lock: Path, *, ships: bool = True) -> tuple[Pin, ...]:
    """Every pin of a lock for pip, in its order.

    Raises:
        ValueError: something in it has no digest, so that anything would be taken for it.
    """
    text = lock.read_text("utf-8")
    starts = [match.start() for match in _PIN.finditer(text)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        match, digests = _PIN.match(text[start:end]), _HASH.findall(text[start:end])
        if match is None or not digests:
            raise ValueError(f"{lock.name}: {text[start:end].partition(chr(10))[0]} has no digest")
        found.append(
            Pin(
                kind="pypi",
                name=match[1],
                version=match[2],
                algorithm="SHA-256",
                digests=tuple(sorted(digests)),
                ships=ships,
            )
        )
    return tuple(found)


class _Package(msgspec.Struct, frozen=True):
    version: str = ""
    integrity: str = ""
    license: str = ""
    dev: bool = False
    dependencies: dict[str, str] = {}
    optional: dict[str, str] = msgspec.field(default={}, name="optionalDependencies")


class _Lock(msgspec.Struct, frozen=True):
    packages: dict[str, _Package]


def assets(lock: Path = ASSETS) -> tuple[Pin, ...]:
    """Every pin of the npm lock; what is for making style sheet and script alone does not ship.

    Raises:
        ValueError: one lies below another, which this reader does not know, or has no digest.
    """
    packages = msgspec.json.decode(lock.read_bytes(), type=_Lock).packages
    found = []
    for place, package in sorted(packages.items()):
        if not place:
            continue
        name = place.removeprefix(_FOLDER)
        if _FOLDER in name or not package.integrity.startswith("sha512-"):
            raise ValueError(f"{lock.name}: {place} lies below another, or has no digest")
        digest = base64.b64decode(package.integrity.removeprefix("sha512-"), validate=True)
        found.append(
            Pin(
                kind="npm",
                name=name,
                version=package.version,
                algorithm="SHA-512",
                digests=(digest.hex(),),
                licence=package.license,
                needs=tuple(sorted({*package.dependencies, *package.optional})),
                ships=not package.dev,
            )
        )
    return tuple(found)


def everything() -> tuple[Pin, ...]:
    """What is in the program, then what makes it, each once."""
    shipped = pins(RUNTIME)
    names = {each.name for each in shipped}
    makers = [each for each in pins(BUILD, ships=False) if each.name not in names]
    return (*shipped, *makers, *assets())
