"""Signing in with OpenID Connect: the code flow with PKCE, state and nonce.

The provider is asked anew for its addresses and keys at each sign-in, so that keys that were
exchanged, or revoked, count at once. What a person may do stands in a claim of the ID token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bridge.console.callers import is_loopback
from bridge.errors import ConnectorUnavailableError
from bridge.protocols.people import Role

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519",
)  # fmt: skip
"""Of public keys alone: one who knows only what everybody may know cannot sign."""

LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ from ours."""

LONGEST_NAME: Final = 200
NOT_VALID: Final = "The answer of the identity provider is not valid. Try again."
REFUSED: Final = "The identity provider did not sign you in."
NO_NAME: Final = "The identity provider did not say who you are."
NO_ROLE: Final = "Your account has no role in this console. Ask whoever runs it."
NO_GROUP: Final = "Your account is for no group of this console. Ask whoever runs it."
NOT_AGAIN: Final = "The identity provider did not ask you again who you are."


class Asker(Protocol):
    """See :class:`bridge.console.wire.Wire`."""

    async def get(self, url: str) -> tuple[int, bytes]:
        """Status and body."""

    async def post(
        self, url: str, fields: Mapping[str, str], *, basic: tuple[str, str] | None
    ) -> tuple[int, bytes]:
        """Status and body of what a form is answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom the provider vouches for. ``subject``: issuer and id, which stay; the rest may not.

    ``authenticated_at``: when they last gave a secret to the provider, if it says so.
    """

    subject: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    authenticated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nobody is signed in, in a sentence for whoever tried; ``cause`` for the logging."""

    sentence: str
    cause: str


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself, as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Where an ID token says what. A name with dots is a path where no claim has that name.

    ``mapping``: roles by the values of their claim; without it a value is the name of a role.
    ``groups``: the claim with the gids of a person's scope; None: everybody's scope is all.
    """

    name: str = "preferred_username"
    roles: str = "roles"
    groups: str | None = None
    mapping: Mapping[str, frozenset[Role]] = field(default_factory=dict)

    def person(self, claims: Mapping[str, object], issuer: str) -> Person | Refusal:
        """Whom these claims describe."""
        subject, name = claims.get("sub"), _found(claims, self.name)
        if not (isinstance(subject, str) and subject and isinstance(name, str)):
            return Refusal(NO_NAME, "no_name")
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return Refusal(NO_NAME, "no_name")
        values = _texts(_found(claims, self.roles))
        roles = frozenset[Role]().union(*(self._roles(value) for value in values))
        if not roles:
            return Refusal(NO_ROLE, "no_role")
        groups = frozenset[str]()
        if self.groups is not None:
            groups = frozenset(_texts(_found(claims, self.groups)))
            if not groups:  # none MUST not become all
                return Refusal(NO_GROUP, "no_group")
        return Person(
            subject=f"{issuer} {subject}",
            name=name,
            roles=roles,
            groups=groups,
            authenticated_at=_time(claims.get("auth_time")),
        )

    def _roles(self, value: str) -> frozenset[Role]:
        if self.mapping:
            return self.mapping.get(value, frozenset())
        return frozenset(role for role in Role if role.value == value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One issuer, at which this console is a client."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    claims: Claims
    wire: Asker

    async def start(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str, again: bool
    ) -> str:
        """Where to send the browser. ``again``: whoever sits there MUST prove who they are.

        Raises:
            ConnectorUnavailableError: the provider cannot be asked.
        """
        metadata = await self._metadata()
        asked = {"nonce": nonce, **({"prompt": "login", "max_age": "0"} if again else {})}
        client = OAuth2Client(
            None,
            client_id=self.client_id,
            redirect_uri=redirect_uri,
            scope="openid profile",
            code_challenge_method="S256",
        )
        url, _ = client.create_authorization_url(
            metadata.authorization_endpoint, state=state, code_verifier=verifier, **asked
        )
        return str(url)

    async def finish(
        self, *, code: str, redirect_uri: str, nonce: str, verifier: str, now: datetime
    ) -> Person | Refusal:
        """Whom the provider vouches for.

        Raises:
            ConnectorUnavailableError: the provider cannot be asked.
        """
        metadata = await self._metadata()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
        }
        basic = None
        if self.client_secret is not None:
            if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
                basic = (self.client_id, self.client_secret)
            else:
                fields["client_secret"] = self.client_secret
        status, body = await self.wire.post(metadata.token_endpoint, fields, basic=basic)
        if status != 200:
            return Refusal(REFUSED, f"token_endpoint_{status}")
        try:
            tokens = msgspec.json.decode(body, type=_Tokens)
        except msgspec.MsgspecError:
            return Refusal(NOT_VALID, "no_id_token")
        claims = await self._checked(tokens, metadata, nonce=nonce, now=now)
        if isinstance(claims, Refusal):
            return claims
        return self.claims.person(claims, metadata.issuer)

    async def _checked(
        self, tokens: _Tokens, metadata: Metadata, *, nonce: str, now: datetime
    ) -> dict[str, object] | Refusal:
        """The claims of an ID token that the provider signed for us, for this sign-in, just now."""
        keys = await self._keys(metadata)
        try:
            token = jwt.decode(tokens.id_token, keys, algorithms=ALGORITHMS)
            checked = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": metadata.issuer},
                    "aud": {"essential": True, "value": self.client_id},
                },
                params={
                    "nonce": nonce,
                    "client_id": self.client_id,
                    "access_token": tokens.access_token,
                },
            )
            checked.validate(now=int(now.timestamp()), leeway=LEEWAY)
            return dict(token.claims)
        except (JoseError, ValueError, TypeError) as error:
            return Refusal(NOT_VALID, type(error).__name__)

    async def _metadata(self) -> Metadata:
        """What the issuer says of itself; it MUST be the one of the settings."""
        body = await self._read(f"{self.issuer}/.well-known/openid-configuration")
        try:
            metadata = msgspec.json.decode(body, type=Metadata)
        except msgspec.MsgspecError:
            raise self._unusable("does not describe itself as OpenID Connect asks") from None
        if metadata.issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise self._unusable("says that it is another issuer")
        for url in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
            if not _is_safe(url):
                raise self._unusable("names an address that is not https")
        return metadata

    async def _keys(self, metadata: Metadata) -> KeySet:
        body = await self._read(metadata.jwks_uri)
        try:
            return KeySet.import_key_set(msgspec.json.decode(body))
        except (msgspec.MsgspecError, JoseError, ValueError, TypeError, KeyError):
            raise self._unusable("does not show its keys") from None

    async def _read(self, url: str) -> bytes:
        status, body = await self.wire.get(url)
        if status != 200:
            raise self._unusable(f"answers {status}")
        return body

    def _unusable(self, what: str) -> ConnectorUnavailableError:
        return ConnectorUnavailableError(
            f"{urlsplit(self.issuer).hostname} {what}.",
            hint="Check [console] oidc_issuer, and ask whoever runs the identity provider.",
        )


def proves_again(person: Person | Refusal, subject: str | None, *, now: datetime) -> bool:
    """Whether the same person gave their secret to the provider just now."""
    return (
        isinstance(person, Person)
        and person.subject == subject
        and person.authenticated_at is not None
        and now - person.authenticated_at < timedelta(minutes=2)
    )


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _found(claims: Mapping[str, object], name: str) -> object:
    """A claim by its name, or by the path that its name is."""
    if name in claims:
        return claims[name]
    at: object = dict(claims)
    for step in name.split("."):
        at = at.get(step) if isinstance(at, dict) else None
    return at


def _texts(claim: object) -> list[str]:
    values = claim if isinstance(claim, list) else [claim]
    return [value for value in values if isinstance(value, str) and value]


def _time(claim: object) -> datetime | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    try:
        return datetime.fromtimestamp(claim, UTC)
    except (OverflowError, ValueError, OSError):
        return None
