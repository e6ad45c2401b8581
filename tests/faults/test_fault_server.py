"""The S3 server of these tests: what others send it, and how another process commands it."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.servers.certificate import loopback_certificate
from tests.servers.fault_s3 import Fault, FaultKind, fault_s3, fault_s3_process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def _client(url: str, *, ca_file: Path | None = None) -> S3Client:
    session = boto3.session.Session("anyone", "anything", region_name="us-east-1")
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    verify = None if ca_file is None else str(ca_file)
    return session.client("s3", endpoint_url=url, config=config, verify=verify)


def test_bodies_in_signed_chunks_are_unwrapped(tmp_path: Path) -> None:
    """A client with its usual settings sends chunks with a trailer over TLS; the bytes are kept."""
    context, ca_file = loopback_certificate(tmp_path)
    with fault_s3(tls=context) as server:
        client = _client(server.url, ca_file=ca_file)
        with (tmp_path / "body").open("w+b") as body:
            body.write(b"a body" * 50_000)
            body.seek(0)
            client.put_object(Bucket="bucket", Key="chunked", Body=body, ChecksumAlgorithm="SHA256")
        client.close()
        (only,) = server.bucket.versions("chunked")
    assert only.data == b"a body" * 50_000
    assert only.checksum is not None


def test_a_wrong_checksum_is_refused() -> None:
    """The server checks what it is sent, unless it is told otherwise."""
    with fault_s3() as server:
        client = _client(server.url)
        with pytest.raises(ClientError, match="BadDigest"):
            client.put_object(Bucket="bucket", Key="k", Body=b"a", ChecksumSHA256="A" * 43 + "=")
        client.close()
        assert server.bucket.objects() == {}


def test_a_locked_version_stays() -> None:
    """What is locked cannot be removed, nor its retention shortened, only lengthened."""
    with fault_s3() as server:
        client = _client(server.url)
        client.put_object(
            Bucket="bucket",
            Key="k",
            Body=b"a",
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate="2999-01-02T00:00:00Z",
            ChecksumAlgorithm="SHA256",
        )
        (only,) = server.bucket.versions("k")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket="bucket", Key="k", VersionId=only.id)
        for date, refused in (("2999-01-01", True), ("2999-01-03", False)):
            lock = {"Mode": "GOVERNANCE", "RetainUntilDate": f"{date}T00:00:00Z"}
            try:
                client.put_object_retention(Bucket="bucket", Key="k", Retention=lock)  # type: ignore[arg-type]
            except ClientError:
                assert refused
            else:
                assert not refused
        shown = client.get_object_retention(Bucket="bucket", Key="k")["Retention"]
        assert shown["RetainUntilDate"].isoformat().startswith("2999-01-03")
        locked = client.get_object_lock_configuration(Bucket="bucket")
        assert locked["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
        client.close()


def test_another_process_obeys_by_http(tmp_path: Path) -> None:
    """A server of its own goes wrong on command, is asked what it holds, and says so at its end."""
    file = tmp_path / "state.json"
    with fault_s3_process("--state", str(file)) as server:
        client = _client(server.url)
        server.set(Fault(kind=FaultKind.DOWN))
        with pytest.raises(HTTPClientError):
            client.put_object(Bucket="bucket", Key="a", Body=b"a", IfNoneMatch="*")
        server.lift()
        server.set(Fault(kind=FaultKind.STATUS, on="PUT", prefix="a", times=1, lands=True))
        with pytest.raises(ClientError, match="InternalError"):
            client.put_object(Bucket="bucket", Key="a", Body=b"a", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket="bucket", Key="a", Body=b"a", IfNoneMatch="*")
        client.close()
        held = server.state().buckets["bucket"]
    assert held.objects["a"].versions == 1
    assert held.puts == {"a": 2}
    assert json.loads(file.read_text())["buckets"]["bucket"]["puts"] == {"a": 2}


def test_a_command_that_is_none_is_refused() -> None:
    """A misspelt fault is told to whoever sent it."""
    with fault_s3() as server:
        connection = HTTPConnection(urlsplit(server.url).netloc)
        connection.request("POST", "/-/fault", b'{"kind": "dwon"}')
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"dwon" in answer.read()
        connection.close()
