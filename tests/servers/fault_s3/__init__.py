"""An S3 server in memory that goes wrong on command, for a count, for a verb, or until lifted.

In this process: ``with fault_s3() as server: server.set(Fault(kind=FaultKind.DOWN))``. In another:
``fault_s3_process``, or ``python -m tests.servers.fault_s3 --port N`` and, from anywhere,
``POST /-/fault`` with a fault as JSON, ``DELETE /-/fault``, ``GET /-/state``. Signatures are not
checked, their times are.
"""

from tests.servers.fault_s3.faults import Asked, Fault, FaultKind
from tests.servers.fault_s3.operations import FOREIGN
from tests.servers.fault_s3.remote import RemoteFaultS3, fault_s3_process
from tests.servers.fault_s3.server import FaultS3, fault_s3
from tests.servers.fault_s3.shelf import Bucket, Version
from tests.servers.fault_s3.state import State

__all__ = [
    "FOREIGN",
    "Asked",
    "Bucket",
    "Fault",
    "FaultKind",
    "FaultS3",
    "RemoteFaultS3",
    "State",
    "Version",
    "fault_s3",
    "fault_s3_process",
]
