"""Listings in pages, in the order of names."""

from __future__ import annotations

from collections.abc import Mapping

from tests.servers.fault_s3.shelf import Bucket, Version
from tests.servers.fault_s3.wire import Answer, document, element, iso


def list_objects(bucket: Bucket, query: Mapping[str, str]) -> Answer:
    """ListObjectsV2. A continuation token is the name after which the page begins."""
    prefix = query.get("prefix", "")
    after = query.get("continuation-token", query.get("start-after", ""))
    most = int(query.get("max-keys", "1000"))
    found = [
        (name, version)
        for name in bucket.names(prefix)
        if name > after and (version := bucket.find(name)) is not None and version.data is not None
    ]
    page, more = found[:most], len(found) > most
    inside = [
        element("Name", bucket.name),
        element("Prefix", prefix),
        element("KeyCount", len(page)),
        element("MaxKeys", most),
        element("IsTruncated", str(more).lower()),
    ]
    if more:
        inside.append(element("NextContinuationToken", page[-1][0]))
    for name, version in page:
        told = element("Key", name) + _told(version) + element("StorageClass", "STANDARD")
        inside.append(f"<Contents>{told}</Contents>")
    return Answer(body=document("ListBucketResult", "".join(inside)))


def _told(version: Version) -> str:
    return (
        element("LastModified", iso(version.modified_at))
        + element("ETag", f'"{version.etag}"')
        + element("Size", len(version.data or b""))
    )


def list_versions(bucket: Bucket, query: Mapping[str, str]) -> Answer:
    """ListObjectVersions: of each name the newest version first."""
    prefix, most = query.get("prefix", ""), int(query.get("max-keys", "1000"))
    lines = [
        (name, version, at == 0)
        for name in bucket.names(prefix)
        for at, version in enumerate(reversed(bucket.versions(name)))
    ]
    marker = (query.get("key-marker", ""), query.get("version-id-marker", ""))
    if marker[0]:
        seen = [at for at, (name, v, _) in enumerate(lines) if (name, v.id) == marker]
        lines = lines[seen[0] + 1 :] if seen else [x for x in lines if x[0] > marker[0]]
    page, more = lines[:most], len(lines) > most
    inside = [
        element("Name", bucket.name),
        element("Prefix", prefix),
        element("MaxKeys", most),
        element("IsTruncated", str(more).lower()),
    ]
    if more:
        inside.append(element("NextKeyMarker", page[-1][0]))
        inside.append(element("NextVersionIdMarker", page[-1][1].id))
    for name, version, latest in page:
        told = element("Key", name) + element("VersionId", version.id)
        told += element("IsLatest", str(latest).lower())
        if version.data is None:
            kind, told = "DeleteMarker", told + element("LastModified", iso(version.modified_at))
        else:
            kind, told = "Version", told + _told(version)
        inside.append(f"<{kind}>{told}</{kind}>")
    return Answer(body=document("ListVersionsResult", "".join(inside)))
