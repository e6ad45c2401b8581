"""One record with everything that is known of it, and its object held against the log."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bridge import keys
from bridge.console.alarm import raise_alarm
from bridge.console.proving import sentences
from bridge.console.rights import Right
from bridge.console.sending import SANDBOX
from bridge.console.site import Page, Visit
from bridge.console.source import SourceView, sources_of
from bridge.console.text import disposition
from bridge.console.veil import is_veiled, veiled
from bridge.errors import ObjectStoreError
from bridge.protocols.catalog import ListedReason, Listing
from bridge.protocols.holds import Hold
from bridge.protocols.proof import LeafProof, Proof, Standing
from bridge.scopes import Scopes

AROUND = 5
"""Events shown before and after a record."""

NO_KEY = "This console was given no key of the log, so that nothing can be verified."
_FILE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store gave for a record. ``trouble``: in words, why it gave nothing."""

    body: bytes | None = None
    proof: Proof | None = None
    trouble: str = ""

    @property
    def is_unproved(self) -> bool:
        """Whether something does not fit."""
        return self.proof is not None and self.proof.standing is Standing.UNPROVED


async def listing_of(visit: Visit) -> Listing:
    """The record of a path, if it is in the visitor's scope.

    Raises:
        HTTPException: there is none for them.
    """
    listing = await visit.parts.catalog.by_stem(visit.request.path_params["stem"])
    if listing is None or listing.key is None:
        raise HTTPException(404)
    if not visit.may_see(listing.gid) or await is_veiled(visit, listing):
        await visit.note("denied", visit.request.url.path, allowed=False)
        raise HTTPException(404)
    return listing


def stem_of(listing: Listing) -> str:
    """The stem of a record that is kept."""
    return keys.stem_of(listing.key or "")


async def evidence_of(visit: Visit, listing: Listing) -> Evidence:
    """Read a record's object and hold it against the log. What does not fit raises an alarm."""
    key, parts = listing.key or "", visit.parts
    try:
        body = await parts.store.get(key)
        if parts.proofs is None:
            return Evidence(body=body, trouble=NO_KEY)
        proof = await parts.proofs.of(key, near=listing.leaf)
    except ObjectStoreError as error:
        return Evidence(trouble=f"The store is not to be had now: {error} {error.hint}")
    evidence = Evidence(body=body, proof=proof)
    if evidence.is_unproved:
        await raise_alarm(visit, stem_of(listing), [each.code for each in proof.findings])
    return evidence


async def show(visit: Visit) -> Response:
    """The record. That it was looked at stands in the trail before it is sent."""
    listing = await listing_of(visit)
    await visit.note("view record", stem_of(listing))
    evidence = await evidence_of(visit, listing)
    catalog = visit.parts.catalog
    around = await catalog.around(listing, before=AROUND, after=AROUND)
    about = await _about(visit, listing)
    context = await catalog.numbered(listing.stream, listing.context)
    sources: Sequence[SourceView] = ()
    if evidence.body is not None:
        sources = await asyncio.to_thread(sources_of, evidence.body)
    digest = None if evidence.body is None else hashlib.sha256(evidence.body).hexdigest()
    return visit.page(
        "console/records_one.html",
        title=f"Record, number {listing.n}",
        status=200,
        listing=listing,
        record=stem_of(listing),
        evidence=evidence,
        proof=evidence.proof,
        said=_said(visit, evidence),
        digest=digest,
        sources=sources,
        around=await _seen(visit, around),
        about=await _seen(visit, [each for each in about if each != listing]),
        context=await _seen(visit, context),
        reasons=[(each, *meaning_of(visit, each)) for each in listing.reasons],
        quotes=[(each, quote_of(listing, each)) for each in listing.reasons],
        holds=await _holds(visit, listing),
    )


def _said(visit: Visit, evidence: Evidence) -> Sequence[str]:
    if evidence.proof is None:
        return (evidence.trouble,)
    return sentences(evidence.proof, visit.parts.zone, visit.now)


async def _seen(visit: Visit, listings: Sequence[Listing]) -> list[Listing]:
    """What of the others may be seen; of what is sensitive only that it is there."""
    return await veiled(visit, [each for each in listings if visit.may_see(each.gid)])


async def _about(visit: Visit, listing: Listing) -> Sequence[Listing]:
    """Its versions and what happened to it; of an edit or a reaction, of what that is about."""
    relation = listing.relates_to
    about = list(await _by_id(visit, listing, listing.upstream_id))
    if relation is not None:
        others = await _by_id(visit, listing, relation.upstream_id)
        about += [each for each in others if each not in about]
    return sorted(about, key=lambda each: each.n)


