"""The kinds of value a setting may have, each refusing with a fact and a remedy.

Text is never empty: an empty string would read as "everything" or "nowhere" further on. Paths
become absolute against the folder of the settings file, which comes as validation context.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from config.errors import SettingsError

REFUSED = "muniment"
"""The error type of every refusal below; its context holds ``key``, ``fact`` and ``remedy``."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_ORIGIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[a-z0-9_-][a-z0-9._-]*)*")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")
_STORE_URL_REMEDY = "write file:PATH or s3://BUCKET or s3://BUCKET/PREFIX"
_BUCKET_REMEDY = (
    "write s3://BUCKET or s3://BUCKET/PREFIX, with the bucket's name alone (3 to 63 of a-z, 0-9,"
    " . and -); a server's address is endpoint_url"
)


def refusal(fact: str, remedy: str, *, key: str = "") -> PydanticCustomError:
    """A refusal to raise in a validator. ``key`` names the key where a whole table is checked."""
    return PydanticCustomError(REFUSED, "refused", {"key": key, "fact": fact, "remedy": remedy})


def refused(error: ValidationError) -> tuple[str, str]:
    """Fact and remedy of a single value that one of the kinds below refused."""
    context = error.errors()[0].get("ctx", {})
    return str(context.get("fact", "cannot be used")), str(context.get("remedy", "give another"))


def _text(value: str) -> str:
    if not value.strip():
        raise refusal("is empty", "give it a value, or remove the line for the default")
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise refusal("holds a control character", "write it on one line, without control codes")
    return value


LONGEST_LINE = 500
_TURNING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


def _line(value: str) -> str:
    """What is shown to many people, in notices and on pages, as it stands here."""
    if len(value) > LONGEST_LINE:
        raise refusal(f"is longer than {LONGEST_LINE} characters", "shorten it")
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in value):
        raise refusal("holds a control character", "write it on one line, without control codes")
    if not _TURNING.isdisjoint(value):
        raise refusal(
            "holds a character that turns the direction of text", "type it anew, without copying"
        )
    return value


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise refusal(f"is {value!r}", f"use {what}")
        return value

    return check


