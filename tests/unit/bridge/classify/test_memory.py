"""What texts came to is remembered for a while."""

from __future__ import annotations

from bridge.classify.memory import REMEMBERED, Memory


def test_a_text_is_worked_on_once() -> None:
    """The second time the result is at hand, also for text that no encoding can hold."""
    worked: list[str] = []
    memory = Memory[int]()

    def work(body: str) -> int:
        worked.append(body)
        return len(body)

    assert [memory.of(body, work) for body in ("agreed", "\ud800", "agreed", "\ud800")] == [
        6,
        1,
    ] * 2
    assert worked == ["agreed", "\ud800"]


def test_it_does_not_grow_without_end() -> None:
    """Past its size everything is forgotten, and found again."""
    worked: list[str] = []
    memory = Memory[str]()

    def work(body: str) -> str:
        worked.append(body)
        return body.upper()

    for number in range(REMEMBERED + 1):
        memory.of(f"text {number}", work)
    assert memory.of("text 0", work) == "TEXT 0"
    assert worked.count("text 0") == 2
    assert worked.count(f"text {REMEMBERED}") == 1


def test_nothing_of_what_was_said_stays_behind() -> None:
    """It can be shown without showing a text."""
    memory = Memory[int]()
    memory.of("the Minister will resign", len)
    assert "Minister" not in repr(vars(memory))
