"""What strangers wrote: nothing of it acts, nothing is hidden, nothing breaks a page."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import keys
from bridge.console.source import LARGEST_HEX, sources_of
from bridge.console.text import (
    LONGEST,
    cell,
    disposition,
    file_name,
    lasting,
    line,
    media_type,
    shown,
)
from bridge.model import EventKind, RelationType
from bridge.protocols import ObjectBody
from bridge.protocols.catalog import ListedMedium, ListedReason, Listing
from bridge.protocols.people import Role
from tests.unit.bridge.console.desk import Desk
from tests.unit.bridge.console.told import GID, STREAM, about, put, said, shapes, tell

TOKEN = "zqxj"
HOSTILE = [
    f"<script>alert('{TOKEN}')</script>",
    f'"><img src=x onerror={TOKEN}()>',
    f"'><svg/onload={TOKEN}()>",
    f"</title></textarea></style></script><{TOKEN}>",
    f"<!-- {TOKEN} --><![CDATA[<b>]]>",
    f'javascript:{TOKEN}() https://{TOKEN}.example/?a="><b onclick=x>',
    f"{{{{ {TOKEN} }}}}{{% include 'x' %}}${{7*7}}",
    f"\u202e{TOKEN}\u2066\u200b\u200d\ufeff\u00ad\u0000\u0007\x1b[31m",
    f"&lt;{TOKEN}&#x3c;script&#x3e;\u2028\u2029",
    f'=HYPERLINK("http://{TOKEN}")',
    f"../../../{TOKEN}/..\\..\\windows",
    f"\ud800{TOKEN}".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    f"{TOKEN}" + "͏̷̛" * 500,
    f"{TOKEN} {'A' * 5000}",
]
OURS = {"class", "id", "title", "href", "value", "content", "aria-label"}
ACTIVE = {"script", "iframe", "object", "embed", "svg", "img", "video", "audio", "base", "style"}


def hostile(n: int, word: str) -> Listing:
    """A message in which every text that a stranger can choose is ``word``."""
    medium = ListedMedium(
        i=0,
        object=f"media/x/{n}",
        sha256="1" * 64,
        size=3,
        declared_type=word,
        sniffed_type=word,
        name=word,
    )
    return replace(
        said(n, f"{word} and more"),
        group_name=word,
        sender_id=word,
        sender_name=word,
        reasons=(ListedReason(code=word, rule=word, start=0, end=len(word)),),
        policy=word,
        model=word,
        upstream_id=f"{word}{n}",
        revision=word,
        method=word,
        media=(medium,),
    )


def harmless(page: str) -> None:
    """No element and no attribute of a page comes from what strangers wrote."""
    found, text = shapes(page)
    assert TOKEN in text
    for each in found:
        where = (each.tag, each.attributes)
        assert TOKEN not in each.tag, where
        assert each.tag not in ACTIVE or each.attributes.get("src") == "/assets/console.js", where
        assert not any(name.startswith("on") or TOKEN in name for name in each.attributes), where
        assert "style" not in each.attributes, where
        for name, value in each.attributes.items():
            assert TOKEN not in value, where
            if name in {"href", "src", "action"}:
                assert value.startswith(("/", "#", "data:,")), where
                assert not value.startswith("//"), where
    assert "\u202e" not in page
    assert "\u200b" not in page
    assert "\x00" not in page


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
async def test_nothing_that_a_stranger_wrote_is_markup(
    desk: Desk, tmp_path: Path, word: str
) -> None:
    """In body, names, types, codes, ids, group and reaction: on the day and on the record."""
    edit = replace(
        about(hostile(2, word), 1, RelationType.EDIT), kind=EventKind.EDIT, upstream_id=f"{word}x"
    )
    reaction = replace(about(said(3, word), 1, RelationType.REACTION), sender_name=word)
    first = await put(desk, hostile(1, word), raw=word.encode("utf-8", "replace"))
    await tell(desk, tmp_path, [first, edit, reaction])
    browser = await desk.browser(Role.RECORDS_MANAGER)
    stem = keys.stem_of(first.key or "")
    for path in (f"/groups/{GID}/{first.day}", f"/records/{stem}"):
        answer = await browser.get(path)
        assert answer.status_code == 200, path
        harmless(answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
async def test_the_reason_of_a_download_is_text(desk: Desk, word: str) -> None:
    """On its page and in the list; a reason that fills pages is refused."""
    browser = await desk.browser(Role.RECORDS_MANAGER)
    listing = next(each for each in desk.listings.values() if each.key)
    stem = keys.stem_of(listing.key or "")
    answer = await browser.post("/downloads", {"why": word, "stem": [stem, word]})
    assert answer.status_code in {303, 400}
    answer = await browser.post("/downloads", {"why": word, "stem": [stem]})
    if answer.status_code == 400:
        assert len(word) > 500
        return
    await desk.parts.exports.settled(answer.headers["location"].rpartition("/")[2])
    for path in (answer.headers["location"], "/downloads"):
        harmless((await browser.get(path)).text)


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\x.txt", "C__x.txt"),
        ("annex\u202efdp.exe", "annexfdp.exe"),
        ("a\u200b\ufeff\x00\x1b.pdf", "a__.pdf"),
        ("a\r\nSet-Cookie: x=y.pdf", "a__Set-Cookie_ x=y.pdf"),
        ('q".pdf', "q_.pdf"),
        ("Minutes – été.pdf", "Minutes – été.pdf"),
        ("..", "attachment-0"),
        ("   ", "attachment-0"),
        ("", "attachment-0"),
        ("\u202e", "attachment-0"),
        ("NUL.txt", "attachment-0"),
        ("a" * 300 + ".pdf", "a" * 116 + ".pdf"),
        (".htaccess", "htaccess"),
    ],
)
def test_a_name_to_save_under_leads_nowhere(name: str, saved: str) -> None:
    """No path, no device, nothing unseen; its ending stays."""
    assert file_name(name, otherwise="attachment-0") == saved


@given(st.text())
def test_a_header_of_any_name_is_one_header(name: str) -> None:
    """ASCII on one line, its quotes closed."""
    header = disposition(file_name(name, otherwise="attachment-0"))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert ".." not in header.split('"')[1][:2]
    assert not {"/", "\\"} & set(header)


@pytest.mark.parametrize(
    ("sniffed", "given"),
    [
        ("application/pdf", "application/pdf"),
        ("text/html\r\nx: y", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("", "application/octet-stream"),
        (None, "application/octet-stream"),
        ("Text/HTML; charset=x", "application/octet-stream"),
    ],
)
def test_a_type_is_one_or_is_not_said(sniffed: str | None, given: str) -> None:
    """Nothing else gets into the header."""
    assert media_type(sniffed) == given


async def test_an_attachment_of_any_name_is_saved_safely(desk: Desk, tmp_path: Path) -> None:
    """A bomb of zeros with a path for a name and markup for a type goes out as it is."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../zeros", bytes(20 << 20))
    bomb = ObjectBody.of(packed.getvalue())
    first = await put(desk, said(1), raw=b"{}")
    medium = ListedMedium(
        i=0,
        object="media/x/0",
        sha256=bomb.digest.hex,
        size=bomb.size,
        sniffed_type="application/zip",
        declared_type="text/html",
        name="../../<script>.zip\r\nX: y",
    )
    await desk.parts.store.put(
        keys.media_key(first.key or "", "media/x/0"), bomb, retain_until=None
    )
    await tell(desk, tmp_path, [replace(first, media=(medium,))])
    browser = await desk.browser(Role.READER)
    answer = await browser.get(f"/records/{keys.stem_of(first.key or '')}/media/0")
    assert answer.content == packed.getvalue()
    assert len(answer.content) < 100_000
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert "x" not in answer.headers


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (b'{"a":1,"a":2}', "JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "text"),
        (b'{"x":' * 50_000, "text"),
        (b"\xff\xfe\x00\x01" * 5000, "hex"),
        (b'{"n":' + b"9" * 10_000 + b"}", "JSON"),
        (b'"\\u0000\\ud800"', "text"),
        (b"<html>\x00", "text"),
        (b"x" * (2 << 20), "text"),
    ],
    ids=range(8),
)
async def test_any_source_can_be_looked_at(
    desk: Desk, tmp_path: Path, raw: bytes, form: str
) -> None:
    """Deep, broken, binary or huge: the page stands, and the exact bytes can be had."""
    first = await put(desk, said(1), raw=raw)
    await tell(desk, tmp_path, [first])
    browser = await desk.browser(Role.READER)
    path = f"/records/{keys.stem_of(first.key or '')}"
    page = await browser.get(path)
    assert page.status_code == 200
    assert f"({len(raw)} bytes, shown as {form})" in page.text
    assert len(page.text) < 6 * LONGEST
    assert (await browser.get(f"{path}/raw/source")).content == raw