Text: TypeAlias = Annotated[str, AfterValidator(_text)]
Line: TypeAlias = Annotated[Text, AfterValidator(_line)]
Label: TypeAlias = Annotated[
    Text, AfterValidator(_matching(r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, . _ or -"))
]
Tenant: TypeAlias = Annotated[
    Text, AfterValidator(_matching(r"[a-z0-9_-]{1,64}", "1 to 64 of a-z, 0-9, _ and -"))
]
UserId: TypeAlias = Annotated[
    Text, AfterValidator(_matching(r"@[^\s:]+:\S+", "a full user id, @name:server"))
]


def _file(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return _folder(info) / value  # a default of ours
    if not isinstance(value, str):
        raise refusal("is not text", "give a path in quotes")
    if value != value.strip() and value.strip():
        raise refusal("begins or ends with a space", "give the path without it")
    return _folder(info) / _text(value)


def _folder(info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    if not isinstance(folder, Path):
        raise RuntimeError("settings are read with the folder of their file")  # noqa: TRY004
    return folder


FilePath: TypeAlias = Annotated[Path, BeforeValidator(_file)]


def as_tuple(value: object) -> object:
    """TOML gives lists; settings are immutable."""
    return tuple(value) if isinstance(value, list) else value


Texts: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(as_tuple)]


def _origin(value: str) -> str:
    remedy = "use a domain name of yours in lower case, as records.example.org, without https://"
    if _ORIGIN.fullmatch(value) is None or ".." in value or len(value) > 200:
        raise refusal(f"is {value!r}", remedy)
    return value


Origin: TypeAlias = Annotated[Text, AfterValidator(_origin)]


def _day(value: object) -> str:
    """A day as TOML has it, or as text; kept as text, which prints and compares like it."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise refusal(f"is {str(value)!r}", "write the day as 2026-03-01") from None


Day: TypeAlias = Annotated[str, BeforeValidator(_day)]


def _web(value: str) -> str:
    # The value is not repeated: an address may hold a password by mistake.
    remedy = "write http://HOST or https://HOST, with :PORT where it is not the usual one"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refusal("is not a web address", remedy) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise refusal("is not a web address", remedy)
    if any(c.isspace() for c in value):
        raise refusal("holds a space", remedy)
    if "@" in parts.netloc:
        raise refusal("holds a user name or password", "leave it out of the address")
    return value.rstrip("/")


WebAddress: TypeAlias = Annotated[Text, AfterValidator(_web)]


def is_web_address(value: str) -> bool:
    """Whether this would do as a web address."""
    try:
        _web(_text(value))
    except PydanticCustomError:
        return False
    return True


def is_address(host: str) -> bool:
    """Whether this is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_local(url: str) -> bool:
    """Whether a web address leads to this machine."""
    host = urlsplit(url).hostname or ""
    return ip_address(host).is_loopback if is_address(host) else host == "localhost"


def host_and_port(address: str) -> tuple[str, int]:
    """``HOST:PORT`` (``[HOST]:PORT`` for IPv6) as the two values a listener takes.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or re.fullmatch(r"[A-Za-z0-9.:%_-]+", host) is None:
        raise ValueError("no host")
    if re.fullmatch(r"[0-9]{1,5}", port) is None or int(port) > 65535:
        raise ValueError("no port")
    return host, int(port)


def _listener(value: str) -> str:
    try:
        host_and_port(value)
    except ValueError:
        remedy = "write HOST:PORT, as 127.0.0.1:8080; 0.0.0.0 must be written out"
        raise refusal(f"is {value!r}", remedy) from None
    return value


Listener: TypeAlias = Annotated[Text, AfterValidator(_listener)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLocation:
    """Where objects stand: either a ``folder``, or a ``bucket`` with a ``prefix`` ("" for none)."""

    folder: Path | None = None
    bucket: str | None = None
    prefix: str = ""


def parse_store_url(url: str, folder: Path, *, field: str = "[store] url") -> StoreLocation:
    """The place that ``url`` names; a relative ``file:`` path is meant from ``folder``.

    Raises:
        SettingsError: it names none. ``field`` says where the address was given.
    """
    try:
        return _store_location(_text(url), folder)
    except PydanticCustomError as error:
        context = error.context or {}
        raise SettingsError(field, context["fact"], context["remedy"]) from None


def _store_location(url: str, folder: Path) -> StoreLocation:
    scheme, _, rest = url.partition(":")
    if scheme == "file":
        if rest.startswith("//"):
            rest = rest.removeprefix("//")
            if not rest.startswith("/"):
                raise refusal("names a host after file://", "write file:PATH or file:///PATH")
        if not rest.strip() or "\x00" in rest:
            raise refusal("names no folder", _STORE_URL_REMEDY)
        return StoreLocation(folder=folder / rest)
    if scheme in {"http", "https"}:
        raise refusal("is the address of a server, not a bucket", _BUCKET_REMEDY)
    if scheme != "s3" or not rest.startswith("//"):
        raise refusal("is not of a kind this program knows", _STORE_URL_REMEDY)
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    if _BUCKET.fullmatch(bucket) is None or ".." in bucket or _ADDRESS.fullmatch(bucket):
        # Not repeated: an address may hold a password by mistake.
        raise refusal("does not name a bucket", _BUCKET_REMEDY)
    prefix = prefix.strip("/")
    if prefix and (
        _PREFIX.fullmatch(prefix) is None or any(p in {".", ".."} for p in prefix.split("/"))
    ):
        raise refusal(
            f"has the prefix {prefix!r}", "use letters, digits, . _ - and single / between them"
        )
    return StoreLocation(bucket=bucket, prefix=prefix)


def _store_url(value: str, info: ValidationInfo) -> str:
    place = _store_location(value, _folder(info))
    return value if place.folder is None else f"file:{place.folder}"


StoreUrl: TypeAlias = Annotated[Text, AfterValidator(_store_url)]
