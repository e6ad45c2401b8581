"""The parts of a recorder, wired, in the groups in which they work together."""

from bridge.app.parts.governing import Governing, governing_of
from bridge.app.parts.publishing import Publishing, publishing_of
from bridge.app.parts.reconciling import reconciliation_of
from bridge.app.parts.recording import Recording, recording_of
from bridge.app.parts.watching import Watching, watching_of

__all__ = [
    "Governing",
    "Publishing",
    "Recording",
    "Watching",
    "governing_of",
    "publishing_of",
    "reconciliation_of",
    "recording_of",
    "watching_of",
]
