"""An identity's hands on a bucket: each method is one request."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from bridge.errors import MunimentError, ObjectStoreUnavailableError
from bridge.protocols import Clock
from storage.objects.probe.hands import Answer, Hands, Left, Lock, Mode, Said, Shown
from storage.objects.s3_client import S3Connection
from storage.objects.s3_errors import code_of, is_absent, status_of, translate
from storage.objects.s3_pace import Pace, paced
from storage.objects.s3_values import whole_second

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        DeleteObjectRequestTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
        PutObjectLegalHoldRequestTypeDef,
        PutObjectRequestTypeDef,
        PutObjectRetentionRequestTypeDef,
    )

_MODES: dict[str, Mode] = {"GOVERNANCE": "GOVERNANCE", "COMPLIANCE": "COMPLIANCE"}
_UNKNOWN = frozenset({400, 404, 405, 501})
"""Statuses by which stores say that they do not know a question about the bucket."""
_LATER = frozenset({408, 409, 425, 429})
_PAGE = 1000
_HALF_A_SECOND = timedelta(seconds=0.5)


class _Asked(threading.local):
    """When this thread's request began, by our clock."""

    at: datetime | None = None


def _answer(error: ClientError) -> Answer:
    status, code = status_of(error), code_of(error)
    refused = (400 <= status < 500 and status not in _LATER) or status == 501
    if code in {"RequestTimeout", "SlowDown"}:
        refused = False
    words = str(status) if code == str(status) else f"{status} {code}"
    return Answer(said=Said.REFUSED if refused else Said.UNSETTLED, words=words)


