"""A network of one's own, whose link can be taken down as if a cable were pulled.

Needs the rights of root (:mod:`tests.faults.rights`) and no program: namespaces by system call.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEWNET = 0x40000000
_SET_FLAGS = 0x8914
_IS_UP = 0x1


class Link:
    """The only link of the network, over which all its ends reach each other by 127.0.0.1.

    While it is down nothing arrives: what is under way stays so and nobody is told, and new
    connections fail. The kernel sends again what was sent meanwhile, once the link is up.
    """

    def up(self) -> None:
        """Packets pass."""
        self._set(_IS_UP)

    def down(self) -> None:
        """No packet passes."""
        self._set(0)

    def _set(self, flags: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags))


@contextmanager
def own_network() -> Iterator[Link]:
    """This thread, and every thread and process that it starts, is cut off from all others.

    Sockets made before keep working; none that is made inside reaches outside.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as outer:
        if libc.unshare(_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            link = Link()
            link.up()
            yield link
        finally:
            if libc.setns(outer.fileno(), _NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
