"""Who signs checkpoints."""

from storage.signer.ed25519 import Ed25519Signer

__all__ = ["Ed25519Signer"]
