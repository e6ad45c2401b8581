"""The account's identity at its homeserver, by plain requests."""

from __future__ import annotations

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.rawjson.fields import JsonObject, decode
from connectors.matrix.crypto.refusals import AuthenticationAskedError
from connectors.matrix.http import AuthenticationNeededError, MatrixHttp, path

_NOT_FOUND = "M_NOT_FOUND"
PASSWORD = frozenset({"m.login.password"})


class HomeserverIdentity:
    """See :class:`connectors.matrix.crypto.ports.IdentityServer`."""

    def __init__(self, http: MatrixHttp, *, user_id: str, password: str | None) -> None:
        self._http = http
        self._user_id = user_id
        self._password = password
        self._needed: AuthenticationNeededError | None = None

    async def account_data(self, kind: str) -> JsonObject | None:
        """GET; a 404 of the server's own says that there is none."""
        try:
            return await self._ask("GET", self._account_data(kind)) or None
        except ConnectorRejectedError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def put_account_data(self, kind: str, content: JsonObject) -> None:
        """PUT."""
        await self._ask("PUT", self._account_data(kind), content)

    async def query_keys(self) -> JsonObject:
        """POST, for this account alone."""
        return await self._ask("POST", path("keys", "query"), {"device_keys": {self._user_id: []}})

    async def upload_identity(self, body: JsonObject, *, with_password: bool) -> None:
        """POST. A refusal without a code asks for authentication: those of the server have one.

        The password is sent only where it is asked for; where the server calls a try by a name,
        with the name of its last.
        """
        if with_password:
            body = body | {"auth": self._authentication()}
        self._needed = None
        try:
            await self._ask("POST", path("keys", "device_signing", "upload"), body)
        except ConnectorRejectedError as error:
            if isinstance(error, AuthenticationNeededError):
                self._needed = error
            elif error.code:
                raise
            if with_password:
                raise
            raise self._asked() from None

    async def upload_signatures(self, body: JsonObject) -> None:
        """POST. A 200 may hold failures: the caller looks at what is published afterwards."""
        await self._ask("POST", path("keys", "signatures", "upload"), body)

    def _account_data(self, kind: str) -> str:
        return path("user", self._user_id, "account_data", kind)

    def _authentication(self) -> JsonObject:
        needed = self._needed
        if self._password is None or (needed is not None and PASSWORD not in needed.ways):
            raise self._asked()
        authentication: JsonObject = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._user_id},
            "password": self._password,
        }
        session = None if needed is None else needed.session
        return authentication | ({"session": session} if session else {})

    def _asked(self) -> AuthenticationAskedError:
        """What the server wants, and who can give it."""
        needed = self._needed
        if needed is None or PASSWORD in needed.ways:
            return AuthenticationAskedError(
                "The homeserver asks for the password before it publishes an identity."
            )
        if needed.page is not None:
            return AuthenticationAskedError(
                f"The homeserver wants the identity approved at {needed.page} first.",
                hint="Open that page signed in as the recorder's account, and approve. It is tried "
                "again within five minutes.",
            )
        steps = sorted(frozenset[str]().union(*needed.ways))
        return AuthenticationAskedError(
            "The homeserver asks for what the recorder cannot give before it publishes an "
            f"identity ({', '.join(steps) or 'it does not say what'}).",
            hint="Set the account up with another client once, and put the recovery key that it "
            "gives in [[matrix]] recovery_key_file.",
        )

    async def _ask(self, method: str, route: str, body: JsonObject | None = None) -> JsonObject:
        try:
            answer = decode(await self._http.request(method, route, body=body))
        except EnvelopeError:
            answer = None
        if answer is None:
            raise ConnectorUnavailableError(
                "What answers in place of the homeserver is no homeserver.",
                hint="Check [[matrix]] homeserver, and any proxy before it.",
            )
        return answer
