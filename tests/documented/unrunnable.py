"""What stands on a page and cannot be run by a test: why, and what is checked in its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrunnable:
    """A command of a section, or of a sentence where ``section`` is empty.

    ``instead`` MUST name a test that there is.
    """

    section: str = ""
    text: str
    reason: str
    instead: str


_DEMO = (
    "tests/acceptance/test_whole_path.py::test_the_demonstration_keeps_and_discards_what_it_should"
)
_MAKE = "tests/documented/test_make.py::test_make_knows_what_to_do"
_UNITS = "tests/test_deploy.py::test_systemd_takes_the_unit_as_it_is"
_CONTAINER = "tests/test_deploy.py::test_the_container_is_built_from_what_a_clone_has"
_SUPPLY = "docs/operations.md#Supply chain"
_INSTALL = "docs/operations.md#Install"
_SERVICE = "docs/operations.md#As a service"
_POD = "docs/operations.md#In a container"

UNRUNNABLE = (
    Unrunnable(
        section="README.md#Two commands",
        text="make demo",
        reason="goes on until Ctrl-C, and asks for a terminal",
        instead=_DEMO,
    ),
    Unrunnable(
        text="make demo ARGS=--once",
        reason="another test runs its one command",
        instead=_DEMO,
    ),
    Unrunnable(text="muniment demo", reason="another test runs it with --once", instead=_DEMO),
    Unrunnable(
        section="README.md#Two commands",
        text="make test",
        reason="it is what runs this test",
        instead=_MAKE,
    ),
    Unrunnable(
        section="CONTRIBUTING.md#The loop",
        text="make test",
        reason="it is what runs this test",
        instead=_MAKE,
    ),
    Unrunnable(
        text="muniment run is not running",
        reason="an alarm's words, and no command",
        instead="tests/documented/test_telegram_office.py::test_a_recorder_is_looked_after",
    ),
    Unrunnable(text="make lint", reason="`make test` runs it before this test", instead=_MAKE),
    Unrunnable(text="make types", reason="`make test` runs it beside this test", instead=_MAKE),
    Unrunnable(text="make unit", reason="it is what runs this test", instead=_MAKE),
    Unrunnable(
        text="make unit ARGS='-k triage'", reason="it is what runs this test", instead=_MAKE
    ),
    Unrunnable(text="make show", reason="takes hours", instead=_MAKE),
    Unrunnable(text="make lock", reason="asks a package registry", instead=_MAKE),
    Unrunnable(
        text="make train DATA=DIR",
        reason="takes minutes",
        instead="tests/unit/bridge/evaluate/test_training.py"
        "::test_training_again_gives_the_same_bytes",
    ),
    Unrunnable(
        text="python -m pytest tests/contracts/connector -k <platform>",
        reason="`make test` runs these contracts",
        instead="tests/contracts/connector/test_connector_acts.py::test_the_notice_is_posted_once",
    ),
    Unrunnable(
        section=_SUPPLY,
        text="make sbom",
        reason="needs the folder of packages that make itself made in this clone",
        instead="tests/test_supply.py::test_the_same_locks_give_the_same_bytes",
    ),
    Unrunnable(
        section=_SUPPLY,
        text="make audit",
        reason="asks a public service",
        instead="tests/test_supply.py::test_a_service_that_is_away_ends_with_two",
    ),
    Unrunnable(
        section=_INSTALL,
        text="useradd --system --home-dir /srv/muniment muniment",
        reason="makes an account on this machine",
        instead="tests/documented/test_install.py::test_the_account_is_the_one_of_the_units",
    ),
    Unrunnable(
        section=_SERVICE,
        text="systemctl daemon-reload",
        reason="needs a running systemd",
        instead=_UNITS,
    ),
    Unrunnable(
        section=_SERVICE,
        text="journalctl -u muniment -f",
        reason="needs a running systemd",
        instead=_UNITS,
    ),
    Unrunnable(
        section=_POD,
        text="podman build -f docs/deploy/Containerfile -t muniment .",
        reason="the base image comes from a registry",
        instead=_CONTAINER,
    ),
    Unrunnable(
        section=_POD,
        text="podman volume create records",
        reason="needs podman and its storage; the runs below are walked without their container",
        instead=_CONTAINER,
    ),
)
