"""A minimal witness: signs the heads of known logs, each only if it extends the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from aiohttp import web

from bridge.errors import LogUnavailableError
from bridge.notekeys import NoteVerifier
from bridge.protocols import Clock, Signer
from storage.translog.cosignature import cosign
from storage.translog.note import Note, signature_lines
from storage.translog.witness_memory import WitnessMemory
from storage.translog.witness_rules import Asked, Refusal, judge, read
from storage.translog.witness_wire import LARGEST_REQUEST, ROUTE, SIZE, TEXT

log = structlog.get_logger(__name__)

READ_SECONDS = 10.0
WAITING = 32
"""Requests that may wait for the one that is being decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to the log."""

    status: int
    content_type: str = TEXT
    body: bytes = field(repr=False)


class MinimalWitness:
    """Decides and signs. Blocking; for one thread."""

    def __init__(
        self,
        *,
        signer: Signer,
        logs: Mapping[str, Sequence[NoteVerifier]],
        memory: WitnessMemory,
    ) -> None:
        """``logs``: the keys that sign each log, by origin. ``signer`` has a cosigning key."""
        self._signer = signer
        self._logs = logs
        self._memory = memory

    def add_checkpoint(self, body: bytes, now: datetime) -> Answer:
        """Remember the head, durably, and only then sign it.

        Crash before: nothing is signed. Crash after: the log asks again, is told the size of this
        very head, and gets its signature.
        """
        asked = read(body, self._logs)
        if isinstance(asked, Refusal):
            return _refused(asked, origin="")
        origin = asked.checkpoint.origin
        while True:
            last = self._memory.last(origin)
            refusal = judge(asked, last)
            if refusal is not None:
                return self._refuse(refusal, asked, now)
            if self._memory.advance(
                origin, instead_of=last, to=asked.remembered, note=asked.request.note, at=now
            ):
                return self._signed(asked, now)

    def _signed(self, asked: Asked, now: datetime) -> Answer:
        text = Note.parse(asked.request.note).text
        line = cosign(text, time=int(now.timestamp()), signer=self._signer)
        log.info("cosigned", origin=asked.checkpoint.origin, size=asked.checkpoint.size)
        return Answer(status=200, body=signature_lines((line,)))

    def _refuse(self, refusal: Refusal, asked: Asked, now: datetime) -> Answer:
        checkpoint = asked.checkpoint
        if refusal.contradicts:
            self._memory.keep_contradiction(
                checkpoint.origin, size=checkpoint.size, note=asked.request.note, at=now
            )
            log.error("contradiction", origin=checkpoint.origin, size=checkpoint.size)
        return _refused(refusal, origin=checkpoint.origin)


class WitnessServer:
    """A :class:`MinimalWitness` behind HTTP. One request is decided at a time."""

    def __init__(self, witness: MinimalWitness, clock: Clock) -> None:
        self._witness = witness
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="witness")
        self._waiting = 0
        self._runner: web.AppRunner | None = None

    async def serve(self, host: str, port: int) -> int:
        """Listen; gives the port.

        Raises:
            OSError: the address cannot be used.
        """
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_post(ROUTE, self._add_checkpoint)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port).start()
        found: tuple[str, int] = runner.addresses[0][:2]
        return found[1]

    async def aclose(self) -> None:
        """Stop listening and finish what is being decided."""
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.to_thread(self._worker.shutdown)

    async def _add_checkpoint(self, request: web.Request) -> web.Response:
        if self._waiting >= WAITING:
            return web.Response(status=503, text="ask again later\n")
        self._waiting += 1
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
            answer = await asyncio.get_running_loop().run_in_executor(
                self._worker, self._witness.add_checkpoint, body, self._clock.now()
            )
        except TimeoutError:
            return web.Response(status=408, text="the request did not end\n")
        except LogUnavailableError as error:
            # What cannot be remembered is not signed; the log asks again.
            log.error("not_cosigned", origin="", status=503, why=str(error), hint=error.hint)  # noqa: TRY400
            return web.Response(status=503, text="ask again later\n")
        finally:
            self._waiting -= 1
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type
        )


def _refused(refusal: Refusal, *, origin: str) -> Answer:
    log.info("not_cosigned", origin=origin, status=refusal.status, why=refusal.why)
    if refusal.size is not None:
        return Answer(status=refusal.status, content_type=SIZE, body=b"%d\n" % refusal.size)
    return Answer(status=refusal.status, body=f"{refusal.why}\n".encode())
