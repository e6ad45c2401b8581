"""The account's key backups at its homeserver, by plain requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

from bridge.errors import ConnectorRejectedError, ConnectorUnavailableError, EnvelopeError
from bridge.rawjson.fields import JsonObject, decode, table, text
from connectors.matrix.crypto.backup_answer import entries
from connectors.matrix.crypto.backup_ports import BackupEntry, BackupVersion
from connectors.matrix.http import MatrixHttp, path

NOT_FOUND = "M_NOT_FOUND"
NOT_NEWEST = frozenset({NOT_FOUND, "M_WRONG_ROOM_KEYS_VERSION"})
SECONDS = 600.0
"""For an answer that holds all keys."""


class HomeserverBackups:
    """See :class:`connectors.matrix.crypto.backup_ports.BackupServer`."""

    def __init__(self, http: MatrixHttp) -> None:
        self._http = http

    async def current(self) -> BackupVersion | None:
        """GET; a 404 of the server's own says that there is none."""
        try:
            answer = await self._ask("GET", path("room_keys", "version"))
        except ConnectorRejectedError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return BackupVersion(
            version=_version(answer),
            algorithm=text(answer, "algorithm") or "",
            auth_data=table(answer, "auth_data"),
        )

    async def create(self, *, algorithm: str, auth_data: JsonObject) -> str:
        """POST."""
        body: JsonObject = {"algorithm": algorithm, "auth_data": auth_data}
        return _version(await self._ask("POST", path("room_keys", "version"), body))

    async def describe(self, backup: BackupVersion) -> None:
        """PUT, with the algorithm, which the server does not let change."""
        body: JsonObject = {
            "version": backup.version,
            "algorithm": backup.algorithm,
            "auth_data": backup.auth_data,
        }
        await self._ask("PUT", path("room_keys", "version", backup.version), body)

    async def put(self, version: str, rooms: JsonObject) -> bool:
        """PUT."""
        try:
            await self._ask(
                "PUT", path("room_keys", "keys"), {"rooms": rooms}, {"version": version}
            )
        except ConnectorRejectedError as error:
            if error.code in NOT_NEWEST:
                return False
            raise
        return True

    async def entries(
        self, version: str, *, room_id: str | None = None
    ) -> AsyncGenerator[BackupEntry, None]:
        """GET, read as it comes."""
        parts = ("room_keys", "keys") if room_id is None else ("room_keys", "keys", room_id)
        route = f"{path(*parts)}?version={quote(version, safe='')}"
        try:
            stream = await self._http.stream(route, seconds=SECONDS)
        except ConnectorRejectedError as error:
            if error.code == NOT_FOUND:
                return
            raise
        try:
            async with aclosing(entries(stream.chunks(), room_id=room_id)) as found:
                async for entry in found:
                    yield entry
        finally:
            await stream.aclose()

    async def entry(self, version: str, room_id: str, session_id: str) -> BackupEntry | None:
        """GET; a 404 of the server's own says that there is none."""
        route = path("room_keys", "keys", room_id, session_id)
        try:
            data = await self._ask("GET", route, query={"version": version})
        except ConnectorRejectedError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return BackupEntry(room_id=room_id, session_id=session_id, data=data)

    async def _ask(
        self,
        method: str,
        route: str,
        body: JsonObject | None = None,
        query: dict[str, str] | None = None,
    ) -> JsonObject:
        try:
            answer = decode(await self._http.request(method, route, query=query, body=body))
        except EnvelopeError:
            answer = None
        if answer is None:
            raise _no_homeserver()
        return answer


def _version(answer: JsonObject) -> str:
    version = text(answer, "version")
    if not version:
        raise _no_homeserver()
    return version


def _no_homeserver() -> ConnectorUnavailableError:
    return ConnectorUnavailableError(
        "What answers in place of the homeserver is no homeserver.",
        hint="Check [[matrix]] homeserver, and any proxy before it.",
    )
