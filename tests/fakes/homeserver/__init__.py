"""A homeserver in memory, over real HTTP on loopback, that can also misbehave on command."""

from tests.fakes.homeserver.answers import Fault, Reply, Seen
from tests.fakes.homeserver.rooms import CLERK, RECORDER, SERVER, Room, World
from tests.fakes.homeserver.server import PASSWORD, FakeHomeserver
from tests.fakes.homeserver.tls import Certificate, self_signed

__all__ = [
    "CLERK",
    "PASSWORD",
    "RECORDER",
    "SERVER",
    "Certificate",
    "FakeHomeserver",
    "Fault",
    "Reply",
    "Room",
    "Seen",
    "World",
    "self_signed",
]
