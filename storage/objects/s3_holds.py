"""The bucket's own legal holds, by an identity that may set them: it neither puts nor deletes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from bridge.protocols import Clock
from bridge.protocols.holds import LegalHolds
from storage.objects.names import TenantNames
from storage.objects.s3_bucket import Bucket
from storage.objects.s3_client import Addressing, S3Connection
from storage.objects.s3_creation import standing_version
from storage.objects.s3_errors import code_of
from storage.objects.s3_pace import USUAL, Patience
from storage.objects.s3_values import Protection

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        GetObjectLegalHoldRequestTypeDef,
        PutObjectLegalHoldRequestTypeDef,
    )

THREADS = 4
_NONE = frozenset({"NoSuchObjectLockConfiguration", "NoSuchKey", "NoSuchVersion", "404"})


class S3LegalHolds:
    """Implements :class:`bridge.protocols.holds.LegalHolds`: the version that counts is held."""

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        tenant: str,
        endpoint_url: str | None = None,
        region: str | None = None,
        addressing: Addressing = "auto",
        access_key: str | None = None,
        secret_key: str | None = None,
        ca_file: Path | None = None,
        http_proxy: str | None = None,
        clock: Clock,
        patience: Patience = USUAL,
    ) -> None:
        """Nothing is asked of the store before the first call."""
        connection = S3Connection(
            bucket=bucket,
            endpoint_url=endpoint_url,
            region=region,
            addressing=addressing,
            access_key=access_key,
            secret_key=secret_key,
            ca_file=ca_file,
            http_proxy=http_proxy,
            threads=THREADS,
            patience=patience,
        )
        self._bucket = _HoldableBucket(
            connection, Protection(lock_mode="none", sse=None, kms_key_id=None), clock.monotonic
        )
        self._names = TenantNames(tenant)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="legal holds")

    async def set(self, key: str, *, held: bool) -> bool:
        """Set or lift it; gives what is read back."""
        name = self._prefix + self._names.of_key(key)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._set, name, held)

    def _set(self, name: str, held: bool) -> bool:  # noqa: FBT001 - an executor passes no names
        stands, version = standing_version(self._bucket, name)
        if not stands:
            return False
        self._bucket.hold(name, version, held=held)
        return self._bucket.is_held(name, version)

    async def aclose(self) -> None:
        """Give up connections and threads; a request under way ends by its own time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._bucket.close)


class _HoldableBucket(Bucket):
    """A bucket whose objects can be held."""

    def hold(self, name: str, version: str | None, *, held: bool) -> None:
        """Ask for it. Whether it is kept, the next look shows."""
        request: PutObjectLegalHoldRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": name,
            "LegalHold": {"Status": "ON" if held else "OFF"},
        }
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"holding {name}") as client:
            client.put_object_legal_hold(**request)

    def is_held(self, name: str, version: str | None) -> bool:
        """What the store says of it."""
        request: GetObjectLegalHoldRequestTypeDef = {"Bucket": self._bucket, "Key": name}
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"asking for the hold on {name}") as client:
            try:
                answer = client.get_object_legal_hold(**request)
            except ClientError as error:
                if code_of(error) in _NONE:
                    return False
                raise
        return answer["LegalHold"].get("Status") == "ON"


if TYPE_CHECKING:
    _: type[LegalHolds] = S3LegalHolds
