"""Free ports on loopback."""

from __future__ import annotations

import os
import socket
from itertools import count

LOWEST, HIGHEST = 12_000, 32_000
"""Below what Linux gives to connections that go out, which would take a port before its server."""

_STRIDE = 97
"""So far apart do two processes of one test run, with neighbouring ids, begin to look."""

_next = count(os.getpid() * _STRIDE)


def free_ports(number: int) -> list[int]:
    """Distinct ports that nobody listens on and that this process has not given before."""
    found: list[int] = []
    while len(found) < number:
        port = LOWEST + next(_next) % (HIGHEST - LOWEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
