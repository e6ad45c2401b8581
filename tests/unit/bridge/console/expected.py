"""Who may ask for which route, written down by hand: what the table of pages is held against.

Whoever adds a page adds its row here, and a sample for each new parameter of a path.
"""

from __future__ import annotations

import re

from bridge import keys
from bridge.console.exports import Wanted
from bridge.console.queue import is_restricted
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Desk
from tests.unit.bridge.console.proving import sources_for

ANYBODY = None
"""Nobody need be signed in."""

EVERYBODY = frozenset(Role)
"""Whoever is signed in."""

READING = frozenset(
    {
        Role.OWNER,
        Role.REVIEWER,
        Role.RECORDS_MANAGER,
        Role.FOI_OFFICER,
        Role.SENSITIVITY_REVIEWER,
        Role.READER,
    }
)
"""Who sees content: neither operator nor auditor, and not who only approves."""

EXPORTING = frozenset({Role.RECORDS_MANAGER, Role.FOI_OFFICER})
"""Who takes content away."""

REVIEWING = frozenset({Role.REVIEWER, Role.RECORDS_MANAGER, Role.SENSITIVITY_REVIEWER})
"""Who decides on what waits for a person."""

RELEASING = frozenset({Role.SENSITIVITY_REVIEWER})
"""Who releases what is marked SECRET or above, or has it destroyed."""

AUDITING = frozenset({Role.AUDITOR, Role.RECORDS_MANAGER})
"""Who reads the trail."""

REGISTERING = frozenset({Role.OWNER, Role.RECORDS_MANAGER})
"""Who keeps the register of groups."""

HOLDING = frozenset({Role.RECORDS_MANAGER, Role.FOI_OFFICER, Role.HOLD_AUTHORITY})
"""Who places legal holds."""

EXPECTED: dict[tuple[str, str], frozenset[Role] | None] = {
    ("GET", "/"): ANYBODY,
    ("GET", "/sign-in"): ANYBODY,
    ("POST", "/sign-in"): ANYBODY,
    ("POST", "/sign-out"): EVERYBODY,
    ("GET", "/prove"): EVERYBODY,
    ("POST", "/prove"): EVERYBODY,
    ("GET", "/groups"): EVERYBODY,
    ("GET", "/groups/{gid}"): EVERYBODY,
    ("GET", "/groups/new"): REGISTERING,
    ("POST", "/groups"): REGISTERING,
    ("POST", "/groups/{gid}/steps"): REGISTERING,
    ("GET", "/groups/{gid}/{date}"): READING,
    ("GET", "/records/{stem}"): READING,
    ("GET", "/records/{stem}/proof"): READING,
    ("GET", "/records/{stem}/object"): READING,
    ("GET", "/records/{stem}/raw/{source}"): READING,
    ("GET", "/records/{stem}/media/{i}"): READING,
    ("GET", "/downloads"): EXPORTING,
    ("POST", "/downloads"): EXPORTING,
    ("GET", "/downloads/{name}"): EXPORTING,
    ("GET", "/downloads/{name}/bag.tar"): EXPORTING,
    ("GET", "/downloads/{name}/records.jsonl"): EXPORTING,
    ("GET", "/downloads/{name}/table.csv"): EXPORTING,
    ("GET", "/search"): READING,
    ("GET", "/overview"): EVERYBODY,
    ("GET", "/review"): REVIEWING,
    ("GET", "/review/many"): REVIEWING,
    ("POST", "/review/many"): REVIEWING,
    ("GET", "/review/restricted/{stream}/{n}"): RELEASING,
    ("POST", "/review/restricted/{stream}/{n}"): RELEASING,
    ("GET", "/review/{stem}"): REVIEWING,
    ("POST", "/review/{stem}"): REVIEWING,
    ("GET", "/audit"): AUDITING,
    ("GET", "/audit/check"): AUDITING,
    ("GET", "/audit/export"): AUDITING,
    ("GET", "/holds"): HOLDING,
    ("POST", "/holds"): HOLDING,
    ("GET", "/holds/new"): HOLDING,
    ("GET", "/holds/{number}"): HOLDING,
    ("POST", "/holds/{number}/release"): frozenset({Role.HOLD_AUTHORITY}),
    ("GET", "/retention"): frozenset(
        {Role.OWNER, Role.RECORDS_MANAGER, Role.DISPOSAL_APPROVER, Role.AUDITOR}
    ),
}

CONTENT = frozenset(
    {
        ("GET", "/groups/{gid}/{date}"),
        ("GET", "/records/{stem}"),
        ("GET", "/records/{stem}/proof"),
        ("GET", "/records/{stem}/object"),
        ("GET", "/records/{stem}/raw/{source}"),
        ("GET", "/records/{stem}/media/{i}"),
        ("POST", "/review/{stem}"),
    }
)
"""Routes that show what was said in one group: closed to who is for another group."""


def samples(desk: Desk) -> dict[str, str]:
    """A value for each parameter of a path, of something that is there."""
    listing = next(each for each in desk.listings.values() if each.media and each.media[0].sha256)
    stem = keys.stem_of(listing.key or "")
    apart = next(each for each in desk.listings.values() if is_restricted(each))
    return {
        "stream": apart.stream,
        "n": str(apart.n),
        "gid": listing.gid,
        "date": listing.day,
        "stem": stem,
        "source": "source",
        "i": "0",
        "number": "1",
        "name": _download(desk, stem),
    }


def _download(desk: Desk, stem: str) -> str:
    """A download of jo's, who is whom roles are tried with. It may not be ready yet."""
    for each in desk.parts.exports.of("jo"):
        return each.name
    wanted = Wanted(by="jo", why="a test", what="one record", stems=(stem,))
    return desk.parts.exports.begin(wanted, sources_for(desk)).name


def path_of(path: str, desk: Desk) -> str:
    """A path of the table with its parameters filled in."""
    known = samples(desk)
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], path)
