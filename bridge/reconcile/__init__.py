"""Journal against store, in both directions, and journal against source.

By the same steps as the normal path, at the start of ``run`` and on demand.
"""

from bridge.reconcile.fixity import FILE as FIXITY_FILE
from bridge.reconcile.fixity import read_fixity
from bridge.reconcile.holdings import Lifetimes
from bridge.reconcile.loop import Answering, Reconciliation
from bridge.reconcile.progress import FILE, Advance, Answer, Outcome, Progress, read_progress
from bridge.reconcile.reconciler import Reconciler
from bridge.reconcile.report import DayReport, Finding, Found, GroupReport, Report

__all__ = [
    "FILE",
    "FIXITY_FILE",
    "Advance",
    "Answer",
    "Answering",
    "DayReport",
    "Finding",
    "Found",
    "GroupReport",
    "Lifetimes",
    "Outcome",
    "Progress",
    "Reconciler",
    "Reconciliation",
    "Report",
    "read_fixity",
    "read_progress",
]
