"""Fixtures for the tests that run against real parts."""

from tests.servers.synapse import homeserver

__all__ = ["homeserver"]
