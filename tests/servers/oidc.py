"""An OpenID Connect provider on loopback that signs with real keys, and lies when it is told to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from bridge.canonical.json import Json

CLIENT_ID = "muniment"
CLIENT_SECRET = "a secret: with + signs"


@dataclass(slots=True, kw_only=True)
class OidcServer:
    """What it says of whoever signs in, and how it errs.

    ``person``: claims of the next sign-in. ``lies``: claims that replace those of the token;
    a None takes one out. ``metadata`` replaces what it says of itself; ``secrets`` are the
    client's.
    """

    url: str = ""
    now: datetime
    person: dict[str, Json] = field(default_factory=dict)
    lies: dict[str, Json] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "a"}))
    shown: list[RSAKey] | None = None
    algorithm: str = "RS256"
    keys_body: bytes | None = None
    token_body: bytes | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=lambda: {CLIENT_SECRET})
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, url: str) -> str:
        """What a browser that is sent to ``url`` comes back with, once its person agreed."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.url})
        return f"{asked['redirect_uri']}?{answer}"

    def app(self) -> web.Application:
        """Its three addresses."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        return app

    async def _metadata(self, _: web.Request) -> web.Response:
        self.asked.append("metadata")
        said: dict[str, Json] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **self.metadata,
        }
        return web.json_response({k: v for k, v in said.items() if v is not None})

    async def _keys(self, _: web.Request) -> web.Response:
        self.asked.append("keys")
        if self.keys_body is not None:
            return web.Response(body=self.keys_body)
        shown = [self.key] if self.shown is None else self.shown
        return web.json_response(KeySet([*shown]).as_dict(private=False))

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append("token")
        form = {name: str(value) for name, value in (await request.post()).items()}
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or not self._fits(form, code, request.headers):
            return web.json_response({"error": "invalid_grant"}, status=400)
        if self.token_body is not None:
            return web.Response(body=self.token_body, status=self.status)
        token = self._id_token(code["nonce"])
        body = {"access_token": "opaque", "token_type": "Bearer", "id_token": token}
        return web.json_response(body, status=self.status)

    def _fits(
        self, form: Mapping[str, str], code: Mapping[str, str], headers: Mapping[str, str]
    ) -> bool:
        """The same client and address, with its secret and the verifier of the challenge."""
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        is_known = (
            headers.get("Authorization") in {_basic(secret) for secret in self.secrets}
            or form.get("client_secret") in self.secrets
        )
        return (
            is_known
            and challenge == code["code_challenge"]
            and form.get("redirect_uri") == code["redirect_uri"]
        )

    def _id_token(self, nonce: str) -> str:
        at = int(self.now.timestamp())
        claims: dict[str, Json] = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": at,
            "exp": at + 300,
            "nonce": nonce,
            **self.person,
            **self.lies,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        if self.algorithm == "none":
            parts = (b'{"alg":"none"}', str(said).replace("'", '"').encode())
            return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + "."
        if self.algorithm == "HS256":  # with what everybody may know as the secret
            secret = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "a"}, said, secret, algorithms=["HS256"])
        return jwt.encode({"alg": self.algorithm, "kid": "a"}, said, self.key)


def _basic(secret: str) -> str:
    both = f"{CLIENT_ID}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


@asynccontextmanager
async def oidc_server(now: datetime) -> AsyncIterator[OidcServer]:
    """It answers on loopback until left."""
    server = OidcServer(now=now)
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
