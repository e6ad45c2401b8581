"""Attachments in a bag: those that are not what their record names are there, and named."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

import pytest

from bridge import keys
from bridge.model import Digest
from bridge.protocols import ObjectBody
from bridge.protocols.people import Role
from storage.objects.local import LocalObjectStore
from tests.unit.bridge.console.desk import Desk, console_over
from tests.unit.bridge.console.proving import kept, with_media
from tests.unit.bridge.console.test_downloads import extracted, prepared, validated


async def rows_of(bag: Path) -> list[dict[str, object]]:
    """What a bag says of its records."""
    body = await asyncio.to_thread((bag / "data/rows.jsonl").read_bytes)
    return [json.loads(line) for line in body.splitlines()]


class KeepingStore(LocalObjectStore):
    """A store that keeps the digest of an attachment whose bytes somebody changed."""

    kept: ClassVar[dict[str, Digest]] = {}

    async def body(self, key: str) -> ObjectBody | None:
        """The bytes that are there under the digest that was kept."""
        body = await super().body(key)
        if body is None:
            return None
        return replace(body, digest=self.kept.get(key, body.digest))


@pytest.mark.parametrize("largest", [0, 1 << 30])
async def test_an_altered_attachment_is_taken_along_and_named(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    """Whether or not the verification reads it, the bag is whole and has the bytes as they are."""
    monkeypatch.setattr("bridge.app.proofs.LARGEST_READ", largest)
    listing = with_media(desk)
    medium = listing.media[0]
    key = keys.media_key(listing.key or "", medium.object or "")
    other = b"x" * (medium.size or 0)
    monkeypatch.setitem(KeepingStore.kept, key, Digest(value=bytes.fromhex(medium.sha256 or "")))
    await asyncio.to_thread(desk.replace, key, other)
    store = KeepingStore(desk.root, desk.archive.tenant)
    desk.app = await asyncio.to_thread(console_over, replace(desk.parts, store=store))
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stem = keys.stem_of(listing.key or "")
    path = await prepared(desk, browser, {"stem": [stem, keys.stem_of(kept(desk)[0].key or "")]})
    assert "1 of the records" in (await browser.get(path)).text
    answer = await browser.get(f"{path}/bag.tar")
    bag = await asyncio.to_thread(extracted, answer.content, tmp_path / "bag")
    await asyncio.to_thread(validated, bag)
    file = bag / "data/media" / stem / str(medium.i)
    assert await asyncio.to_thread(file.read_bytes) == other
    row = next(each for each in await rows_of(bag) if each["stem"] == stem)
    assert row["proved"] == "unproved"
    assert row["remarks"] == [f"The bytes of {key} are not those that its record names."]
    assert [line.details for line in await desk.trail() if line.subject == stem] == [
        "media_mismatch"
    ]
    await store.aclose()


async def test_an_attachment_that_is_gone_is_named(desk: Desk, tmp_path: Path) -> None:
    """Its record is in the bag, and says what is missing."""
    listing = with_media(desk)
    key = keys.media_key(listing.key or "", listing.media[0].object or "")
    await asyncio.to_thread(desk.replace, key, None)
    browser = await desk.browser(Role.RECORDS_MANAGER)
    path = await prepared(desk, browser, {"stem": [keys.stem_of(listing.key or "")]})
    answer = await browser.get(f"{path}/bag.tar")
    bag = await asyncio.to_thread(extracted, answer.content, tmp_path / "bag")
    (row,) = await rows_of(bag)
    (remark,) = cast("list[str]", row["remarks"])
    assert remark.startswith(key)
    assert remark.endswith("is not in the store.")
