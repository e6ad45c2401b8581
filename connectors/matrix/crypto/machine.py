"""The keys of one account's device, and what is done with them: the asynchronous face.

One thread of its own does all of it, in order, each verb in one transaction of the store. The
event loop never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from bridge.model import Provenance
from bridge.protocols import Clock, ToDevice
from bridge.rawjson.fields import JsonObject
from connectors.matrix.crypto import inbound, olm_account
from connectors.matrix.crypto.cross_signing import OlmDevice
from connectors.matrix.crypto.megolm import MegolmSlice
from connectors.matrix.crypto.recovery_key import RandomBytes
from connectors.matrix.crypto.store import CryptoStore, StoreUnavailableError, Transaction
from connectors.matrix.crypto.to_device import StumbledError, Taking
from connectors.matrix.crypto.values import (
    ExportedKey,
    KeyCounts,
    KeyRow,
    MegolmAnswer,
    MegolmRequest,
    TakenReport,
)

T = TypeVar("T")
Opening: TypeAlias = tuple[CryptoStore, OlmDevice]
EVENTS_A_TIME = 64
KEYS_A_TIME = 256


class Machine:
    """See the verbs. Each MAY be cancelled: what it began is then done or undone, whole.

    All raise :class:`StoreUnavailableError` where the store cannot be written, and
    :class:`StoreDamagedError` where it cannot be read; nothing was changed then.
    """

    def __init__(self, store: CryptoStore, device: OlmDevice, thread: ThreadPoolExecutor) -> None:
        """Made by :meth:`open` alone."""
        self._store = store
        self._device = device
        self._thread = thread
        # Filled by the thread, emptied by the event loop; each act on it is atomic.
        self._fresh: deque[str] = deque()
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        file: Path,
        *,
        key: bytes,
        user_id: str,
        device_id: str,
        random: RandomBytes,
        clock: Clock,
    ) -> Machine:
        """Open the store of a device, or make it. ``key`` is 32 bytes.

        Raises:
            StoreRefusedError: the store cannot be used as it is; see :meth:`CryptoStore.open`.
            StoreUnavailableError: it cannot be read or written now.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="matrix-keys")

        def opened() -> Opening:
            store = CryptoStore.open(
                file, key=key, user_id=user_id, device_id=device_id, random=random, now=clock.now
            )
            return store, _device_of(store)

        opening = thread.submit(opened)
        try:
            store, device = await asyncio.shield(asyncio.wrap_future(opening))
        except BaseException:
            # Cancelled while it was under way: nobody else closes the file.
            thread.submit(_close_unwanted, opening)
            thread.shutdown(wait=False)
            raise
        return cls(store, device, thread)

    @property
    def device(self) -> OlmDevice:
        """Our device's public keys."""
        return self._device

    async def sign(self, message: bytes) -> str:
        """The device's signature of ``message``, unpadded base64."""
        return await self.run(lambda transaction: olm_account.sign(transaction, message))

    async def taken(self) -> int:
        """Number of the last to-device message taken; 0 before the first."""
        return await self.run(_taken)

    async def take(self, messages: Sequence[ToDevice]) -> TakenReport:
        """Take messages, in order, in one transaction with the number of the last.

        Those taken before are passed over; one that is malformed costs its neighbours nothing.
        """
        return await self._do(partial(self._took, messages))

    async def decrypt(self, requests: Sequence[MegolmRequest]) -> tuple[MegolmAnswer, ...]:
        """Decrypt room events; one answer each, in order. The same event decrypts again."""
        answers: list[MegolmAnswer] = []
        for start in range(0, len(requests), EVENTS_A_TIME):
            part = requests[start : start + EVENTS_A_TIME]
            answers += await self.run(partial(_decrypted, part))
        return tuple(answers)

    def fresh(self) -> frozenset[str]:
        """Sessions whose key came or became better since this was last asked."""
        found: set[str] = set()
        with contextlib.suppress(IndexError):
            while True:
                found.add(self._fresh.popleft())
        return frozenset(found)

    async def upload(self, counts: KeyCounts | None, *, with_device: bool) -> JsonObject | None:
        """The body of ``/keys/upload``; None where nothing is due.

        The private parts are durable on return. MUST NOT be called again before its body was
        sent: :meth:`uploaded` is of all that was given.
        """
        return await self.run(
            lambda transaction: olm_account.upload(transaction, counts, with_device=with_device)
        )

    async def uploaded(self) -> None:
        """The server took the last upload. Without it the same keys are given again."""
        await self.run(olm_account.uploaded)

    async def keys(self, *, after: int, limit: int, unbacked: bool) -> tuple[KeyRow, ...]:
        """Room keys with an id above ``after``, in order; none when there are no more."""
        return await self.run(
            lambda transaction: inbound.rows(
                transaction, after=after, limit=limit, unbacked=unbacked
            )
        )

    async def backed_up(self, ids: Sequence[int]) -> None:
        """The backup has these. One that became better meanwhile has another id: it is due."""
        await self.run(
            lambda transaction: transaction.executemany(
                "UPDATE inbound SET is_backed_up = 1 WHERE number = ?", [(each,) for each in ids]
            )
        )

    async def forget_backups(self) -> None:
        """No key is backed up: the backup is another one."""
        await self.run(_forget_backups)

    async def import_keys(self, keys: Sequence[ExportedKey], provenance: Provenance) -> int:
        """Take exported keys; gives how many were new or better. Malformed ones are passed over.

        A crash leaves a part of them; all may be imported again.
        """
        taken = 0
        for start in range(0, len(keys), KEYS_A_TIME):
            part = tuple(keys[start : start + KEYS_A_TIME])
            taken += await self._do(partial(self._imported, part, provenance))
        return taken

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in the thread, in one transaction: undone where it raises."""

        def worked() -> T:
            with self._store.transaction() as transaction:
                return work(transaction)

        return await self._do(worked)

    async def aclose(self) -> None:
        """Close the store after what is under way. MAY be repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(closing)

    async def _do(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreUnavailableError("The store of keys is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _took(self, messages: Sequence[ToDevice]) -> TakenReport:
        passed_over: set[int] = set()
        while True:
            try:
                with self._store.transaction() as transaction:
                    report = Taking(transaction).take(messages, passed_over)
            except StumbledError as error:
                passed_over.add(error.number)
            else:
                self._fresh.extend(session_id for _, session_id in report.keys)
                return report

    def _imported(self, keys: tuple[ExportedKey, ...], provenance: Provenance) -> int:
        with self._store.transaction() as transaction:
            found = inbound.import_keys(transaction, keys, provenance)
        self._fresh.extend(session_id for _, session_id in found)
        return len(found)


def _device_of(store: CryptoStore) -> OlmDevice:
    """The device of a store just opened, which is closed where there is none to be read."""
    try:
        with store.transaction() as transaction:
            return olm_account.device(transaction)
    except BaseException:
        store.close()
        raise


def _close_unwanted(opening: Future[Opening]) -> None:
    """Close what nobody waits for any more, in its own thread."""
    if opening.exception() is None:
        store, _ = opening.result()
        store.close()


def _decrypted(
    requests: Sequence[MegolmRequest], transaction: Transaction
) -> Sequence[MegolmAnswer]:
    return MegolmSlice(transaction).decrypt(requests)


def _taken(transaction: Transaction) -> int:
    (number,) = transaction.execute("SELECT taken FROM meta").fetchone()
    return int(number)


def _forget_backups(transaction: Transaction) -> None:
    transaction.execute("UPDATE inbound SET is_backed_up = 0")
