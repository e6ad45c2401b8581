"""The documentation says what the program is, and no more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata

import pytest

from bridge import errors
from bridge.lifecycle import EntryState, InvalidTransitionError
from bridge.model import CaptureMethod, EventKind, GroupState, NoticeState, RelationType
from tests.pages import ADRS, DOCS, ROOT, Page, page, pages, section, sources, table_cells

PROMISE = """\
> Every message that a platform delivered to the recorder while it was a member is journalled \
before we acknowledge it,
> and the significant ones are in storage before their timer, if storage was reachable for long \
enough in that time.
> What was removed before delivery, sent while the recorder was down for longer than the platform \
keeps it, larger than
> the platform lets a bot fetch, or encrypted to keys we never received, is lost; each such loss \
that can be detected
> stands in the log as a gap."""

WORDS = frozenset(
    {
        "message",
        "event",
        "entry",
        "stream",
        "record",
        "act",
        "object",
        "leaf",
        "log",
        "checkpoint",
        "cursor",
        "outcome",
        "reason",
        "policy",
        "gap",
        "group",
        "notice",
        "download order",
        "hold",
        "disposal",
        "fixity",
        "witness",
        "verdict",
        "spool",
        "placement",
        "sighting",
        "slice",
        "lane",
    }
)
"""What the glossary must have: the words that are fixed, and those that only the code uses."""

TOO_MUCH = re.compile(
    r"guarantee|tamper.?proof|fully compliant|unbreakable|never fails?\b|bullet.?proof"
    r"|100 ?%|military.grade|state.of.the.art|seamless|robust|world.class",
    re.IGNORECASE,
)
REGISTRY = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|crates|docker|ghcr|quay|anaconda|golang)\W(?:org|com|io)\b",
    re.IGNORECASE,
)
TERM = re.compile(r"^\*\*`?([^*`]+)`?\*\*: ", re.MULTILINE)
PAGE_NAMES = [each.name for each in pages()]


def printed(script: str) -> str:
    """What a script under ``docs/`` prints."""
    done = subprocess.run(
        [sys.executable, str(DOCS / script)], check=True, capture_output=True, cwd=ROOT
    )
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("draw_lifecycle.py", "docs/lifecycle.md"),
        ("list_settings.py", "docs/settings.md"),
        ("draw_dashboard.py", "docs/deploy/muniment.grafana.json"),
    ],
)
def test_generated_pages_are_what_their_script_prints(script: str, name: str) -> None:
    """After a change of a table or a setting the page is printed again."""
    assert (ROOT / name).read_text("utf-8") == printed(script), (
        f"run: python docs/{script} > {name}"
    )


def test_the_readme_has_the_promise_word_for_word() -> None:
    """The promise stands in the README as it was given."""
    assert PROMISE in page("README.md").text


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_no_page_promises_more(name: str) -> None:
    """No line has a word that promises what software cannot keep, or names a package registry."""
    for number, line in enumerate(page(name).text.splitlines(), start=1):
        assert not TOO_MUCH.search(line), f"{name}:{number}"
        assert not REGISTRY.search(line), f"{name}:{number}"


def test_the_glossary_has_every_fixed_word_once() -> None:
    """Each word has one meaning, and the words stand in their order."""
    terms = TERM.findall(page("docs/glossary.md").text)
    assert set(terms) >= WORDS, WORDS - set(terms)
    assert len(terms) == len(set(terms))
    assert terms == sorted(terms, key=str.casefold)


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every link within the project names a file, and a heading of it where it names one."""
    here = page(name)
    for link in here.links():
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        path = (here.path.parent / target).resolve() if target else here.path
        assert path.exists(), f"{name}: {link}"
        if anchor and path.suffix == ".md":
            other = Page(path=path, text=path.read_text(encoding="utf-8"))
            assert anchor in other.anchors(), f"{name}: {link}"


def test_files_named_on_pages_exist() -> None:
    """A path in the repository that a page names as code is there."""
    tops = "bridge|connectors|storage|config|tests|docs|requirements"
    pattern = re.compile(rf"(?:{tops})/[\w./-]+")
    for each in pages():
        for span in each.spans():
            if pattern.fullmatch(span):
                assert (ROOT / span).exists(), f"{each.name}: {span}"


def test_pages_named_in_the_code_exist() -> None:
    """A page, and the heading of it, that a docstring or a hint refers to is there."""
    reference = re.compile(r'(docs/[\w/-]+\.md)(?:``, "([^"]+)")?')
    for source, text in sources().items():
        for name, heading in reference.findall(text):
            assert (ROOT / name).exists(), f"{source}: {name}"
            assert not heading or heading in page(name).headings(), f"{source}: {name}, {heading}"


