"""The words of ``verify``."""

from __future__ import annotations

from storage.translog.verify.codes import LISTED, SENTENCES, Code
from storage.translog.verify.report import MOST_OF_A_CODE, Gathering


def test_every_code_has_its_sentence() -> None:
    """And no sentence is without its full stop."""
    assert set(SENTENCES) == set(Code)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_what_is_only_told_is_no_finding() -> None:
    """Codes stand on one of two sides."""
    found = Gathering()
    for code in Code:
        found.add(code, "what")
    told = {each.code for each in found.listed()}
    assert told == {code.value for code in LISTED}
    assert {each.code for each in found.findings()} == {code.value for code in Code} - told


def test_of_one_code_not_everything_is_named() -> None:
    """A million of one kind do not fill the memory; how many there are more is told."""
    found = Gathering()
    for leaf in range(MOST_OF_A_CODE + 7):
        found.add(Code.EXTRA, "x", leaf=leaf)
    findings = found.findings()
    assert len(findings) == MOST_OF_A_CODE + 1
    assert findings[-1].what == "7 more of this kind are not named."
