from __future__ import annotations

from pathlib import Path

import pytest

from bridge.classify.assignments import assigns
from bridge.classify.lexis import tokens
from bridge.classify.lines import HEADS
from bridge.classify.model import digest, read_model
from bridge.classify.normalise import read
from bridge.classify.scene import Heard, scene

FILE = Path(__file__).parents[4] / "config" / "models" / "heads-and-trees-1.bin"


def _assigns(text: str) -> bool:
    return assigns([token.word for token in tokens(read(text, longest=20_000).text)])


@pytest.mark.parametrize(
    "text",
    [
        "Priya to circulate the draft by Friday",
        "Priya, Tom and Wen to review section 4.",
        "@wen to send the figures",
        "Update the risk register with the new dates",
    ],
)
def test_a_task_that_is_given_is_known_by_its_form(text: str) -> None:
    """A person and what they are to do, or a bare order, whoever and whatever it is."""
    assert _assigns(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "to send",
        "Send",
        "I want to send the figures",
        "Happy to review",
        "It is hard to review this",
        "+1 to add it",
        "Priya to circulate the draft?",
        "Looking forward to lunch",
        "Anna and I went out",
        "Priya to",
    ],
)
def test_what_only_looks_like_a_task_is_none(text: str) -> None:
    """A wish, a judgement, a vote, a question and half a sentence give no task."""
    assert not _assigns(text)


def test_a_task_given_in_a_meeting_counts_whatever_the_trees_say() -> None:
    """It is at least as likely significant as not; in mail the form alone says nothing."""
    data = FILE.read_bytes()
    model = read_model(data, sha256=digest(data))

    def odds(spoken: float, *, assigned: bool) -> float:
        heads = tuple(spoken if name == "spoken" else -2.0 for name in HEADS)
        heard = Heard(heads=heads, asks=False, votes=False, assigns=assigned)
        return model.odds(scene(heard, ()))

    assert odds(1.0, assigned=False) < 0 < odds(1.0, assigned=True)
    assert odds(-1.0, assigned=True) == odds(-1.0, assigned=False)
