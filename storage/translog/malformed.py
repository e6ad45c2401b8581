"""Verdicts about bytes that somebody else may have written. They never leave this package."""


class MalformedError(Exception):
    """Bytes of a log are not what they must be. The message says what is wrong with them."""


class NoteError(MalformedError):
    """A signed note or checkpoint is not well formed, or its signature does not verify."""


class TileError(MalformedError):
    """A tile or an entry bundle is not well formed."""


class ProofError(MalformedError):
    """A proof does not lead to the root, or is no proof at all."""
