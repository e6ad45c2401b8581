"""Which bytes are a canonical document."""

from __future__ import annotations

import pytest

from storage.translog.verify.documents import is_canonical

CANONICAL = (
    '{"a":1e+21}',
    '{"a":1.5,"b":[{"c":{"d":[[1]]}}]}',
    '{"a":9007199254740991,"b":-9007199254740991}',
    '{"a":"\\u000b\\b\x7f"}',
    '{"a":"\ue000\U00010000"}',
    '{"\U00010000":2,"\ue000":1}',
)
OTHERS = (
    '{"a":1e21}',
    '{"a":1.0}',
    '{"a":-0}',
    '{"a":0.0000001}',
    '{"a":9007199254740992}',
    '{"a":"\\u007f"}',
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1} ',
    '{"\ue000":1,"\U00010000":2}',
    "[1,]",
    '{"a":"\ud800"}',
)


@pytest.mark.parametrize("text", CANONICAL)
def test_the_form_of_rfc_8785_is_canonical(text: str) -> None:
    """Numbers as ECMAScript writes them, names sorted as UTF-16."""
    assert is_canonical(text.encode())


@pytest.mark.parametrize("text", OTHERS)
def test_every_other_form_is_not(text: str) -> None:
    """Even where it says the same, or a quick encoder would write it so."""
    assert not is_canonical(text.encode("utf-8", "surrogatepass"))
