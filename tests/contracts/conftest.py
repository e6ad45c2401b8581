"""Servers that several contract suites share: one of each per session."""

from tests.servers.buckets import ceph_places, fault_places, moto_places

__all__ = ["ceph_places", "fault_places", "moto_places"]
