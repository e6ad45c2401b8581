"""The list of parts as CycloneDX 1.6: ``python -m supply.sbom FILE``.

The same locks give the same bytes. Its time is ``SOURCE_DATE_EPOCH``, where that is set.
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from supply.licences import licence_of
from supply.locks import Pin, everything
from supply.needs import PROGRAM, needs, project

DIGESTS = "Digests of every file that the lock lets in for this version."


class Licence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A single licence by its id."""

    id: str


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One licence, or an expression."""

    license: Licence | None = None
    expression: str | None = None

    @staticmethod
    def of(expression: str) -> Choice:
        """The same as CycloneDX writes it."""
        if " " in expression:
            return Choice(expression=expression)
        return Choice(license=Licence(expression))


class Hash(msgspec.Struct, frozen=True):
    """One digest."""

    alg: str
    content: str


class Reference(msgspec.Struct, frozen=True):
    """Where it comes from, by name: no address of a server stands in the locks."""

    type: str
    url: str
    comment: str
    hashes: list[Hash]


class Component(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part."""

    type: str
    bom_ref: str = msgspec.field(name="bom-ref")
    group: str | None = None
    name: str
    version: str
    scope: str | None = None
    licenses: list[Choice]
    purl: str | None = None
    references: list[Reference] = msgspec.field(default_factory=list, name="externalReferences")


class Dependency(msgspec.Struct, frozen=True):
    """Whom a part needs."""

    ref: str
    needed: list[str] = msgspec.field(name="dependsOn")


class Phase(msgspec.Struct, frozen=True):
    """When the list was made."""

    phase: str


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the list is of."""

    timestamp: str | None = None
    lifecycles: list[Phase]
    component: Component


class Bom(msgspec.Struct, frozen=True, kw_only=True):
    """The document."""

    format: str = msgspec.field(default="CycloneDX", name="bomFormat")
    spec: str = msgspec.field(default="1.6", name="specVersion")
    serial: str = msgspec.field(default="", name="serialNumber")
    version: int = 1
    metadata: Metadata
    components: list[Component]
    dependencies: list[Dependency]


def bom(*, at: datetime | None = None) -> bytes:
    """The list, of the locks and of what is installed from them."""
    parts = everything()
    made = Bom(
        metadata=Metadata(
            timestamp=None if at is None else at.astimezone(UTC).isoformat(),
            lifecycles=[Phase("build")],
            component=Component(
                type="application",
                bom_ref=PROGRAM,
                name=PROGRAM,
                version=project()[0],
                licenses=[Choice.of("Apache-2.0")],
            ),
        ),
        components=[_component(pin) for pin in parts],
        dependencies=_dependencies(parts),
    )
    digest = hashlib.sha256(msgspec.json.encode(made)).hexdigest()
    serial = uuid.uuid5(uuid.NAMESPACE_OID, digest).urn
    whole = msgspec.json.encode(msgspec.structs.replace(made, serial=serial))
    return msgspec.json.format(whole, indent=1) + b"\n"


def _component(pin: Pin) -> Component:
    group, _, name = pin.name.rpartition("/")
    return Component(
        type="library",
        bom_ref=pin.purl,
        group=group or None,
        name=name,
        version=pin.version,
        scope="required" if pin.ships else "excluded",
        licenses=[Choice.of(licence_of(pin))],
        purl=pin.purl,
        references=[
            Reference(
                "distribution",
                pin.purl,
                DIGESTS,
                [Hash(pin.algorithm, digest) for digest in pin.digests],
            )
        ],
    )


def _dependencies(parts: tuple[Pin, ...]) -> list[Dependency]:
    """The program needs what it names and the assets that ship; what makes it stands apart."""
    refs = {(pin.kind, pin.name): pin.purl for pin in parts}
    graph = needs()
    direct = [refs["pypi", name] for name in graph[PROGRAM]]
    direct += [pin.purl for pin in parts if pin.kind == "npm" and pin.ships]
    found = [Dependency(PROGRAM, sorted(direct))]
    for pin in parts:
        named = graph.get(pin.name, frozenset()) if pin.kind == "pypi" else pin.needs
        known = [refs[pin.kind, name] for name in named if (pin.kind, name) in refs]
        found.append(Dependency(pin.purl, sorted(known)))
    return found


def main() -> None:
    """Write the list into the file that is named."""
    target = Path(sys.argv[1])
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    at = datetime.fromtimestamp(int(epoch), UTC) if epoch else None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(bom(at=at))
    print(f"{target}: {len(everything())} parts")


if __name__ == "__main__":
    main()
