"""The recorder itself: what Muniment does, without any platform, store or database.

Read in this order: ``docs/architecture.md``, :mod:`bridge.protocols`, :mod:`bridge.lifecycle`,
:mod:`bridge.capture`, :mod:`bridge.seal`, then one connector.
"""
