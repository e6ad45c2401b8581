"""What records managers do, with JavaScript and without."""

# ruff: noqa: FBT001 - fixtures are passed by their names

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bagit
from playwright.sync_api import Browser

from tests.browser.conftest import MARKS, Opening
from tests.browser.scene import PASSWORD, Scene, until
from tests.browser.window import Window, window

pytestmark = MARKS

FOUND = "The Minister has agreed to option B. Go ahead with the evacuation."
LATEST = "began_at = (SELECT max(began_at) FROM session WHERE name = ?1) AND name = ?1"
"""The session that somebody began last."""


def find_the_decision(page: Window) -> None:
    """Words and a reason, from the form."""
    page.go("/search")
    page.fill("Words", 'option AND "go ahead"')
    page.press("Search")
    page.says("1 found", FOUND)


def test_a_decision_is_found_by_search(opened: Opening, has_script: bool) -> None:
    """The words lead to the decision between what was said around it, to its record and its day."""
    page = opened("maya", has_script=has_script)
    find_the_decision(page)
    page.follow("Record number")
    page.says("Record, number", FOUND, "DECISION", "Significant", "Flood response")
    page.follow("Flood response,")
    page.says("Flood response", "Not kept", FOUND)
    assert page.page.locator(".muniment-message--here").inner_text().find(FOUND) >= 0


def test_a_record_is_verified_and_its_proof_taken_away(
    opened: Opening, has_script: bool, tmp_path: Path, played: Scene
) -> None:
    """The commands that the page shows, done in a shell over the downloads, give what it says."""
    page = opened("maya", has_script=has_script)
    find_the_decision(page)
    page.follow("Record number")
    page.says("Verified against the log", "is signed by the key records.example.org/demo/log/0+")
    page.follow("How to check it by hand")
    stem = re.search(r"records/([\w-]+)/proof", page.path)
    assert stem
    record = page.saved(f"{stem[1]}.json", tmp_path)
    proof = page.saved(f"{stem[1]}.stored.tlog-proof", tmp_path)
    assert (record.name, proof.name) == (f"{stem[1]}.json", f"{stem[1]}.stored.tlog-proof")
    commands = page.main.locator(".muniment-raw").all_inner_texts()
    digest, leaf, place = (shell(command, tmp_path) for command in commands[:3])
    assert hashlib.sha256(record.read_bytes()).hexdigest() == digest.split()[0]
    assert f'"o":"{digest.split()[0]}"' in leaf
    assert f'"p":"{place.split()[0]}"' in leaf
    verb = commands[4].replace("log.pub", str(played.site.folder / "keys" / "public.key"))
    assert "muniment verify" in verb
    played.site.run(*shlex.split(verb)[1:])


