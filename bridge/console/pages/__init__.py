"""The pages, each module with its table."""

from bridge.console.pages import (
    account,
    audit,
    days,
    downloads,
    groups,
    holds,
    objects,
    overview,
    records,
    restricted,
    retention,
    review,
    search,
    several,
    steps,
)

TABLE = (
    *records.PAGES,
    *objects.PAGES,
    *downloads.PAGES,
    *account.PAGES,
    *steps.PAGES,
    *groups.PAGES,
    *days.PAGES,
    *search.PAGES,
    *overview.PAGES,
    *several.PAGES,
    *restricted.PAGES,
    *review.PAGES,
    *audit.PAGES,
    *holds.PAGES,
    *retention.PAGES,
)
"""Every page there is."""

GLOBALS = {**review.GLOBALS, **days.GLOBALS}
"""What templates may ask."""
