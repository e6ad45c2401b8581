"""Moto as an S3 server inside the test process.

It keeps ``If-None-Match`` and object locks; it does not check signatures, and takes a wrong
``x-amz-checksum-sha256``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def moto_server() -> Iterator[str]:
    """The endpoint's URL, for as long as the block lasts. It starts empty of buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
