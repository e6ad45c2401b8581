"""What opens the account's encrypted events: see :class:`bridge.protocols.Decrypter`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bridge.errors import ConnectorError
from bridge.model import Crypto, DeviceTrust, Event, EventKind
from bridge.protocols import Decrypter, ImportedKeys, Opened, ToDevice
from bridge.rawjson.fields import decode, table
from connectors.matrix.crypto.key_files import export_keys, import_keys
from connectors.matrix.crypto.opened import opened
from connectors.matrix.crypto.session import CryptoSession
from connectors.matrix.crypto.values import MegolmAnswer, MegolmRequest

AT_ONCE = 64
"""Events mapped without giving others a turn."""

NO_KEY = "The event holds nothing that could be decrypted."


class MatrixDecrypter:
    """The keys of one account. Until it is signed in, every verb but one raises and says so."""

    def __init__(self, session: CryptoSession, *, own_user: str) -> None:
        self._session = session
        self._own_user = own_user

    async def taken(self) -> int:
        """Number of the last to-device message taken. Waits until it was tried to open the store.

        Before the sign-in there is nothing to say that receiving does not say already.
        """
        await self._session.begun()
        return await self._session.machine.taken()

    async def take(self, messages: Sequence[ToDevice]) -> None:
        """Take messages; devices whose own cannot be read are given a new channel later."""
        report = await self._session.machine.take(messages)
        if report.wedged:
            self._session.upkeep.wedged(report.wedged)

    async def open(self, events: Sequence[Event]) -> Sequence[Opened]:
        """Decrypt and map, a few at a time: nobody else waits for all of them."""
        found: list[Opened] = []
        for at in range(0, len(events), AT_ONCE):
            found += await self._open(events[at : at + AT_ONCE])
            await asyncio.sleep(0)
        return found

    async def seek(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Look in the backup at the server."""
        await self._session.safekeeping.restore(wanted)

    async def export_keys(self, file: Path, passphrase: bytes) -> int:
        """Write all keys to a new file."""
        session = self._session
        return await export_keys(session.machine, file, passphrase, random=session.random)

    async def import_keys(self, file: Path, passphrase: bytes) -> ImportedKeys:
        """Take keys from a file."""
        return await import_keys(self._session.machine, file, passphrase)

    def fresh(self) -> frozenset[str]:
        """Sessions whose key came since."""
        try:
            return self._session.machine.fresh()
        except ConnectorError:
            return frozenset()

    @property
    def ready(self) -> bool:
        """Whether our device is signed."""
        return self._session.is_signed

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong now, with the remedy."""
        return self._session.troubles

    async def _open(self, events: Sequence[Event]) -> list[Opened]:
        requests = [_request(event) for event in events]
        asked = [request for request in requests if request is not None]
        answers = iter(await self._decrypted(asked) if asked else ())
        return [
            Opened(why=NO_KEY) if request is None else self._opened(event, next(answers))
            for event, request in zip(events, requests, strict=True)
        ]

    async def _decrypted(self, requests: Sequence[MegolmRequest]) -> Sequence[MegolmAnswer]:
        """A sender's device that is not known yet is asked for, so that the record can name it.

        And whose devices changed, before: one that was deleted vouches for nothing any more.
        """
        session = self._session
        await session.upkeep.refresh({request.sender for request in requests})
        answers = await session.machine.decrypt(requests)
        strangers = {
            request.sender
            for request, answer in zip(requests, answers, strict=True)
            if answer.trust is DeviceTrust.UNKNOWN
        }
        if not strangers:
            return answers
        await session.upkeep.ask(strangers)
        return await session.machine.decrypt(requests)

    def _opened(self, event: Event, answer: MegolmAnswer) -> Opened:
        if answer.clear is None:
            why = f"The event cannot be decrypted: {answer.why}."
            return Opened(why=why, final=answer.is_final)
        known = event.crypto or Crypto()
        crypto = Crypto(
            algorithm=known.algorithm,
            session=known.session,
            device=answer.device_id,
            trust=answer.trust,
            provenance=answer.provenance,
            clear=answer.clear,
        )
        return Opened(event=opened(event, crypto, own_user=self._own_user))


def _request(event: Event) -> MegolmRequest | None:
    """None for what is not encrypted, or was redacted."""
    if event.kind is not EventKind.ENCRYPTED or event.crypto is None or event.sender is None:
        return None
    return MegolmRequest(
        room_id=event.group_id,
        event_id=event.upstream_id,
        sender=event.sender.id,
        content=table(decode(event.raw) or {}, "content"),
    )


def _conforms(decrypter: MatrixDecrypter) -> Decrypter:
    return decrypter
