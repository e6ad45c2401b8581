"""Clients that are not ours: what officials really use, driven by the tests."""
