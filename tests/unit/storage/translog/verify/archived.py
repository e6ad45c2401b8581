"""One archive for the tests of verification, and what a report says of it, by codes."""

from __future__ import annotations

from functools import cache

from storage.translog.verify.report import Report
from tests.archive import Archive, draft
from tests.archive.provable import provable


@cache
def archive() -> Archive:
    """One for all of them; each looks at a copy."""
    return draft(seed=11, leaves=300)


def codes(report: Report) -> set[str]:
    """What makes it tampered."""
    return {each.code for each in report.findings}


def told(report: Report) -> set[str]:
    """What is only listed."""
    return {each.code for each in report.listed}


def kept_record() -> str:
    """The key of a record that its log proves."""
    return next(key for key in sorted(provable(archive()).named) if key.startswith("records/"))
