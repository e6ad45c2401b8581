"""A child process that is ended whatever happens."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.errors import ConfigError

_POLL_SECONDS = 0.05


class Child:
    """One process started by us. Bound to no event loop: any loop may wait for it or end it.

    It runs in a session of its own, so that Ctrl-C reaches only us and we end it in our order.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start ``command``; what it prints is appended to ``log``.

        Cancelled while the process is being made, this MUST NOT leave it behind.

        Raises:
            ConfigError: there is no such program.
        """
        making = asyncio.ensure_future(asyncio.to_thread(_popen, tuple(command), log, environment))
        try:
            process = await asyncio.shield(making)
        except asyncio.CancelledError:
            # The thread cannot be stopped: wait for the process, so that there is one to end.
            await cls((await making), log).kill()
            raise
        except OSError as error:
            raise ConfigError(f"cannot start {command[0]}: {error.strerror}") from error
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    async def wait(self, seconds: float | None = None) -> int:
        """Its exit code.

        Raises:
            TimeoutError: it still runs after ``seconds``.
        """
        async with asyncio.timeout(seconds):
            # The process belongs to no loop, so no loop can be told of its end.
            while (code := self._process.poll()) is None:  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
            return code

    async def end(self, patience: float = 60.0) -> int:
        """SIGTERM, then SIGKILL after ``patience`` seconds or on cancellation. Repeatable."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return await self.wait(patience)
        except TimeoutError:
            return await self.kill()
        except BaseException:
            await self.kill()
            raise

    async def kill(self) -> int:
        """SIGKILL, at once, as a power cut would."""
        self._process.kill()
        return await asyncio.to_thread(self._process.wait)

    async def last_words(self) -> str:
        """The end of its log."""
        return await asyncio.to_thread(tail, self.log)


def _popen(
    command: tuple[str, ...], log: Path, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen(
            command,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, if there is one. It blocks: call it in a thread."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
