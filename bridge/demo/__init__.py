"""The demonstration: a real homeserver on loopback, officials who talk, and the recorder.

:mod:`~bridge.demo.homeserver` and :mod:`~bridge.demo.official` also serve tests and benchmarks.
"""
