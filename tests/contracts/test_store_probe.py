"""What the probe says of real servers: the verdict that is true of each.

The table below is what these servers were measured to do; the fake bucket of the unit tests keeps
all of S3's rules, and so does the fault server while it is not told otherwise.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.clock import SystemClock
from bridge.protocols.probe import Enforcement, Result
from storage.objects.probe import FolderProbe
from storage.objects.probe.examination import CHECKS
from tests.contracts.probing import examined, probing, verdicts
from tests.fakes import samples
from tests.servers import s3rver as s3rver_server
from tests.servers.buckets import CEPH_MARKS, Place, place_of
from tests.servers.ceph import WRITER

YES, NO = Enforcement.ENFORCED, Enforcement.NOT_ENFORCED
UNKNOWN, NA = Enforcement.CANNOT_TELL, Enforcement.NOT_APPLICABLE
WRITER_ACTIONS = (
    "s3:PutObject",
    "s3:PutObjectRetention",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectRetention",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:GetBucketVersioning",
)
"""What docs/operations.md grants the recorder."""

ALL_KEPT = dict.fromkeys(CHECKS, YES) | {"default_retention": NA, "bypass": NO}
UNLOCKED = dict.fromkeys(
    ("delete_version", "shorten_retention", "bypass", "legal_hold"), NA
)  # fmt: skip
TRUTH: dict[str, dict[str, Enforcement]] = {
    "fault-locked": {},
    "moto-locked": {"shorten_retention": NO, "wrong_sha256": NO, "wrong_md5": NO},
    "ceph-locked": {"conditional_put": NO, "if_match": NO, "wrong_sha256": NO},
    "moto-plain": {
        "versioning": NO,
        "overwrite": NO,
        "wrong_sha256": NO,
        "wrong_md5": NO,
        "lock_kept": NO,
        **UNLOCKED,
    },
    "ceph-plain": {
        "versioning": NO,
        "overwrite": NO,
        "if_match": NO,
        "wrong_sha256": NO,
        "lock_kept": NO,
        **UNLOCKED,
    },
    "s3rver-plain": {
        "versioning": NO,
        "create_only": NO,
        "overwrite": NO,
        "conditional_put": NO,
        "if_match": NO,
        "wrong_sha256": NO,
        "wrong_md5": NO,
        "lock_kept": NO,
        **UNLOCKED,
    },
}
"""How each departs from a store that keeps everything, asked for governance locks."""

RETENTION = {
    "fault-locked": YES,
    "moto-locked": NO,
    "ceph-locked": YES,
    "moto-plain": NO,
    "ceph-plain": NO,
    "s3rver-plain": NO,
}
KINDS = [pytest.param(kind, marks=CEPH_MARKS if "ceph" in kind else ()) for kind in TRUTH]


@pytest.fixture(scope="session")
def s3rver_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """A bucket in s3rver."""
    bucket = f"plain-{uuid.uuid4().hex}"
    with s3rver_server.s3rver(tmp_path_factory.mktemp("s3rver"), bucket) as url:
        key = s3rver_server.KEY
        place = Place(endpoint_url=url, access_key=key, secret_key=key, bucket=bucket, locked=False)
        yield {"plain": place}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_server_gets_the_verdict_that_is_true_of_it(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """Check by check, and in all."""
    found = await examined(place_of(request, kind))
    assert verdicts(found) == ALL_KEPT | TRUTH[kind]
    assert found.retention is RETENTION[kind]
    assert found.failed is (RETENTION[kind] is NO)


@pytest.mark.parametrize(
    ("kind", "retention"),
    [
        ("fault-locked", YES),
        ("moto-locked", NO),
        pytest.param("ceph-locked", YES, marks=CEPH_MARKS),
    ],
)
async def test_compliance_is_tried_as_such(
    request: pytest.FixtureRequest, kind: str, retention: Enforcement
) -> None:
    """Moto lets a compliance lock be shortened; the others do not."""
    found = await examined(place_of(request, kind), lock_mode="compliance")
    assert found.retention is retention
    assert verdicts(found)["delete_version"] is YES
    assert verdicts(found)["shorten_retention"] is retention


@pytest.mark.parametrize(
    "kind", ["moto-plain", "s3rver-plain", pytest.param("ceph-plain", marks=CEPH_MARKS)]
)
async def test_without_a_lock_mode_nothing_is_enforced(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """That fails only where names are not created once either."""
    found = await examined(place_of(request, kind), lock_mode="none")
    assert found.retention is NO
    assert found.failed is (kind == "s3rver-plain")


@pytest.mark.parametrize("kind", [each for each in KINDS if "plain" not in str(each.values)])
async def test_the_brief_examination_agrees(request: pytest.FixtureRequest, kind: str) -> None:
    """What a start asks ends with the same word."""
    place = place_of(request, kind)
    async with probing(place) as probe:
        found = await probe.retention()
    assert found.retention is RETENTION[kind]


@pytest.mark.parametrize("kind", ["moto-locked", "s3rver-plain"])
async def test_nothing_is_touched_outside_the_probes_folder(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """What stands elsewhere stands as before."""
    place = place_of(request, kind)
    client = place.client()
    for name in ("deep/er/v1/demo/records/a", "probe/b"):
        client.put_object(Bucket=place.bucket, Key=name, Body=b"record")
    before = {each["Key"] for each in client.list_objects_v2(Bucket=place.bucket)["Contents"]}
    await examined(place)
    after = {each["Key"] for each in client.list_objects_v2(Bucket=place.bucket)["Contents"]}
    client.close()
    assert before <= after
    assert all(name.startswith("deep/er/probe/") for name in after - before)


@pytest.mark.parametrize("kind", [pytest.param("ceph-locked", marks=CEPH_MARKS)])
async def test_a_writer_without_the_right_to_delete(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """As the manual sets it up: it cannot tell; with the other identity it can."""
    owner = place_of(request, kind)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam:::user/{WRITER}"]},
                "Action": list(WRITER_ACTIONS),
                "Resource": [f"arn:aws:s3:::{owner.bucket}", f"arn:aws:s3:::{owner.bucket}/*"],
            }
        ],
    }
    client = owner.client()
    client.put_bucket_policy(Bucket=owner.bucket, Policy=json.dumps(policy))
    client.close()
    writer = replace(owner, access_key=WRITER, secret_key="another secret of the test cluster")
    alone = await examined(writer)
    assert alone.retention is UNKNOWN
    assert not alone.failed
    assert verdicts(alone)["bypass"] is YES
    assert alone.left > 0
    both = await examined(writer, other=owner)
    assert both.retention is YES
    assert verdicts(both)["legal_hold"] is YES


@pytest.mark.parametrize("kind", ["moto-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)])
async def test_a_wrong_secret_and_a_missing_bucket(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """Nothing is known of the store, and it is a failure."""
    found = await examined(replace(place_of(request, kind), bucket="missing"))
    assert (found.retention, found.failed) == (UNKNOWN, True)
    assert "NoSuchBucket" in found.checks[0].fact


@pytest.mark.parametrize("kind", ["fault-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)])
async def test_a_bucket_that_locks_by_itself(request: pytest.FixtureRequest, kind: str) -> None:
    """It is warned of; the control waits for a short lock, and no canary is kept for days."""
    place = replace(place_of(request, kind), bucket=f"default-{uuid.uuid4().hex}")
    client = place.client()
    client.create_bucket(Bucket=place.bucket, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(
        Bucket=place.bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}},
        },
    )
    async with probing(place) as probe:
        found = await probe.retention()
    assert found.retention is YES
    (warning,) = found.of(Result.WARNING)
    assert (warning.check, warning.verdict) == ("default_retention", NO)
    assert "GOVERNANCE for 30 days" in warning.fact
    soon = datetime.now(UTC) + timedelta(hours=1)
    for each in client.list_object_versions(Bucket=place.bucket).get("Versions", []):
        shown = client.head_object(
            Bucket=place.bucket, Key=each["Key"], VersionId=each["VersionId"]
        )
        assert shown["ObjectLockRetainUntilDate"] < soon
    client.close()


@pytest.mark.parametrize(
    "kind", ["moto-locked", "fault-locked", pytest.param("ceph-locked", marks=CEPH_MARKS)]
)
async def test_a_planted_canary_is_found_again(request: pytest.FixtureRequest, kind: str) -> None:
    """It stands with its lock; one that is deleted or less locked is told."""
    place = place_of(request, kind)
    async with probing(place) as probe:
        planted = await probe.plant(datetime.now(UTC) + timedelta(minutes=5))
        assert await probe.changed(planted) == ""
        longer = replace(planted, until=planted.until + timedelta(minutes=1))
        assert "is locked until" in await probe.changed(longer)
        client = place.client()
        client.delete_object(
            Bucket=place.bucket,
            Key=planted.name,
            VersionId=planted.version or "",
            BypassGovernanceRetention=True,
        )
        client.close()
        assert "is gone" in await probe.changed(planted)


async def test_a_folder_creates_once_and_locks_nothing(tmp_path: Path) -> None:
    """What is no promise of a folder is told as a fact, and nothing of it fails."""
    probe = FolderProbe(
        store="file:store",
        root=tmp_path / "store",
        clock=SystemClock(),
        random_bytes=samples.seeded(),
    )
    found = await probe.examine()
    assert (found.retention, found.lock_mode, found.failed) == (NO, "none", False)
    assert verdicts(found)["create_only"] is YES
    assert verdicts(found)["lock_kept"] is NO
    assert not found.of(Result.WARNING, Result.CANNOT_TELL)
    left = [each for each in (tmp_path / "store").rglob("*") if each.is_file()]
    assert left == []
    await probe.aclose()
