"""What was proved of a record, in words that can be quoted. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bridge.console.zones import within
from bridge.protocols.proof import Proof, Standing, Testimony

_UNLOGGED = (
    "No leaf of the log names this object yet. That is in order for what was stored within the"
    " last minute; after that it is not, and `muniment verify` says more."
)
_NO_WITNESS = "No witness outside the department has cosigned a checkpoint that covers it yet."
_NO_TIME = "No time-stamping authority has dated a checkpoint that covers it yet."


def sentences(proof: Proof, zone: ZoneInfo, now: datetime) -> tuple[str, ...]:
    """What a records manager can quote."""
    if proof.standing is Standing.UNLOGGED:
        return (_UNLOGGED,)
    if proof.standing is Standing.UNPROVED:
        return (
            "This object is not proved. It is shown as it is, and what does not fit is said below.",
        )
    return (
        _verified(proof, zone, now),
        _included(proof, zone),
        *_said(proof, "witness", _NO_WITNESS, zone),
        *_said(proof, "timestamp", _NO_TIME, zone),
    )


def _verified(proof: Proof, zone: ZoneInfo, now: datetime) -> str:
    stored = proof.leaf("stored")
    leaf = stored.leaf if stored else 0
    written = f", written on {_at(proof.stored_at, zone)}" if proof.stored_at else ""
    return (
        f"The stored object was verified on {_at(now, zone)}: its SHA-256 digest, {proof.digest},"
        f" is the one that stands in leaf {leaf} of the log {proof.origin}{written}."
    )


def _included(proof: Proof, zone: ZoneInfo) -> str:
    numbers = " and ".join(str(each.leaf) for each in sorted(proof.leaves, key=lambda it: it.leaf))
    what = f"Leaves {numbers} are" if len(proof.leaves) > 1 else f"Leaf {numbers} is"
    newest = (
        f", whose newest leaf was written on {_at(proof.newest_at, zone)}"
        if proof.newest_at
        else ""
    )
    signers = ", ".join(proof.signers)
    return (
        f"{what} included in the checkpoint of {proof.size} leaves{newest}; it is signed by the"
        f" key {signers}."
    )


def _said(proof: Proof, kind: str, none: str, zone: ZoneInfo) -> list[str]:
    said = [_testimony(each, zone) for each in proof.testimonies if each.kind == kind]
    return said or [none]


def _testimony(each: Testimony, zone: ZoneInfo) -> str:
    what = f"a checkpoint of {each.size} leaves, which covers this record"
    if each.kind == "witness":
        who, did = f"The witness {each.who}", f"cosigned {what}, on {_at(each.at, zone)}"
    else:
        who, did = f"The time-stamping authority {each.who}", f"dated {what}, {_at(each.at, zone)}"
    if each.fault:
        return f"{who} is named for {what}, but that proves nothing: {each.fault}."
    if each.is_checked:
        return f"{who} {did}; its signature was verified, and the log extends that checkpoint."
    return (
        f"{who} {did}. Its signature was not verified: this console was not given its key. The log"
        " extends that checkpoint."
    )


def _at(at: datetime | None, zone: ZoneInfo) -> str:
    return within(at, zone).strftime("%-d %B %Y at %H:%M:%S %Z") if at else ""
