"""Signing in, and staying signed in as the same device."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.rawjson.fields import JsonObject, decode, text
from bridge.whole_file import replace_whole
from connectors.matrix.http import MatrixHttp, path

UNKNOWN_TOKEN = "M_UNKNOWN_TOKEN"  # noqa: S105 - an error code


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a password sign-in gave; kept on disk (0600), so that the device stays the same."""

    user_id: str
    device_id: str
    access_token: str


class Account:
    """The recorder's account. With a token it only checks it; with a password it signs in once.

    With both the password is for what the server asks it for, never for another device.
    """

    def __init__(
        self,
        http: MatrixHttp,
        *,
        user_id: str,
        password: str | None,
        access_token: str | None,
        session_file: Path,
        device_name: str,
    ) -> None:
        self._http = http
        self._user_id = user_id
        self._password = password
        self._access_token = access_token
        self._session_file = session_file
        self._device_name = device_name
        self._device_id: str | None = None

    @property
    def device_id(self) -> str | None:
        """The device we are signed in as; None before, and where the server does not say."""
        return self._device_id

    @property
    def password(self) -> str | None:
        """The account's password, where it was given."""
        return self._password

    async def sign_in(self) -> None:
        """Have a token that the server accepts for this user.

        Raises:
            ConnectorRejectedError: the server refuses the token or the password.
            ConnectorUnavailableError: it does not answer.
        """
        session = await asyncio.to_thread(_read, self._session_file)
        if session is not None and session.user_id == self._user_id:
            self._device_id = session.device_id
        else:
            session = None  # of the account configured before
        self._http.token = self._access_token or (session.access_token if session else None)
        if self._http.token is not None:
            try:
                await self._check_user()
            except ConnectorRejectedError as error:
                if error.code != UNKNOWN_TOKEN:
                    raise
            else:
                return
        await self._log_in()

    async def _check_user(self) -> None:
        answer = await self._ask("GET", path("account", "whoami"))
        found = text(answer, "user_id")
        if found != self._user_id:
            raise ConnectorRejectedError(
                "The access token belongs to another user than [[matrix]] user_id.",
                hint="Correct [[matrix]] user_id or the token file.",
            )
        # A given token is that of its own device, whatever session was kept.
        self._device_id = text(answer, "device_id") or self._device_id

    async def _ask(
        self, method: str, route: str, body: Mapping[str, object] | None = None
    ) -> JsonObject:
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

    async def _log_in(self) -> None:
        """Crash after the answer: the next sign-in makes another device; nothing else is lost."""
        if self._password is None or self._access_token is not None:
            raise ConnectorRejectedError(
                "The homeserver no longer knows the access token.",
                code=UNKNOWN_TOKEN,
                hint="Put a new token in [[matrix]] access_token_file.",
            )
        self._http.token = None
        body: dict[str, object] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._user_id},
            "password": self._password,
            "initial_device_display_name": self._device_name,
        }
        if self._device_id is not None:
            body["device_id"] = self._device_id
        try:
            answer = await self._ask("POST", path("login"), body)
        except ConnectorRejectedError as error:
            raise ConnectorRejectedError(
                f"The homeserver refuses the sign-in of [[matrix]] user_id {self._user_id} "
                f"({error.code or 'no code'}).",
                code=error.code,
                hint="Check user_id and the password in password_file.",
            ) from None
        token, device = text(answer, "access_token"), text(answer, "device_id")
        if token is None or device is None:
            raise ConnectorRejectedError("The homeserver's answer to the sign-in has no token.")
        self._http.token, self._device_id = token, device
        session = Session(user_id=self._user_id, device_id=device, access_token=token)
        try:
            data = msgspec.json.encode(session)
            await asyncio.to_thread(replace_whole, self._session_file, data, durable=True)
        except OSError as error:
            raise ConnectorUnavailableError(
                f"The session cannot be kept ({error.strerror}).",
                hint="Free disk space, and let the recorder write [service] data_dir.",
            ) from None


def _read(file: Path) -> Session | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Session)
    except (OSError, msgspec.MsgspecError):
        return None