def shell(command: str, folder: Path) -> str:
    """What a command of the page prints."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode()


def test_what_waits_is_kept_and_becomes_a_record(opened: Opening, played: Scene) -> None:
    """With and without JavaScript: decided, taken up by the recorder, stored, and findable so."""
    decided: dict[str, str] = {}
    for has_script in (True, False):
        page = opened("maya", has_script=has_script)
        page.go("/review")
        page.says("Waiting for a decision")
        page.leave_by(page.main.locator("tbody a").first)
        page.press("Decide and go to the next")
        page.says("There is a problem", "Choose", "reason")
        reason = f"It decides where sandbags go ({has_script})"
        page.page.get_by_label("Keep", exact=True).check()
        page.fill("Your reason", reason)
        decided[reason] = page.path.split("?")[0]
        page.press("Decide and go to the next")
        assert page.path.startswith("/review")
    assert len(set(decided.values())) == 2
    page = opened("maya")
    until("both are taken up", lambda: all(is_taken_up(page, path) for path in decided.values()))
    played.list_what_is_new()
    for path in decided.values():
        page.go(path.replace("/review/", "/records/"))
        page.says("Verified against the log", "Significant", "PERSON")
    page.go("/review")
    for path in decided.values():
        assert page.main.locator(f"tbody a[href^='{path}']").count() == 0


def is_taken_up(page: Window, path: str) -> bool:
    """Whether the page of a message says so."""
    page.go(path)
    return "The recorder has taken it up." in page.words()


def test_a_hold_is_placed_and_released_by_somebody_else(opened: Opening, has_script: bool) -> None:
    """Who placed it cannot release it; a hold authority can, with a reason."""
    matter = f"INQ/2026/{has_script}"
    page = opened("maya", has_script=has_script)
    page.go("/holds")
    page.leave_by(page.page.get_by_role("button", name="Place a hold"))
    page.fill("Authority", "Chair of the Thornby inquiry")
    page.fill("Matter", matter)
    page.page.get_by_label("Flood response", exact=True).check()
    page.press("Place the hold")
    page.says("There is a problem")
    page.fill("Reason", "Ordered by letter of 1 March")
    page.press("Place the hold")
    page.says(matter, "Chair of the Thornby inquiry", "Groups: Flood response.")
    placed = page.path
    page.says("You placed this hold: somebody else has to release it.")
    until("the recorder wrote it down", lambda: "It has written this down" in reread(page, placed))
    find_the_decision(page)
    page.follow("Record number")
    page.says("Under legal hold", matter)
    other = opened("harriet", has_script=has_script)
    other.go(placed)
    other.press("Release the hold")
    other.says("There is a problem")
    other.fill("Reason", "The inquiry has reported")
    other.press("Release the hold")
    other.says("Released", "by harriet: The inquiry has reported")
    find_the_decision(page)
    page.follow("Record number")
    page.says("No legal hold covers it now.")


def reread(page: Window, path: str) -> str:
    """A page as it is now."""
    page.go(path)
    return page.words()


def test_a_bag_is_prepared_and_holds_what_its_manifest_says(
    opened: Opening, has_script: bool, tmp_path: Path
) -> None:
    """From the search to a tar archive that another program finds whole."""
    page = opened("maya", has_script=has_script)
    find_the_decision(page)
    page.follow("Download what was found")
    page.press("Prepare it")
    page.says("There is a problem")
    page.fill("What is it for?", "Inquiry 7")
    page.press("Prepare it")
    until("it is prepared", lambda: "Everything as a BagIt bag" in reread(page, page.path))
    file = page.saved("Everything as a BagIt bag", tmp_path)
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "bag", filter="data")
    (folder,) = (tmp_path / "bag").iterdir()
    assert bagit.Bag(str(folder)).is_valid()
    records = list((folder / "data").rglob("*.json"))
    assert any(FOUND in record.read_text() for record in records)
    table = page.saved("A table for spreadsheets", tmp_path).read_text(encoding="utf-8-sig")
    assert FOUND in table


def test_somebody_signs_in_and_out(browser: Browser, played: Scene, has_script: bool) -> None:
    """A wrong password is told; what was left open asks again after signing out."""
    with window(browser, played.site, has_script=has_script) as page:
        page.go("/groups")
        assert page.path == "/sign-in"
        page.sign_in("olly", "not this one")
        page.says("There is a problem")
        page.sign_in("olly", PASSWORD)
        page.says("olly", "Overview")
        page.press("Sign out")
        assert page.path == "/sign-in"
        page.go("/overview")
        assert page.path == "/sign-in"


def test_a_session_ends_when_nobody_is_there(
    browser: Browser, played: Scene, has_script: bool
) -> None:
    """After a quarter of an hour the next page is the way to sign in, a form's too."""
    with window(browser, played.site, has_script=has_script) as page:
        page.sign_in("maya")
        page.go("/holds/new")
        passed(played, "seen_at", timedelta(minutes=16))
        page.press("Place the hold")
        assert page.path == "/sign-in"
        page.says("Sign in")


def test_what_cannot_be_taken_back_asks_who_it_is(
    browser: Browser, played: Scene, has_script: bool
) -> None:
    """Ten minutes after the password a download asks for it, and then leads back to its form."""
    with window(browser, played.site, has_script=has_script) as page:
        page.sign_in("maya")
        passed(played, "proved_at", timedelta(minutes=11))
        find_the_decision(page)
        page.follow("Download what was found")
        page.fill("What is it for?", "Inquiry 8")
        page.press("Prepare it")
        page.says("Confirm who you are")
        page.fill("Password", "not this one")
        page.press("Go on")
        page.says("There is a problem")
        page.fill("Password", PASSWORD)
        page.press("Go on")
        page.says("Prepare a download")
        page.fill("What is it for?", "Inquiry 8")
        page.press("Prepare it")
        assert page.path.startswith("/downloads/")


def passed(played: Scene, what: str, time: timedelta) -> None:
    """As if so much time had passed for maya's newest session; no clock of a process is ours."""
    then = (datetime.now(UTC) - time).isoformat().replace("+00:00", "Z")
    order = f"UPDATE session SET {what} = ?2 WHERE {LATEST}"  # noqa: S608 - our own words
    played.site.changed(order, "maya", then)
