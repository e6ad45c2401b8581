"""The formats page shows what the program writes."""

from __future__ import annotations

import json

import msgspec
import pytest

from bridge.canonical.json import Json
from bridge.keys import absolute
from bridge.protocols import PlacementKind
from storage.translog.verify.codes import LISTED, SENTENCES, Code
from tests.format_examples import RECORD, examples, facts
from tests.pages import page, section, table_cells

FENCE = "json "


def shown() -> dict[str, str]:
    """The JSON examples of the page by their names."""
    blocks = page("docs/formats.md").blocks()
    return {info.removeprefix(FENCE): body for info, body in blocks if info.startswith(FENCE)}


def test_the_page_has_every_example_and_no_other() -> None:
    """Each example that is made stands on the page."""
    assert shown().keys() == examples().keys()


@pytest.mark.parametrize("name", sorted(examples()))
def test_an_example_is_what_the_program_writes(name: str) -> None:
    """Every value of the example, and the order of its fields, is as the code makes it."""
    made: Json = examples()[name]
    assert shown()[name] == json.dumps(made, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", sorted(facts()))
def test_the_text_names_keys_and_digests_of_the_example(name: str) -> None:
    """Keys, blinded names and the digest in the text are those of the example."""
    assert f"`{facts()[name]}`" in page("docs/formats.md").text


def test_every_field_of_a_record_is_explained() -> None:
    """The table has each field of the example; attachments and encryption are explained below."""
    explained = table_cells(section("docs/formats.md", "Record"))
    assert set(msgspec.json.decode(RECORD, type=dict[str, object])) | {"media", "crypto"} == set(
        explained
    )


def test_every_kind_of_placed_document_is_named() -> None:
    """Manifest parts and each kind of act are named among the leaves."""
    text = section("docs/formats.md", "Leaves")
    assert all(f"`{kind.value}`" in text for kind in PlacementKind)


def test_every_count_of_the_status_is_explained() -> None:
    """What the status counts beside the groups is explained in its section."""
    text = section("docs/formats.md", "Status")
    nested = ("log.size", "checkpoint_at", "entries_by_state")
    for word in ("seen", "unlisted", "unsplit", "unopened", *nested):
        assert f"`{word}`" in text, word


def test_every_code_of_verify_is_explained() -> None:
    """The table has each code, in order, with its sentence and the side on which it stands."""
    rows = [
        f"| `{code.value}` | {'listed' if code in LISTED else 'finding'} | {SENTENCES[code]} |"
        for code in Code
    ]
    assert "\n".join(rows) in section("docs/formats.md", "Verify report")


def test_keys_are_below_the_tenant() -> None:
    """Every key of the page begins with version and tenant."""
    keys = [value for name, value in facts().items() if name.endswith(" key")]
    assert all(key.startswith(absolute("mydept", "")) for key in keys)
