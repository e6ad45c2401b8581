"""The fault server's locks, holds and conditions are those of S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.servers.buckets import Place
from tests.servers.fault_s3 import Fault, FaultKind, FaultS3, fault_s3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture
def server() -> Iterator[FaultS3]:
    """A bucket that locks."""
    with fault_s3() as running:
        yield running


@pytest.fixture
def client(server: FaultS3) -> Iterator[S3Client]:
    """A plain client."""
    made = Place(
        endpoint_url=server.url, access_key="a", secret_key="b", bucket="bucket", locked=True
    ).client()
    yield made
    made.close()


def refusal(ask: Callable[[], object]) -> str:
    """The code with which it is refused."""
    with pytest.raises(ClientError) as error:
        ask()
    return str(error.value.response["Error"]["Code"])


def _locked(client: S3Client, mode: str) -> str:
    made = client.put_object(
        Bucket="bucket",
        Key="a",
        Body=b"x",
        ChecksumAlgorithm="SHA256",
        ObjectLockMode="COMPLIANCE" if mode == "COMPLIANCE" else "GOVERNANCE",
        ObjectLockRetainUntilDate=UNTIL,
    )
    return made["VersionId"]


def test_a_governance_lock_is_passed_over_by_who_asks_for_it(client: S3Client) -> None:
    """Without the header a locked version neither goes nor is locked for less."""
    version = _locked(client, "GOVERNANCE")
    shorter = UNTIL - timedelta(hours=1)
    assert "AccessDenied" in refusal(
        lambda: client.put_object_retention(
            Bucket="bucket",
            Key="a",
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": shorter},
        )
    )
    assert "AccessDenied" in refusal(
        lambda: client.delete_object(Bucket="bucket", Key="a", VersionId=version)
    )
    client.delete_object(
        Bucket="bucket", Key="a", VersionId=version, BypassGovernanceRetention=True
    )


def test_a_compliance_lock_is_not_passed_over_and_not_weakened(client: S3Client) -> None:
    """Nobody gets past it."""
    version = _locked(client, "COMPLIANCE")
    assert "AccessDenied" in refusal(
        lambda: client.delete_object(
            Bucket="bucket", Key="a", VersionId=version, BypassGovernanceRetention=True
        )
    )
    assert "AccessDenied" in refusal(
        lambda: client.put_object_retention(
            Bucket="bucket",
            Key="a",
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": UNTIL},
        )
    )


def test_a_legal_hold_keeps_until_it_is_lifted(client: S3Client) -> None:
    """It is shown, and hinders until it is taken away."""
    version = client.put_object(Bucket="bucket", Key="a", Body=b"x")["VersionId"]
    client.put_object_legal_hold(
        Bucket="bucket", Key="a", VersionId=version, LegalHold={"Status": "ON"}
    )
    shown = client.head_object(Bucket="bucket", Key="a", VersionId=version)
    assert shown["ObjectLockLegalHoldStatus"] == "ON"
    assert "AccessDenied" in refusal(
        lambda: client.delete_object(Bucket="bucket", Key="a", VersionId=version)
    )
    client.put_object_legal_hold(
        Bucket="bucket", Key="a", VersionId=version, LegalHold={"Status": "OFF"}
    )
    client.delete_object(Bucket="bucket", Key="a", VersionId=version)


def test_if_match_replaces_only_what_it_names(client: S3Client) -> None:
    """The right ETag replaces; a stale one, and one of nothing, do not."""
    first = client.put_object(Bucket="bucket", Key="a", Body=b"1")["ETag"]
    client.put_object(Bucket="bucket", Key="a", Body=b"2", IfMatch=first)
    stale = refusal(lambda: client.put_object(Bucket="bucket", Key="a", Body=b"3", IfMatch=first))
    assert stale == "PreconditionFailed"
    nothing = refusal(lambda: client.put_object(Bucket="bucket", Key="b", Body=b"1", IfMatch=first))
    assert nothing == "NoSuchKey"
    assert client.get_object(Bucket="bucket", Key="a")["Body"].read() == b"2"


def test_a_wrong_content_md5_is_refused(client: S3Client) -> None:
    """And nothing stands of it."""
    wrong = "1B2M2Y8AsgTpgAmY7PhCfg=="  # of no bytes at all
    code = refusal(lambda: client.put_object(Bucket="bucket", Key="a", Body=b"x", ContentMD5=wrong))
    assert code == "BadDigest"
    assert "Contents" not in client.list_objects_v2(Bucket="bucket")


def test_a_bucket_locks_by_default_what_comes_without(client: S3Client) -> None:
    """Its rule is told, and an object of its own lock keeps that."""
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 9}}
    client.put_object_lock_configuration(
        Bucket="bucket",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 9}},
        },
    )
    told = client.get_object_lock_configuration(Bucket="bucket")
    assert told["ObjectLockConfiguration"]["Rule"] == rule
    client.put_object(Bucket="bucket", Key="a", Body=b"x")
    shown = client.head_object(Bucket="bucket", Key="a")
    assert shown["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=8)
    _locked(client, "GOVERNANCE")
    shown = client.head_object(Bucket="bucket", Key="a")
    assert shown["ObjectLockRetainUntilDate"] == UNTIL


def test_a_fault_is_for_one_identity(server: FaultS3, client: S3Client) -> None:
    """Whoever asks with another key does not meet it."""
    server.set(Fault(kind=FaultKind.STATUS, access_key="other", status=403, code="AccessDenied"))
    client.put_object(Bucket="bucket", Key="a", Body=b"x")
    server.set(Fault(kind=FaultKind.STATUS, access_key="a", status=403, code="AccessDenied"))
    denied = refusal(lambda: client.put_object(Bucket="bucket", Key="a", Body=b"x"))
    assert denied == "AccessDenied"