def test_errors_named_on_pages_are_in_the_tree() -> None:
    """An error that a page names is one of the tree, or of Python's."""
    known = {*vars(errors), InvalidTransitionError.__name__, "RuntimeError", "CancelledError"}
    for each in pages():
        for name in re.findall(r"\b[A-Z]\w+Error\b", each.text):
            assert name in known, f"{each.name}: {name}"


def test_the_states_of_groups_and_notices_are_explained() -> None:
    """The operator's manual has a line for each state, in their order."""
    listed = table_cells(section("docs/operations.md", "Groups"))
    states = [state.value for state in (*GroupState, *NoticeState)]
    assert listed == states


def test_the_states_of_an_entry_are_drawn() -> None:
    """Each state of an entry stands in the lifecycle's table."""
    assert {state.value for state in EntryState} <= set(
        table_cells(section("docs/lifecycle.md", "An entry"), column=2)
    )


@pytest.mark.parametrize(
    ("head", "words"),
    [("Kinds: ", EventKind), ("Relations: ", RelationType), ("Methods: ", CaptureMethod)],
)
def test_the_words_of_the_record_are_those_of_the_code(
    head: str, words: type[EventKind | RelationType | CaptureMethod]
) -> None:
    """Kinds, relations and methods on the page are the enums' values, in their order."""
    text = page("docs/formats.md").text
    listed = text[text.index(head) :].partition("\n\n")[0].partition(". What")[0]
    assert re.findall(r"`(\w+)`", listed) == [each.value for each in words]


_LOGGED = r'(?:\blog\.(?:info|warning|error|exception)\(\s*|\bfailing = )"(\w+)"'


def test_every_line_of_the_logging_is_explained() -> None:
    """The operator's manual names each event that the program logs, and no other."""
    logged = {
        event
        for text in sources().values()
        for event in re.findall(
            r'(?:\blog\.(?:info|warning|error|exception)\(\s*|\bfailing = )"(\w+)"', text
        )
    }
    explained = set(table_cells(section("docs/operations.md", "Lines of the logging")))
    assert explained == logged


def test_the_causes_of_gaps_are_explained() -> None:
    """The operator's manual names each cause that the program writes, and no other."""
    text = section("docs/operations.md", "Status").partition("cause of a gap")[2]
    explained = set(table_cells(text.partition("###")[0]))
    program = "\n".join(sources().values())
    assert explained >= set(re.findall(r'\bwhy="(\w+)"', program))
    assert not {cause for cause in explained if f'"{cause}"' not in program}


def test_the_exit_codes_are_explained() -> None:
    """Each code that the command line gives stands in the table."""
    text = section("docs/operations.md", "Exit codes")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == ["0", "1", "2", "130"]


def test_the_index_lists_every_decision() -> None:
    """Each decision stands in the index with its number, title and status, and has its parts."""
    index = page("docs/adr/README.md").text
    files = sorted(path for path in ADRS.glob("[0-9]*.md") if not path.name.startswith("0000"))
    rows = re.findall(r"^\| \[(\d{4})\]\(([\w-]+\.md)\) \| (.+) \| (\w+) \|$", index, re.MULTILINE)
    assert [file for _, file, _, _ in rows] == [path.name for path in files]
    for (number, file, _, status), place in zip(rows, range(1, len(rows) + 1), strict=True):
        decision = page(f"docs/adr/{file}")
        assert int(number) == place
        assert decision.headings()[0].startswith(f"{number}: ")
        assert decision.headings()[1:] == ["Context", "Decision", "What gets worse"], file
        assert f"Status: {status}." in decision.text, file


def test_every_dependency_has_its_reason_and_licence() -> None:
    """Each dependency stands in its decision, with the licence that its own metadata states."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    development = [each for extra in project["optional-dependencies"].values() for each in extra]
    text = page("docs/adr/0007-dependencies.md").text
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    licences = {
        name: licence
        for names, _, listed in rows
        for name, licence in zip(
            names.split(", "), _per_name(listed, len(names.split(", "))), strict=True
        )
    }
    for requirement in (*project["dependencies"], *development):
        (name,) = re.findall(r"^[\w-]+", requirement)
        assert name in licences, name
        stated = metadata(name).json.get("license_expression", licences[name])
        assert licences[name] == stated, name


def _per_name(listed: str, count: int) -> list[str]:
    return [listed] if count == 1 else listed.split(", ")


def test_the_storage_policy_allows_no_removal() -> None:
    """What the manual grants the recorder at a store has no right to delete or to bypass a lock."""
    (policy,) = (b for kind, b in page("docs/operations.md").blocks() if kind == "json")
    actions = set(re.findall(r'"(s3:\w+)"', policy))
    asked = set(re.findall(r"\bs3:\w+", sources()["storage/objects/s3_errors.py"]))
    assert asked <= actions
    assert not {each for each in actions if re.search("Delete|Bypass|Lifecycle|Policy", each)}