def test_repeated_names_in_a_source_are_all_shown() -> None:
    """Nothing is read into it: what stands there twice is shown twice."""
    (view,) = sources_of(b'{"raw":"eyJhIjoxLCJhIjoyfQ=="}')
    assert view.text.count('"a"') == 2


@pytest.mark.parametrize(
    "record", [b"", b"[]", b"nothing", b'{"raw":"%%%"}', b'{"raw":5}', b'{"raw":""}', b"[" * 9999]
)
def test_a_record_that_is_none_has_no_source(record: bytes) -> None:
    """No exception either."""
    assert sources_of(record) == ()


def test_bytes_are_shown_with_their_place() -> None:
    """Sixteen on a line, up to a limit that is said."""
    raw = bytes(range(256)) * ((LARGEST_HEX // 256) + 2)
    encoded = base64.b64encode(raw)
    (view,) = sources_of(b'{"raw":"' + encoded + b'"}')
    assert view.text.splitlines()[1].startswith("00000010  10 11 12")
    assert view.text.endswith("more bytes")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "\n=1",
        "a;=1",
        'a","=1',
        "x\n=1",
        " =1",
        "＝1",
        "\0=1",
    ],
)
def test_a_cell_is_no_formula(text: str) -> None:
    """Neither at its start, nor behind what a program may take for the end of a cell."""
    made = cell(text)
    assert not made.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    for border in ';,\t\n"':
        parts = [part.lstrip(" ") for part in made.split(border)]
        assert not any(part.startswith(("=", "+", "@")) for part in parts)


