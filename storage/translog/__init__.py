"""The record log, as C2SP tlog-tiles: hashing, tiles, notes, proofs; then who writes and reads it.

``merkle``, ``tiles``, ``edge``, ``tilehashes``, ``note``, ``checkpoint``, ``cosignature`` and
``proof`` are pure: bytes in, bytes or a verdict out.
"""
