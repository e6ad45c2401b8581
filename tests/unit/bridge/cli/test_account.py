"""Who an order on the command line is from."""

from __future__ import annotations

import getpass
import os

import pytest

from bridge.cli.account import user


@pytest.mark.parametrize("error", [KeyError, OSError, ImportError])
def test_an_account_without_a_name_orders_by_its_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """A container's account often stands in no password file; its order still has an author."""

    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert user() == str(os.getuid())
