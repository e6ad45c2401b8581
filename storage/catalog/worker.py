"""A process that reads the store for a rebuild: keys in, rows out. It imports little.

Frames on standard input and output: four bytes of length, then so many. The first one in is the
pickled :class:`bridge.protocols.evidence.Evidence` of the process that started this one; every
other is a key, and is answered by its :class:`storage.catalog.lines.Lines`.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO

import msgspec

from bridge.errors import CatalogError, ObjectStoreError, ObjectStoreUnavailableError
from bridge.keys import MANIFESTS
from bridge.listings import act_of, listings_of
from bridge.protocols.evidence import Evidence
from bridge.secrecy import handed_on, no_core_dumps
from storage.catalog.lines import Lines, lines_of

_HEAD = 4
_NICE = 5
_decode = msgspec.msgpack.Decoder(Lines).decode
_encode = msgspec.msgpack.Encoder().encode


def understand(evidence: Evidence, key: str) -> Lines:
    """Read one manifest part, with its records, or one act."""
    try:
        data = evidence.read(key)
        if data is None:
            return Lines(key=key, refusal=f"{key} is gone.")
        if key.startswith(f"{MANIFESTS}/"):
            return lines_of(key, listings=listings_of(key, data, evidence.read))
        return lines_of(key, act=act_of(key, data))
    except CatalogError as error:
        return Lines(key=key, refusal=str(error))
    except ObjectStoreError as error:
        return Lines(key=key, trouble=str(error))


class Processes:
    """Some processes that read a folder for us, so that more than one core is busy."""

    def __init__(self, evidence: Evidence, number: int) -> None:
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="catalog-worker")
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self.processes = [_started() for _ in range(number)]
        for process in self.processes:
            _put(_pipe(process.stdin), pickle.dumps(evidence))
            self._free.put(process)

    def submit(self, key: str) -> Future[Lines]:
        """Have one part or act read."""
        return self._threads.submit(self._ask, key)

    def _ask(self, key: str) -> Lines:
        process = self._free.get()
        try:
            _put(_pipe(process.stdin), key.encode())
            answer = _take(_pipe(process.stdout))
        except OSError:
            answer = None
        finally:
            self._free.put(process)
        if answer is None:
            raise ObjectStoreUnavailableError("A process that read the store for us ended.")
        return _decode(answer)

    def close(self) -> None:
        """End the processes, whatever they do."""
        for process in self.processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self.processes:
            process.wait()
            _pipe(process.stdin).close()
            _pipe(process.stdout).close()


def _started() -> subprocess.Popen[bytes]:
    # Not by multiprocessing, which would import the whole program once more. The paths are ours,
    # and -P keeps the folder that we happen to stand in from being one of them.
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "storage.catalog.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**handed_on(os.environ), "PYTHONPATH": paths},
        bufsize=0,
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("a worker was started without pipes")
    return pipe


def _put(pipe: IO[bytes], frame: bytes) -> None:
    whole = memoryview(len(frame).to_bytes(_HEAD, "big") + frame)
    while whole:
        whole = whole[pipe.write(whole) :]


def _take(pipe: IO[bytes]) -> bytes | None:
    """The next frame; None where there is no whole one any more."""
    head = _read(pipe, _HEAD)
    return None if head is None else _read(pipe, int.from_bytes(head, "big"))


def _read(pipe: IO[bytes], size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        piece = pipe.read(size - len(found))
        if not piece:
            return None
        found += piece
    return bytes(found)


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Answer until nobody asks any more."""
    first = _take(incoming)
    if first is None:
        return
    evidence: Evidence = pickle.loads(first)  # noqa: S301 - see the top
    while (key := _take(incoming)) is not None:
        _put(outgoing, _encode(understand(evidence, key.decode())))


def main() -> None:
    """The process. An interrupt ends the one that started it, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    no_core_dumps()
    with suppress(OSError):  # a sandbox may forbid it, as our own units for systemd do
        os.nice(_NICE)
    try:
        with (
            os.fdopen(os.dup(0), "rb", buffering=0) as incoming,
            os.fdopen(os.dup(1), "wb", buffering=0) as outgoing,
        ):
            serve(incoming, outgoing)
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main()
