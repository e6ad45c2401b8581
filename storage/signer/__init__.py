"""The keys that sign checkpoints, in the one-line format of Go's ``note`` package."""

from storage.signer.note import (
    NoteSigner,
    NoteVerifier,
    generate,
    origin,
    parse_signing_key,
    parse_verifier,
)

__all__ = [
    "NoteSigner",
    "NoteVerifier",
    "generate",
    "origin",
    "parse_signing_key",
    "parse_verifier",
]
