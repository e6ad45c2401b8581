"""What people type into the search."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.query import DEEPEST, LONGEST, Either, Every, QueryError, Words, parse_query


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("flood", Words("flood")),
        ("flood*", Words("flood", begins=True)),
        ('"option B"', Words("option B")),
        ('"option B"*', Words("option B", begins=True)),
        ("flood defence", Every((Words("flood"), Words("defence")))),
        ("flood AND defence", Every((Words("flood"), Words("defence")))),
        ("flood OR defence", Either((Words("flood"), Words("defence")))),
        ("flood NOT rail", Every((Words("flood"),), (Words("rail"),))),
        ("flood -rail", Every((Words("flood"),), (Words("rail"),))),
        ('-"by rail" flood', Every((Words("flood"),), (Words("by rail"),))),
        (
            "(flood OR storm) defence",
            Every((Either((Words("flood"), Words("storm"))), Words("defence"))),
        ),
        ("a b OR c", Either((Every((Words("a"), Words("b"))), Words("c")))),
        ("e-mail", Words("e-mail")),
        ("and or not", Every((Words("and"), Words("or"), Words("not")))),
        ("£20m ...", Words("£20m")),
    ],
)
def test_a_query_is_understood_as_people_mean_it(text: str, wanted: Words | Every | Either) -> None:
    """Words side by side mean all, OR alternatives, NOT and a dash what is unwanted."""
    assert parse_query(text) == wanted


@pytest.mark.parametrize("text", ["", "   ", "...", "👍", '""'])
def test_what_holds_no_word_asks_for_nothing(text: str) -> None:
    """Punctuation alone is no query, and no error."""
    assert parse_query(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"flood', "quotation mark"),
        ("(flood", "opening bracket"),
        ("flood)", "closing bracket"),
        ("NOT flood", "say also what to look for"),
        ("flood OR NOT rail", "say also what to look for"),
        ("flood NOT", "after it"),
        ("AND flood", "both sides"),
        ("flood AND", "both sides"),
        ("OR flood", "each side"),
        ("flood OR", "each side"),
        ("()", "each side"),
        ("f*", "at least two letters"),
        ("x" * (LONGEST + 1), "the most is"),
        ("(" * (DEEPEST + 2) + "x" + ")" * (DEEPEST + 2), "deep"),
    ],
)
def test_a_query_that_cannot_be_understood_says_why(text: str, said: str) -> None:
    """The sentence names what is wrong, for whoever typed it."""
    with pytest.raises(QueryError, match=said):
        parse_query(text)


@given(st.text(max_size=60) | st.text(alphabet='ab "()*-ANDORT', max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Nothing that is typed raises anything but a QueryError."""
    with suppress(QueryError):
        parse_query(text)
