"""Every secret can be replaced: the operator's page says how, and a test does so."""

from __future__ import annotations

import re

import pytest

from config.tables import REPEATED, TABLES
from tests.pages import ROOT, section

NO_SECRETS = {"[service] ca_file", "[notice] text_file", "[timestamp] ca_file"}
"""Files that the settings name and that anyone may have."""

OF_ANOTHER = {
    "[keys] next_signing_key_file": "[keys] signing_key_file",
    "[[witnesses]] public_key_file": "[witness] public_key_file",
}
"""Settings that are told of in the row of another."""

TESTS = {
    "[keys] signing_key_file": ("key_succession", "the_signing_key_is_replaced"),
    "[keys] public_key_file": ("key_succession", "the_signing_key_is_replaced"),
    "[keys] journal_key_file": ("replaced_keys", "a_journal_key_that_was_replaced"),
    "[keys] blind_key_file": None,
    "[[matrix]] password_file": ("replaced_secrets", "a_password_that_was_changed"),
    "[[matrix]] access_token_file": (
        "replaced_secrets",
        "a_new_access_token_of_the_same_device",
    ),
    "[[matrix]] recovery_key_file": (
        "replaced_recovery_key",
        "a_recovery_key_that_was_replaced",
    ),
    "[[telegram]] token_file": ("replaced_secrets", "a_token_that_was_revoked"),
    "[[telegram]] webhook_secret_file": (
        "replaced_secrets",
        "a_webhook_secret_that_was_replaced",
    ),
    "[store] credentials_file": ("replaced_secrets", "an_access_key_that_was_ended"),
    "[store] hold_credentials_file": (
        "replaced_secrets",
        "the_identity_that_sets_legal_holds",
    ),
    "[console] oidc_client_secret_file": (
        "replaced_passwords",
        "a_clients_secret_that_was_replaced",
    ),
    "[alerts] smtp_password_file": (
        "replaced_passwords",
        "a_mail_servers_password_that_was_replaced",
    ),
    "[alerts] webhook_url_file": (
        "replaced_passwords",
        "a_webhooks_address_that_was_replaced",
    ),
    "[backup] recipient": ("replaced_keys", "a_recipient_of_back_ups_that_was_replaced"),
    "console password": ("replaced_passwords", "a_console_password_that_was_replaced"),
    "[witness] public_key_file": ("replaced_keys", "a_witness_that_has_another_key"),
    "signing key of your own `muniment witness`": (
        "replaced_keys",
        "a_witness_that_has_another_key",
    ),
}
"""The rows of the table, and in which module the test of each stands; None: it cannot be done."""

BESIDE_SETTINGS = (
    "[backup] recipient",
    "console password",
    "signing key of your own `muniment witness`",
)
"""Rows of what is no ``*_file``."""


def _files() -> set[str]:
    """Every file of the settings that holds a key, a token or a password."""
    named = {
        f"[[{name}]] {key}" if name in REPEATED else f"[{name}] {key}"
        for name, table in TABLES.items()
        for key in table.model_fields
        if key.endswith("_file")
    }
    assert named >= NO_SECRETS | OF_ANOTHER.keys()
    return named - NO_SECRETS - OF_ANOTHER.keys()


def _rows() -> list[list[str]]:
    """The cells of each row of the table."""
    text = section("docs/operations.md", "Rotating keys and tokens")
    table = re.search(r"^\| secret \|.*\n\|[-| ]+\n(?P<rows>(?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    rows = table["rows"].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def _name(cell: str) -> str:
    """What a row is of: its first setting, or the words of it."""
    return cell.split("`")[1] if cell.startswith("`") else cell


def test_every_secret_of_the_settings_has_a_row_and_nothing_else() -> None:
    """A setting that names a secret is told how to replace; a row is of such a setting."""
    names = [_name(row[0]) for row in _rows()]
    assert len(names) == len({*names})
    assert {*names} == _files() | {*BESIDE_SETTINGS}
    for part, whole in OF_ANOTHER.items():
        assert whole in names
        assert part.rpartition(" ")[2] in section("docs/operations.md", "Rotating keys and tokens")


def test_every_row_says_all() -> None:
    """How, what restarts, what goes on, what is lost, and what if somebody else had it."""
    assert {len(row) for row in _rows()} == {6}


@pytest.mark.parametrize("row", TESTS)
def test_every_row_is_tested(row: str) -> None:
    """By a test that is there; what cannot be replaced says so."""
    cells = {_name(each[0]): each for each in _rows()}
    place = TESTS[row]
    if place is None:
        assert cells[row][1].startswith("**never**")
        return
    module, test = place
    source = (ROOT / "tests" / "integration" / f"test_{module}.py").read_text("utf-8")
    assert re.search(rf"^(async )?def test_{test}\(", source, re.MULTILINE)


def test_the_tests_are_of_the_rows() -> None:
    """None is left out."""
    assert list(TESTS) == [_name(each[0]) for each in _rows()]
