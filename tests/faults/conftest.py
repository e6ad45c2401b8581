"""One server with faults and one store on it for each kind of bucket and test module."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.faults.stores import Running, Subject, running_on


@pytest.fixture(scope="module")
def on_locked() -> Iterator[Running]:
    """A bucket that locks, and so keeps versions."""
    with running_on(locked=True) as running:
        yield running


@pytest.fixture(scope="module")
def on_plain() -> Iterator[Running]:
    """A bucket that does neither."""
    with running_on(locked=False) as running:
        yield running


def _subject(running: Running, request: pytest.FixtureRequest) -> Iterator[Subject]:
    # A key of its own: what an earlier test left on its way may still land under that test's.
    key = f"records/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()}.json"
    yield Subject(server=running.server, store=running.store, key=key)
    running.server.lift()


@pytest.fixture(params=["on_locked", "on_plain"])
def at(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each kind of bucket."""
    yield from _subject(request.getfixturevalue(request.param), request)


@pytest.fixture
def locking(request: pytest.FixtureRequest, on_locked: Running) -> Iterator[Subject]:
    """The bucket that locks."""
    yield from _subject(on_locked, request)
