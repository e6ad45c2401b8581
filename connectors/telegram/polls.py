"""What a reader reads of polls, their results, and lists of tasks."""

from __future__ import annotations

from bridge.rawjson.fields import JsonObject, table, tables, text, whole, wholes
from connectors.telegram.reading import Facts, fact, lines


def question_and_options(poll: JsonObject) -> str | None:
    """The question on the first line, each option on one of its own, with its votes if any."""
    options = (_option(option) for option in tables(poll, "options"))
    return lines(text(poll, "question"), text(poll, "description"), *options)


def facts(poll: JsonObject) -> Facts:
    """Which poll it is, how many took part, and whether it is over."""
    return (
        *fact("poll", text(poll, "id")),
        *fact("poll_voters", whole(poll, "total_voter_count")),
        *fact("poll_closed", "true" if poll.get("is_closed") is True else None),
    )


def selections(answer: JsonObject) -> str:
    """The numbers of the chosen options from 0, one a line; empty where a vote was withdrawn."""
    return "\n".join(map(str, wholes(answer, "option_ids")))


def tasks(checklist: JsonObject) -> str | None:
    """The title on the first line, each task with a mark where it is done."""
    return lines(text(checklist, "title"), *map(_task, tables(checklist, "tasks")))


def tasks_done(change: JsonObject) -> str | None:
    """Which tasks, by their numbers, were marked as done and as not done."""
    done = " ".join(map(str, wholes(change, "marked_as_done_task_ids")))
    undone = " ".join(map(str, wholes(change, "marked_as_not_done_task_ids")))
    return lines(done and f"done: {done}", undone and f"not done: {undone}")


def option_text(change: JsonObject) -> str | None:
    """The option that was added to a poll or taken from it."""
    return text(change, "option_text")


def _option(option: JsonObject) -> str | None:
    label, votes = text(option, "text"), whole(option, "voter_count")
    return f"{label} ({votes})" if label and votes else label


def _task(task: JsonObject) -> str | None:
    label = text(task, "text")
    is_done = bool(whole(task, "completion_date") or table(task, "completed_by_user"))
    return None if label is None else f"[{'x' if is_done else ' '}] {label}"
