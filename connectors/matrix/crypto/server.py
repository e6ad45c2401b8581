"""The account's identity at its homeserver, by plain requests."""

from __future__ import annotations

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from connectors.matrix.crypto.refusals import AuthenticationAskedError
from connectors.matrix.fields import JsonObject, decode
from connectors.matrix.http import AuthenticationNeededError, MatrixHttp, path

_NOT_FOUND = "M_NOT_FOUND"


class HomeserverIdentity:
    """See :class:`connectors.matrix.crypto.ports.IdentityServer`."""

    def __init__(self, http: MatrixHttp, *, user_id: str, password: str | None) -> None:
        self._http = http
        self._user_id = user_id
        self._password = password
        self._session: str | None = None

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

        Where the server calls a try by a name, the password goes with the name of its last.
        """
        if with_password:
            body = body | {"auth": self._authentication()}
        try:
            await self._ask("POST", path("keys", "device_signing", "upload"), body)
        except ConnectorRejectedError as error:
            if isinstance(error, AuthenticationNeededError):
                self._session = error.session
            if error.code or with_password:
                raise
            raise self._asked() from None

    async def upload_signatures(self, body: JsonObject) -> None:
        """POST. A 200 may hold failures: the caller looks at what is published afterwards."""
        await self._ask("POST", path("keys", "signatures", "upload"), body)

    def _account_data(self, kind: str) -> str:
        return path("user", self._user_id, "account_data", kind)

    def _authentication(self) -> JsonObject:
        if self._password is None:
            raise self._asked()
        authentication: JsonObject = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._user_id},
            "password": self._password,
        }
        return authentication | ({"session": self._session} if self._session else {})

    def _asked(self) -> AuthenticationAskedError:
        return AuthenticationAskedError(
            "The homeserver asks for the password before it publishes an identity."
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