async def _by_id(visit: Visit, listing: Listing, upstream_id: str | None) -> Sequence[Listing]:
    if upstream_id is None:
        return ()
    return await visit.parts.catalog.about(listing.stream, upstream_id)


def meaning_of(visit: Visit, reason: ListedReason) -> tuple[str, str]:
    """What the policy in force says of a code, and what it leads to; empty where it has none."""
    policy = visit.parts.policy
    if policy is None:
        return ("", "")
    code = policy.codes.get(reason.code)
    return policy.described(reason.code), "" if code is None else code.outcome.value


def quote_of(listing: Listing, reason: ListedReason) -> str:
    """The part of the text that gave a reason."""
    return (listing.body or "")[reason.start : reason.end] if reason.end else ""


async def _holds(visit: Visit, listing: Listing) -> Sequence[Hold]:
    """The legal holds that cover a record now."""
    if visit.parts.holds is None:
        return ()
    return Scopes(await visit.parts.holds.standing()).over_listing(listing)


async def prove(visit: Visit) -> Response:
    """The proofs: as a page, as JSON, or the file that can be checked without us."""
    listing = await listing_of(visit)
    record = stem_of(listing)
    if visit.parts.proofs is None:
        return visit.page(
            "console/records_unread.html", title="Nothing can be proved", status=503, wrong=NO_KEY
        )
    accepts = visit.request.headers.get("accept", "*/*")
    kind = visit.request.query_params.get("leaf", "")
    await visit.note("download proof", record, details=kind)
    proof = await visit.parts.proofs.of(listing.key or "", near=listing.leaf)
    if proof.standing is Standing.UNPROVED:
        await raise_alarm(visit, record, [each.code for each in proof.findings])
    if "application/json" in accepts and not kind:
        return JSONResponse(_document(proof), headers={"content-security-policy": SANDBOX})
    if "text/html" in accepts and not kind:
        return await _page(visit, listing, proof)
    found = proof.leaf(kind or "stored")
    if found is None:
        return visit.page(
            "console/records_unread.html",
            title="There is no such proof",
            status=404 if kind else 409,
            wrong=f"The log has no {kind or 'stored'} leaf that can be proved for this record now.",
        )
    return _file(record, found)


def _file(record: str, found: LeafProof) -> Response:
    name = f"{record}.{found.kind}.tlog-proof"
    headers = {"content-disposition": disposition(name), "content-security-policy": SANDBOX}
    return Response(found.body, media_type=_FILE, headers=headers)


async def _page(visit: Visit, listing: Listing, proof: Proof) -> Response:
    proofs = visit.parts.proofs
    return visit.page(
        "console/records_proof.html",
        title=f"Proof, number {listing.n}",
        listing=listing,
        record=stem_of(listing),
        proof=proof,
        said=sentences(proof, visit.parts.zone, visit.now),
        absolute=keys.absolute(visit.parts.tenant, listing.key or ""),
        verifier=(await proofs.verifier()).strip() if proofs is not None else "",
        evidence=Evidence(proof=proof),
    )


def _document(proof: Proof) -> dict[str, object]:
    """The proof as JSON; proofs of leaves are text files."""
    return {
        "v": 1,
        "key": proof.key,
        "standing": proof.standing.value,
        "origin": proof.origin,
        "sha256": proof.digest,
        "checkpoint": {"size": proof.size, "root": proof.root, "signed_by": list(proof.signers)},
        "leaves": [
            {
                "kind": each.kind,
                "index": each.leaf,
                "leaf": each.line.decode("utf-8", "replace"),
                "proof": each.body.decode("utf-8", "replace"),
            }
            for each in proof.leaves
        ],
        "testimonies": [
            {
                "kind": each.kind,
                "who": each.who,
                "at": each.at.isoformat(),
                "size": each.size,
                "checked": each.is_checked,
                "fault": each.fault,
            }
            for each in proof.testimonies
        ],
        "findings": [{"code": each.code, "what": each.what} for each in proof.findings],
        "listed": [{"code": each.code, "what": each.what} for each in proof.told],
    }


PAGES = (
    Page(path="/records/{stem}", handler=show, right=Right.CONTENT),
    Page(path="/records/{stem}/proof", handler=prove, right=Right.CONTENT),
)
