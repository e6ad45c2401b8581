"""A record's bytes to take away: the object, its source, its attachments."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import replace

import pytest

from bridge import keys
from bridge.protocols import ObjectBody
from bridge.protocols.people import Role
from storage.objects import LocalObjectStore
from tests.unit.bridge.console.desk import Desk, console_over
from tests.unit.bridge.console.proving import begun, kept, path_of, with_media


async def test_the_evidential_download_is_the_object(desk: Desk) -> None:
    """Byte for byte, as an attachment, and in the trail."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"{path_of(listing)}/object")
    assert hashlib.sha256(answer.content).hexdigest() == listing.sha256
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert (await desk.trail())[-1].what == "download record"


async def test_the_source_is_what_the_platform_sent(desk: Desk) -> None:
    """The exact bytes in the record's `raw`; of a name that is none there is nothing."""
    listing = kept(desk)[0]
    browser = await desk.browser(Role.READER)
    record = json.loads((await browser.get(f"{path_of(listing)}/object")).content)
    answer = await browser.get(f"{path_of(listing)}/raw/source")
    assert answer.content == base64.b64decode(record["raw"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (await browser.get(f"{path_of(listing)}/raw/other")).status_code == 404


async def test_an_attachment_is_saved_and_never_shown(desk: Desk) -> None:
    """Our type, a name that is safe, a sandbox; its bytes are those of the record."""
    listing = with_media(desk)
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"{path_of(listing)}/media/0")
    assert hashlib.sha256(answer.content).hexdigest() == listing.media[0].sha256
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"file 0.pdf\"; filename*=UTF-8''file%200.pdf"
    )
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    line = (await desk.trail())[-1]
    assert (line.what, line.subject) == ("download media", f"{path_of(listing)[9:]}/0")


@pytest.mark.parametrize("i", ["9", "-1", "x", "00", "%2e%2e"])
async def test_an_attachment_that_is_not_there(desk: Desk, i: str) -> None:
    """Only the numbers that the record has."""
    browser = await desk.browser(Role.READER)
    assert (await browser.get(f"{path_of(with_media(desk))}/media/{i}")).status_code == 404


@pytest.mark.parametrize("body", [b"<script>other</script>", None])
async def test_an_attachment_with_other_bytes_is_refused(desk: Desk, body: bytes | None) -> None:
    """Not a byte of it is sent, and an alarm is raised."""
    listing = with_media(desk)
    key = keys.media_key(listing.key or "", listing.media[0].object or "")
    await asyncio.to_thread(desk.replace, key, body)
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"{path_of(listing)}/media/0")
    assert answer.status_code == 502
    assert "<script>other" not in answer.text
    assert [line.what for line in await desk.trail()] == ["download media", "record unproved"]


class LyingStore(LocalObjectStore):
    """A store that keeps a digest and gives other bytes, as one that was tampered with does."""

    async def body(self, key: str) -> ObjectBody | None:
        """The right digest over the wrong bytes."""
        body = await super().body(key)
        if body is None:
            return None
        opened = ObjectBody.of(bytes(body.size)).open
        return ObjectBody(size=body.size, digest=body.digest, open=opened)


async def test_a_download_of_other_bytes_breaks_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found while it is on its way: the last part is never sent."""
    monkeypatch.setattr("bridge.console.sending.CHUNK", 64)
    store = LyingStore(desk.root, desk.archive.tenant)
    desk.app = await asyncio.to_thread(console_over, replace(desk.parts, store=store))
    listing = with_media(desk)
    browser = await desk.browser(Role.READER)
    promised, sent, whole = await begun(desk, browser, f"{path_of(listing)}/media/0")
    assert not whole
    assert 0 < len(sent) < promised == listing.media[0].size
    assert (await desk.trail())[-1].what == "record unproved"
    await store.aclose()