class S3Hands:
    """See :class:`storage.objects.probe.hands.Hands`."""

    def __init__(self, connection: S3Connection, prefix: str, clock: Clock) -> None:
        """Nothing is asked, and no client made, before the first request."""
        self._connection = connection
        self._bucket = connection.bucket
        self._folder = f"{prefix}probe/"
        self._clock = clock
        self._making = threading.Lock()
        self._client: S3Client | None = None
        self._closed = False
        self._asked = _Asked()
        self._heard: tuple[timedelta, timedelta] | None = None

    @property
    def where(self) -> str:
        """The bucket and its server."""
        return self._connection.where

    @property
    def folder(self) -> str:
        """Where canaries stand."""
        return self._folder

    @property
    def skew(self) -> timedelta | None:
        """By the answer that came the fastest."""
        return None if self._heard is None else self._heard[1]

    def put(
        self,
        name: str,
        data: bytes,
        *,
        lock: Lock | None = None,
        only_new: bool = False,
        instead_of: str | None = None,
        sha256: bytes | None = None,
        md5: bytes | None = None,
    ) -> Answer:
        """PUT."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._ours(name),
            "Body": data,
            "ContentType": "application/octet-stream",
        }
        if md5 is not None:
            request["ContentMD5"] = base64.b64encode(md5).decode()
        if md5 is None or sha256 is not None:
            digest = sha256 or hashlib.sha256(data).digest()
            request["ChecksumAlgorithm"] = "SHA256"
            request["ChecksumSHA256"] = base64.b64encode(digest).decode()
        if lock is not None:
            request["ObjectLockMode"] = lock.mode
            request["ObjectLockRetainUntilDate"] = whole_second(lock.until)
        if only_new:
            request["IfNoneMatch"] = "*"
        if instead_of is not None:
            request["IfMatch"] = instead_of
        with self._asking(f"putting {name}") as client:
            try:
                made = client.put_object(**request)
            except ClientError as error:
                return self._refused(error)
            self._hear(made["ResponseMetadata"]["HTTPHeaders"])
            return Answer(said=Said.DONE, version=made.get("VersionId"), etag=made.get("ETag"))

    def look(self, name: str, version: str | None) -> Shown | None:
        """HEAD."""
        request: HeadObjectRequestTypeDef = {"Bucket": self._bucket, "Key": name}
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"heading {name}") as client:
            try:
                shown = client.head_object(**request)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            mode = _MODES.get(shown.get("ObjectLockMode", ""))
            until = shown.get("ObjectLockRetainUntilDate")
            lock = None
            if mode is not None and until is not None:
                lock = Lock(mode=mode, until=until.astimezone(UTC))
            held = shown.get("ObjectLockLegalHoldStatus") == "ON"
            return Shown(etag=shown.get("ETag"), lock=lock, held=held)

    def read(self, name: str, version: str | None) -> bytes | None:
        """GET. Canaries are small."""
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": name}
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"getting {name}") as client:
            try:
                stream = client.get_object(**request)["Body"]
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            with stream:
                return stream.read()

    def delete(self, name: str, version: str | None, *, bypass: bool = False) -> Answer:
        """DELETE."""
        request: DeleteObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._ours(name)}
        if version is not None:
            request["VersionId"] = version
        if bypass:
            request["BypassGovernanceRetention"] = True
        with self._asking(f"deleting {name}") as client:
            try:
                client.delete_object(**request)
            except ClientError as error:
                return self._refused(error)
        return Answer(said=Said.DONE)

    def retain(self, name: str, version: str | None, lock: Lock) -> Answer:
        """PutObjectRetention."""
        request: PutObjectRetentionRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._ours(name),
            "Retention": {"Mode": lock.mode, "RetainUntilDate": whole_second(lock.until)},
        }
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"locking {name}") as client:
            try:
                client.put_object_retention(**request)
            except ClientError as error:
                return self._refused(error)
        return Answer(said=Said.DONE)

    def hold(self, name: str, version: str | None, *, on: bool) -> Answer:
        """PutObjectLegalHold."""
        request: PutObjectLegalHoldRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._ours(name),
            "LegalHold": {"Status": "ON" if on else "OFF"},
        }
        if version is not None:
            request["VersionId"] = version
        with self._asking(f"holding {name}") as client:
            try:
                client.put_object_legal_hold(**request)
            except ClientError as error:
                return self._refused(error)
        return Answer(said=Said.DONE)

    def versions(self, name: str) -> tuple[str, ...]:
        """ListObjectVersions; a canary never has more than a page of them."""
        with self._asking(f"listing the versions of {name}") as client:
            page = client.list_object_versions(Bucket=self._bucket, Prefix=name)
            return tuple(
                each["VersionId"] for each in page.get("Versions", []) if each["Key"] == name
            )

    def versioning(self) -> str:
        """GetBucketVersioning."""
        with self._asking("asking for versioning") as client:
            try:
                return client.get_bucket_versioning(Bucket=self._bucket).get("Status", "")
            except ClientError as error:
                if status_of(error) in _UNKNOWN and code_of(error) != "NoSuchBucket":
                    return ""
                raise

    def default_lock(self) -> str:
        """GetObjectLockConfiguration."""
        with self._asking("asking for the default retention") as client:
            try:
                found = client.get_object_lock_configuration(Bucket=self._bucket)
            except ClientError as error:
                if status_of(error) in _UNKNOWN:
                    return ""
                raise
        rule = found.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        if "Mode" not in rule:
            return ""
        length = f"{rule['Years']} years" if rule.get("Years") else f"{rule.get('Days', 0)} days"
        return f"{rule['Mode']} for {length}"

    def left(self, *, before: datetime) -> tuple[Left, ...]:
        """The versions in the folder, or the objects where a store knows no versions."""
        with self._asking("listing canaries") as client:
            page = client.list_object_versions(
                Bucket=self._bucket, Prefix=self._folder, MaxKeys=_PAGE
            )
            return tuple(
                Left(name=each["Key"], version=each["VersionId"])
                for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                if each["LastModified"] < before
            )

    def close(self) -> None:
        """Also for threads left behind."""
        with self._making:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None

    def _ours(self, name: str) -> str:
        if not name.startswith(self._folder):
            raise RuntimeError(f"a probe changes nothing outside {self._folder}")
        return name

    def _refused(self, error: ClientError) -> Answer:
        self._hear(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
        return _answer(error)

    def _hear(self, headers: Mapping[str, str]) -> None:
        """Compare the server's clock with ours, half way between question and answer."""
        began, now = self._asked.at, self._clock.now()
        try:
            theirs = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return
        if began is None or theirs.tzinfo is None:
            return
        took = now - began
        if self._heard is None or took < self._heard[0]:
            # A date has no fraction: on average half a second is cut off.
            self._heard = (took, theirs + _HALF_A_SECOND - (began + took / 2))

    @contextmanager
    def _asking(self, doing: str) -> Iterator[S3Client]:
        with paced(self._connection.patience, self._clock.monotonic) as pace:
            self._asked.at = self._clock.now()
            try:
                yield self._made_client()
            except Exception as error:  # nothing foreign escapes
                raise _as_ours(error, f"{doing} in {self.where}", pace) from error

    def _made_client(self) -> S3Client:
        with self._making:
            if self._closed:
                raise ObjectStoreUnavailableError(f"{self.where} is closed")
            if self._client is None:
                self._client = self._connection.client()
            return self._client


def _as_ours(error: Exception, doing: str, pace: Pace) -> MunimentError:
    if pace.over and not isinstance(error, MunimentError):
        return ObjectStoreUnavailableError(
            f"{doing}: the store is silent or too slow; given up after {pace.taken}"
        )
    return translate(error, doing)


if TYPE_CHECKING:
    _: type[Hands] = S3Hands
