"""RFC 3161 tokens: what one proves of a checkpoint, and how one is asked for.

A token is kept byte for byte as the authority sent it. For reading, the certificates in a copy are
put in order (:mod:`storage.translog.der`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerifierBuilder,
    decode_timestamp_response,
)

from bridge.errors import AnchorRejectedError
from bridge.protocols import Stamp, TimestampAuthority
from storage.translog.der import DerError, with_certificates_in_order
from storage.translog.malformed import MalformedError
from storage.translog.post import Outside, Post

LARGEST_TOKEN = 256 * 1024
QUERY = "application/timestamp-query"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_GRANTED = 0
_REFUSED = {
    1: "grants with changes of its own",
    2: "rejects the request",
    3: "lets us wait",
    4: "warns of a revocation",
    5: "says that it was revoked",
}


class TimestampError(MalformedError):
    """A token does not prove what it should. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampFacts:
    """What a token says: when, under which policy, its number, and who signed it.

    ``trusted``: the signature, the certificates up to one of the given roots at that time, and
    the authority's right to stamp time were checked. Else nobody's signature was.
    """

    at: datetime
    policy: str
    serial: int
    authority: str
    trusted: bool


def read_roots(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file: roots, and those between that a token does not bring.

    Raises:
        TimestampError: there is none, or one cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise TimestampError("it holds no PEM certificate that can be read") from None
    return tuple(dict.fromkeys(found))


def check_timestamp(
    token: bytes, message: bytes, roots: Sequence[x509.Certificate] = ()
) -> TimestampFacts:
    """What ``token`` (a TimeStampResp) proves of ``message``.

    Without ``roots`` only its form and that it is over the SHA-256 of ``message`` are checked.

    Raises:
        TimestampError: it is not a granted token over ``message``, or the roots do not bear it.
    """
    response = _decode(token)
    info = response.tst_info
    imprint = info.message_imprint
    digest = hashlib.sha256(message).digest()
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != digest:
        raise TimestampError("the token is not over the SHA-256 of this checkpoint")
    if roots:
        _check_signature(response, digest, roots)
    return TimestampFacts(
        at=info.gen_time.astimezone(UTC),
        policy=info.policy.dotted_string,
        serial=info.serial_number,
        authority=_signed_by(response),
        trusted=bool(roots),
    )


def nonce_of(token: bytes) -> int | None:
    """The nonce in a granted token.

    Raises:
        TimestampError: it is none.
    """
    return _decode(token).tst_info.nonce


def _decode(token: bytes) -> TimeStampResponse:
    """The granted response.

    Here and below every exception of the reader is a verdict: over hostile bytes it raises more
    kinds than it names, and its words are about its own lines.
    """
    if len(token) > LARGEST_TOKEN:
        raise TimestampError(f"the token has over {LARGEST_TOKEN} bytes")
    try:
        response = decode_timestamp_response(with_certificates_in_order(token))
        status = response.status
        if status == _GRANTED:
            response.tst_info  # noqa: B018 - raises where there is no token
    except DerError as error:
        raise TimestampError(f"the token is not DER: {error}") from None
    except Exception:
        raise TimestampError("the token is not an RFC 3161 response in DER") from None
    if status != _GRANTED:
        raise TimestampError(f"the authority {_REFUSED.get(status, 'answers nothing known')}")
    return response


def _check_signature(
    response: TimeStampResponse, digest: bytes, roots: Sequence[x509.Certificate]
) -> None:
    try:
        VerifierBuilder(roots=list(roots)).build().verify(response, digest)
    except Exception:
        raise TimestampError(
            "its signature, or the certificates above it, do not lead to the given authorities"
        ) from None


def _signed_by(response: TimeStampResponse) -> str:
    """Who the token says signed it: the subject of that certificate if it is there."""
    try:
        for signer in response.signed_data.signer_infos:
            for der in response.signed_data.certificates:
                certificate = x509.load_der_x509_certificate(der)
                if (certificate.issuer, certificate.serial_number) == (
                    signer.issuer,
                    signer.serial_number,
                ):
                    return certificate.subject.rfc4514_string()
            return f"certificate {signer.serial_number} of {signer.issuer.rfc4514_string()}"
    except Exception:
        raise TimestampError("a certificate in the token cannot be read") from None
    raise TimestampError("nobody signed the token")


class HttpTimestampAuthority:
    """Keeps the promises of :class:`bridge.protocols.TimestampAuthority` over HTTP."""

    def __init__(self, outside: Outside, *, roots: Sequence[x509.Certificate] = ()) -> None:
        """``roots``: without any a token is kept, and whoever verifies checks its signature."""
        self._name = outside.host
        self._post = Post(outside, largest=LARGEST_TOKEN)
        self._roots = tuple(roots)

    @property
    def name(self) -> str:
        """Its host."""
        return self._name

    async def stamp(self, note: bytes) -> Stamp:
        """Ask with a fresh nonce and for its certificates; believe the answer only if it fits."""
        request = (
            TimestampRequestBuilder()
            .data(note)
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        reply = await self._post.send(request.as_bytes(), content_type=QUERY)
        if reply.status != 200:
            raise AnchorRejectedError(f"{self._name} answers {reply.status}.")
        try:
            return await asyncio.to_thread(self._check, reply.body, note, request.nonce)
        except TimestampError as error:
            raise AnchorRejectedError(
                f"The token of {self._name} was refused: {error}.",
                hint="Check [timestamp]: url, and ca_file with the authority's root certificate.",
            ) from None

    async def aclose(self) -> None:
        """Give up connections."""
        await self._post.aclose()

    def _check(self, token: bytes, note: bytes, nonce: int | None) -> Stamp:
        facts = check_timestamp(token, note, self._roots)
        if nonce_of(token) != nonce:
            raise TimestampError("it answers another request (its nonce is not ours)")
        return Stamp(token=token, at=facts.at, trusted=facts.trusted)


if TYPE_CHECKING:
    _: type[TimestampAuthority] = HttpTimestampAuthority
