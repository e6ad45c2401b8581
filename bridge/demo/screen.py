"""What the watcher sees: the journal as a table, the findings, where the objects lie."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.demo.desk import Desk
from bridge.demo.findings import Mismatch, Said
from bridge.demo.script import Expected, Move
from bridge.demo.shelf import Shelf
from bridge.demo.view import DemoEntry
from bridge.model import EventKind, Outcome

_SHOWN = frozenset(EventKind) - {
    EventKind.MEMBERSHIP,
    EventKind.GROUP,
    EventKind.NOTICE,
    EventKind.PIN,
    EventKind.ROSTER,
    EventKind.SERVICE,
    EventKind.MEDIA,
}
_COLOURS = {Outcome.CAPTURE: "green", Outcome.REVIEW: "yellow", Outcome.DISCARD: "bright_black"}
_MOVES = {
    EventKind.EDIT: "edits: ",
    EventKind.REACTION: "reacts: ",
    EventKind.REDACTION: "removes a message",
    EventKind.POLL: "asks all: ",
    EventKind.POLL_ANSWER: "votes: ",
    EventKind.TIMER: "sets the timer: ",
}
_DEEDS = {
    "Search": "As {manager}, search for Harbour; open a Record: its object is verified as you look",
    "Proof": "On a record, How to check it by hand has the files and the commands for a sceptic",
    "Review": "Decide what the rules were not sure of, and say why",
    "Holds": "Place one. Nobody releases a hold alone: {authority} does, in a private window",
}
_WIDEST_TEXT = 60
_NARROWEST_TEXT = 16
_OTHER_COLUMNS = 104
_FEWEST_ROWS = 5
_SPARE_LINES = 2


class Screen:
    """Draws. ``people`` and ``groups`` give the short names of ids."""

    def __init__(
        self, console: Console, *, people: Mapping[str, str], groups: Mapping[str, str]
    ) -> None:
        self.console = console
        self._people = people
        self._groups = groups

    def live(self, entries: Sequence[DemoEntry], caption: str, *, above: int = 0) -> RenderableType:
        """The latest entries, as many as fit below ``above`` lines that are to stay in sight."""
        rows = _worth_showing(entries)[-self.console.height :]
        drawing = self.table(rows, caption)
        # Each row takes a line or more: without as many rows as there are lines too many, it fits.
        over = self.height(drawing) + above + _SPARE_LINES - self.console.height
        if over <= 0:
            return drawing
        return self.table(rows[-max(_FEWEST_ROWS, len(rows) - over) :], caption)

    def table(self, entries: Sequence[DemoEntry], caption: str = "") -> RenderableType:
        """One row per entry."""
        table = Table(title="What the recorder does with each message", title_justify="left")
        for name in ("Sent", "Group", "Who", "What", "Outcome"):
            table.add_column(name, no_wrap=True)
        table.add_column("Why")
        table.add_column("Stored", no_wrap=True)
        for entry in _worth_showing(entries):
            table.add_row(*self._row(entry))
        return Group(table, Text(caption, style="italic")) if caption else table

    def findings(self, mismatches: Sequence[Mismatch]) -> RenderableType:
        """The lines that did not turn out as expected."""
        table = Table(title="Not as expected", title_justify="left", title_style="bold red")
        for name in ("Who", "What", "Expected", "Found"):
            table.add_column(name)
        for mismatch in mismatches:
            line = mismatch.said.line
            table.add_row(
                line.who,
                _clean(_what(line.move, line.text)),
                Text(f"{line.expected}: {line.why}"),
                _clean(mismatch.problem),
            )
        return table

    def summary(
        self, said: Sequence[Said], mismatches: Sequence[Mismatch], objects: Path, shelf: Shelf
    ) -> list[Text]:
        """The count, where the objects lie, and one to check by hand. Lines, not to be wrapped."""
        kept = sum(each.line.expected is Expected.KEPT for each in said)
        wrong = len(mismatches)
        verdict = (
            Text(f"All {len(said)} lines as expected: ", style="bold green")
            if not wrong
            else Text(f"{wrong} of {len(said)} lines not as expected: ", style="bold red")
        )
        verdict.append(f"{kept} to be kept, {len(said) - kept} to be discarded.", style="default")
        lines = [verdict, Text(f"The objects lie in {objects}")]
        for record in shelf.records:
            listing = shelf.listed.get(record.key)
            if record.kind == "message" and listing is not None:
                lines += [
                    Text("Check one yourself; the manifest names the same digest:"),
                    Text(f"  sha256sum {shlex.quote(str(record.path))}"),
                    Text(f"  {listing.sha256}", style="cyan"),
                    Text(
                        f"  grep -c {listing.sha256} {shlex.quote(str(listing.part))}",
                        overflow="fold",
                    ),
                ]
                break
        return lines

    def height(self, drawing: RenderableType) -> int:
        """How many lines it takes."""
        return len(self.console.render_lines(drawing))

    def desk(self, desk: Desk) -> RenderableType:
        """Where the console is, and who signs in there."""
        table = Table(title=f"The records manager's console: {desk.url}/", title_justify="left")
        for name in ("Name", "Password"):
            table.add_column(name, no_wrap=True)
        table.add_column("What this account is for")
        for clerk in desk.clerks:
            table.add_row(Text(clerk.name), Text(clerk.password, style="cyan"), Text(clerk.does))
        return table

    def suggestions(self, desk: Desk) -> RenderableType:
        """What to try there."""
        table = Table(title="What to try there", title_justify="left", show_header=False)
        for name, deed in _DEEDS.items():
            table.add_row(
                Text(name),
                Text(deed.format(manager=desk.manager.name, authority=desk.authority.name)),
            )
        return table

    def inspected(self, desk: Desk, finding: str) -> Text:
        """What came of the console being put to use."""
        if finding:
            said = Text("The console is not as expected: ", style="bold red")
            return said.append(_clean(finding))
        said = Text("The console as expected: ", style="bold green")
        return said.append(
            f"{desk.manager.name} signs in, finds a decision, its record is verified against the"
            f" log, its day shows it; {desk.authority.name} signs in and reads nothing.",
            style="default",
        )

    def _row(self, entry: DemoEntry) -> tuple[Text, ...]:
        sent = entry.sent_at.astimezone().strftime("%H:%M:%S") if entry.sent_at else ""
        said = _MOVES.get(entry.kind, "")
        # What a removed or odd event says is not always text; its kind then speaks for it.
        body = entry.body or ("" if said else entry.kind.value)
        colour = _COLOURS.get(entry.outcome, "default") if entry.outcome else "default"
        return (
            Text(sent),
            _clean(self._groups.get(entry.group_id, entry.group_id)),
            _clean(self._people.get(entry.sender, entry.sender)),
            self._shortened(_clean(said + body)),
            Text(entry.outcome.value if entry.outcome else "…", style=colour),
            Text(", ".join(entry.reasons)),
            Text(_stored(entry)),
        )

    def _shortened(self, text: Text) -> Text:
        width = max(_NARROWEST_TEXT, min(_WIDEST_TEXT, self.console.width - _OTHER_COLUMNS))
        text.truncate(width, overflow="ellipsis")
        return text


def _worth_showing(entries: Sequence[DemoEntry]) -> list[DemoEntry]:
    return [entry for entry in entries if entry.kind in _SHOWN]


def _stored(entry: DemoEntry) -> str:
    if entry.stored_at is None:
        return "" if entry.outcome is Outcome.DISCARD else "…"
    if entry.expires_at is not None:
        left = (entry.expires_at - entry.stored_at).total_seconds()
        return f"{left:.1f} s before its timer" if left >= 0 else f"{-left:.1f} s LATE"
    if entry.sent_at is None:
        return "stored"
    return f"after {(entry.stored_at - entry.sent_at).total_seconds():.1f} s"


def _what(move: Move, text: str) -> str:
    return text if move is Move.SAY else f"{move}: {text}".rstrip(": ")


def _clean(text: str) -> Text:
    """Chat text is hostile: nothing in it may steer the terminal."""
    return Text("".join(char if char.isprintable() else "·" for char in text))
