"""Letting the recorder into groups: orders taken up, invitations accepted, notices posted.

Every step is a compare-and-set on the register with its act in the same transaction, so a crash
leaves a step either taken, with its act, or still to take.
"""

from bridge.admission.loop import Admission
from bridge.admission.register import ListedGroup

__all__ = ["Admission", "ListedGroup"]