@given(st.text())
def test_a_cell_stays_one_cell(text: str) -> None:
    """What is written is read again as one row of one cell."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([cell(text)])
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [[cell(text)]]


@given(st.text())
def test_text_is_shown_whole_and_as_text(text: str) -> None:
    """Every visible character stands there, and every unseen one by its number."""
    for made in (str(shown(text)), str(line(text, longest=10_000))):
        found, said = shapes(made)
        assert {each.tag for each in found} <= {"bdi", "span"}
        if text.isprintable() and "://" not in text and text.isascii():
            assert said == text


def test_long_runs_are_quick_to_show() -> None:
    """Text made to be slow is read once: a million separators, joiners, or brackets."""
    for text in (
        ";" * 300_000,
        "\n" * 300_000,
        " " * 300_000,
        "\u200d" * 100_000,
        "http://" * 50_000,
    ):
        assert cell(text)
        assert shown(text)


async def test_a_text_of_any_length_is_cut_and_said(desk: Desk, tmp_path: Path) -> None:
    """The day stays small; the record's source has all of it."""
    long = said(1, "word " * 100_000, at=datetime(2026, 6, 1, tzinfo=UTC))
    await tell(desk, tmp_path, [long])
    browser = await desk.browser(Role.READER)
    page = (await browser.get(f"/groups/{GID}/2026-06-01")).text
    assert "400,000 more characters are not shown" in page
    assert STREAM in page


async def test_a_blocking_page_is_none(desk: Desk, tmp_path: Path) -> None:
    """A day of texts that take long to show is rendered beside the event loop."""
    await tell(desk, tmp_path, [said(n, "\u200b" * 2000) for n in range(40)])
    browser = await desk.browser(Role.READER)
    beat = asyncio.create_task(asyncio.sleep(0))
    answer = await browser.get(f"/groups/{GID}/2026-06-01")
    assert answer.status_code == 200
    assert beat.done()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (0.5, "0.5 seconds"),
        (60, "1 minute"),
        (86_400, "1 day"),
        (604_800, "7 days"),
        (5_400, "90 minutes"),
    ],
)
def test_a_span_of_time_is_in_its_largest_whole_unit(seconds: float, words: str) -> None:
    """As people say it, and never rounded."""
    assert lasting(seconds) == words
