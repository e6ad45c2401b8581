"""Several processes for one piece of work after another, answered in their order.

They are forks: each has the tables of the leaves as they are, and shares their memory.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from bridge.errors import MunimentError, ObjectStoreError

WAITING = 2
"""Pieces that a process has at once: while one is answered, it goes on with the next."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def can_fork() -> bool:
    """Whether forks are safe here: no other thread may hold a lock meanwhile."""
    return sys.platform == "linux" and threading.active_count() == 1


def cores() -> int:
    """How many processes can run at once."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


class Workers(Generic[_T, _R]):
    """``count`` forks that do ``work``; to be closed."""

    def __init__(self, work: Callable[[_T], _R], count: int) -> None:
        context = multiprocessing.get_context("fork")
        self._ends: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            self._ends.append(ours)
            one = context.Process(target=_serve, args=(work, theirs, self._ends), daemon=True)
            one.start()
            theirs.close()
            self._processes.append(one)

    def answers(self, pieces: Iterable[_T]) -> Iterator[_R]:
        """What ``work`` makes of each piece, in their order.

        Raises:
            MunimentError: the work raised it, or a process ended.
        """
        todo = iter(pieces)
        done: dict[int, _R] = {}
        idle = [end for end in self._ends for _ in range(WAITING)]
        given = answered = 0
        more = True
        while True:
            # No further ahead than what fits in memory: a slow piece holds back those behind it.
            while more and idle and given - answered < 8 * len(self._ends):
                piece = next(todo, None)
                more = piece is not None
                if piece is not None:
                    _tell(idle.pop(), (given, piece))
                    given += 1
            while answered in done:
                yield done.pop(answered)
                answered += 1
            if answered == given:
                if not more:
                    return
                continue
            busy = [end for end in self._ends if idle.count(end) < WAITING]
            ready = wait(busy)
            for end in busy:
                if end in ready:
                    number, done_here = self._heard(end)
                    done[number] = done_here
                    idle.insert(0, end)

    def _heard(self, end: Connection) -> tuple[int, _R]:
        number: int
        answer: _R
        try:
            number, answer, error = end.recv()
        except (EOFError, OSError):
            raise _ended() from None
        if error is not None:
            kind, message, hint = error
            raise kind(message, hint=hint)
        return number, answer

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.close()
        for one in self._processes:
            one.terminate()
            one.join()


def _tell(end: Connection, what: tuple[int, _T]) -> None:
    try:
        end.send(what)
    except OSError:
        raise _ended() from None


def _ended() -> ObjectStoreError:
    hint = "Free memory, and run it again."
    return ObjectStoreError("A process that reads objects was ended.", hint=hint)


def _serve(work: Callable[[_T], _R], end: Connection, others: list[Connection]) -> None:
    """In the fork: until the other end closes. An interruption is for the first process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:
        other.close()
    while True:
        try:
            number, piece = end.recv()
        except (EOFError, OSError):
            return
        try:
            answer, error = work(piece), None
        except MunimentError as wrong:
            answer, error = None, (type(wrong), str(wrong), wrong.hint)
        end.send((number, answer, error))
