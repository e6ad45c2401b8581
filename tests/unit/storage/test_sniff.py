"""What first bytes say of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.spool.sniff import HEAD, UNKNOWN, sniffed

_OFFICE = "application/vnd.openxmlformats-officedocument."
ZIP = b"PK\x03\x04" + bytes(26)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a\x01", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        (ZIP + b"a.txt", "application/zip"),
        (ZIP + b"[Content_Types].xml PK word/document.xml", _OFFICE + "wordprocessingml.document"),
        (ZIP + b"_rels/.rels PK xl/workbook.xml", _OFFICE + "spreadsheetml.sheet"),
        (ZIP + b"word/document.xml", "application/zip"),
        (
            ZIP + b"mimetypeapplication/vnd.oasis.opendocument.textPK",
            "application/vnd.oasis.opendocument.text",
        ),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypheic", "image/heic"),
        (b"\x00\x00\x00\x20ftypqt  ", "video/quicktime"),
        (b"OggS\x00\x02" + bytes(22) + b"OpusHead", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(22) + b"\x80theora", "video/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        ("Agreed: Zoë, 9 März\r\n".encode(), "text/plain"),
        ("é".encode()[:1], UNKNOWN),
        (b"<html><script>", "text/plain"),
        (b"text with a \x00", UNKNOWN),
        (b"\xfe\xff\x00a", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_known_beginnings(head: bytes, kind: str) -> None:
    """Each kind of file we know is told by how it begins, others are bytes."""
    assert sniffed(head) == kind


def test_a_head_may_end_within_a_character() -> None:
    """Text whose head was cut in the middle of a character is still text."""
    assert sniffed((b"a" * (HEAD - 1) + "é".encode())[:HEAD]) == "text/plain"


@given(st.binary(max_size=64))
def test_any_bytes_have_a_type(head: bytes) -> None:
    """No bytes make it fail."""
    assert "/" in sniffed(head)
