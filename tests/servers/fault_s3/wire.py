"""Requests as they come, with their bodies unwrapped, and answers as they go."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

Headers = Mapping[str, str]
"""By name in lower case."""
Read = Callable[[int], bytes]
"""Reads up to so many bytes; an empty answer is the end."""


class RefusalError(Exception):
    """A request that is answered with an error document."""

    def __init__(self, status: int, code: str, message: str = "no\nsuch luck") -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def answer(self) -> Answer:
        """The document."""
        told = f"<Code>{self.code}</Code><Message>{escape(str(self))}</Message>"
        return Answer(status=self.status, body=document("Error", told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: path style, so that the bucket is the first part of the path."""

    verb: str
    bucket: str
    name: str
    query: dict[str, str]
    headers: Headers
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, verb: str, target: str, headers: Headers) -> Request:
        """From the request line and the headers, before the body is read."""
        parts = urlsplit(target)
        bucket, _, name = unquote(parts.path).lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(verb=verb, bucket=bucket, name=name, query=query, headers=headers)

    @property
    def access_key(self) -> str:
        """Who says that it asks."""
        return self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]

    @property
    def operation(self) -> str:
        """What S3 calls it."""
        if self.name:
            if "legal-hold" in self.query:
                return "PutObjectLegalHold" if self.verb == "PUT" else "GetObjectLegalHold"
            if "retention" in self.query:
                return "PutObjectRetention" if self.verb == "PUT" else "GetObjectRetention"
            verbs = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}
            return verbs.get(self.verb, "DeleteObject")
        for parameter, operation in (
            ("versioning", "GetBucketVersioning"),
            ("object-lock", "GetObjectLockConfiguration"),
            ("versions", "ListObjectVersions"),
        ):
            if parameter in self.query:
                return operation.replace("Get", "Put") if self.verb == "PUT" else operation
        return {"PUT": "CreateBucket", "HEAD": "HeadBucket"}.get(self.verb, "ListObjectsV2")


def document(root: str, inside: str) -> bytes:
    """An XML document as S3 writes it."""
    space = "" if root == "Error" else ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}{space}>{inside}</{root}>'.encode()


def element(name: str, value: object) -> str:
    """One element with a text."""
    return f"<{name}>{escape(str(value))}</{name}>"


def iso(moment: datetime) -> str:
    """A time as S3 writes it in documents."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def sha256_base64(data: bytes) -> str:
    """A checksum as S3 writes it."""
    return b64encode(hashlib.sha256(data).digest()).decode()


def read_exactly(read: Read, size: int) -> bytes:
    """So many bytes.

    Raises:
        ConnectionError: the other side ended before.
    """
    pieces: list[bytes] = []
    while size:
        piece = read(size)
        if not piece:
            raise ConnectionError("the body is incomplete")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_body(read: Read, headers: Headers) -> tuple[bytes, dict[str, str]]:
    """The body, free of both kinds of chunks, and the trailers it ended with."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        data, _ = _dechunked(read)
    else:
        data = read_exactly(read, int(headers.get("content-length") or 0))
    if "aws-chunked" not in headers.get("content-encoding", ""):
        return data, {}
    at = 0

    def from_data(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    return _dechunked(from_data)


def _dechunked(read: Read) -> tuple[bytes, dict[str, str]]:
    pieces: list[bytes] = []
    while size := int(_line(read).partition(";")[0] or "0", 16):
        pieces.append(read_exactly(read, size))
        _line(read)
    trailers: dict[str, str] = {}
    while line := _line(read):
        name, _, value = line.partition(":")
        trailers[name.strip().lower()] = value.strip()
    return b"".join(pieces), trailers


def _line(read: Read) -> str:
    line = b""
    while not line.endswith(b"\r\n"):
        piece = read(1)
        if not piece:
            break
        line += piece
    return line.strip().decode("latin-1")
