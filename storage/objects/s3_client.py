"""How a bucket is reached: plain values in, a boto3 client out. Importing this loads boto3."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import boto3.session
from botocore.config import Config

from bridge.errors import ObjectStoreRejectedError
from storage.objects.s3_pace import Patience, keep_pace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 5.0
_USERINFO = re.compile(r"//[^/\s@]*@")

Addressing = Literal["auto", "path", "virtual"]


def without_userinfo(text: str) -> str:
    """``text`` with its addresses bare of what stands before an ``@``."""
    return _USERINFO.sub("//", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Connection:
    """Everything it takes to reach a bucket. Keys of None: the ambient chain of credentials."""

    bucket: str
    endpoint_url: str | None
    region: str | None
    addressing: Addressing
    access_key: str | None
    secret_key: str | None = field(repr=False)
    ca_file: Path | None
    http_proxy: str | None
    threads: int
    patience: Patience

    @property
    def where(self) -> str:
        """The bucket and its server, for messages: never with a password in it."""
        if self.endpoint_url is None:
            return f"bucket {self.bucket}"
        return f"bucket {self.bucket} at {without_userinfo(self.endpoint_url)}"

    def client(self) -> S3Client:
        """A client of its own session, for use by several threads.

        Raises:
            Exception: whatever boto3 makes of the values.
        """
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ObjectStoreRejectedError(
                f"there is no file {self.ca_file} with the store's certificate authority",
                hint="Correct [service] ca_file.",
            )
        # A session of its own: boto3's default session is shared with whoever else uses boto3.
        session = boto3.session.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )
        client = session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            verify=None if self.ca_file is None else str(self.ca_file),
            config=self._config(),
        )
        keep_pace(client)
        return client

    def _config(self) -> Config:
        proxies = {"http": self.http_proxy, "https": self.http_proxy} if self.http_proxy else None
        return Config(
            # One attempt: the caller knows the deadline and what a lost reply means.
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=min(CONNECT_SECONDS, self.patience.seconds),
            read_timeout=self.patience.seconds,
            max_pool_connections=self.threads,
            proxies=proxies,
            signature_version="s3v4",
            # We send our own SHA-256; the library adds none of its choosing.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Signed bodies also over TLS: the one digest that every store checks.
            s3={"addressing_style": self.addressing, "payload_signing_enabled": True},
        )
