"""What a reader reads of polls, in their stable and unstable forms."""

from __future__ import annotations

from bridge.rawjson.fields import JsonObject, table, tables, text, texts

START = frozenset({"m.poll.start", "org.matrix.msc3381.poll.start"})
RESPONSE = frozenset({"m.poll.response", "org.matrix.msc3381.poll.response"})
END = frozenset({"m.poll.end", "org.matrix.msc3381.poll.end"})


def question_and_answers(content: JsonObject) -> str | None:
    """The question on the first line, each answer on one of its own."""
    poll = table(content, "m.poll") or table(content, "org.matrix.msc3381.poll.start")
    lines = [plain(table(poll, "question")), *map(plain, tables(poll, "answers"))]
    return "\n".join(line for line in lines if line) or plain(content)


def selections(content: JsonObject) -> str | None:
    """The ids of the chosen answers, one a line; empty where a vote was withdrawn."""
    response = table(content, "org.matrix.msc3381.poll.response")
    if "m.selections" in content:
        return "\n".join(texts(content, "m.selections"))
    if "answers" in response:
        return "\n".join(texts(response, "answers"))
    return None


def plain(block: JsonObject) -> str | None:
    """The plain text of a block of extensible content."""
    unstable = text(block, "org.matrix.msc1767.text")
    if unstable is not None:
        return unstable
    stable = block.get("m.text")
    if isinstance(stable, str):
        return stable
    for representation in tables(block, "m.text"):
        if text(representation, "mimetype") in {None, "text/plain"}:
            return text(representation, "body")
    return text(block, "body")
