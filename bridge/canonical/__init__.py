"""Exact bytes: records, leaves, manifests and acts as RFC 8785 JSON. Pure.

The formats are fixed (``docs/formats.md``). Absent fields are left out, never null.
"""

from bridge.canonical.act import act_bytes
from bridge.canonical.anchor import AnchorLeaf, read_anchor, read_key, written_at
from bridge.canonical.json import dumps, rfc3339
from bridge.canonical.leaf import Leaf
from bridge.canonical.manifest import ManifestRow, manifest_bytes
from bridge.canonical.record import CaptureTool, MediaCopy, RecordFrame, record_bytes

__all__ = [
    "AnchorLeaf",
    "CaptureTool",
    "Leaf",
    "ManifestRow",
    "MediaCopy",
    "RecordFrame",
    "act_bytes",
    "dumps",
    "manifest_bytes",
    "read_anchor",
    "read_key",
    "record_bytes",
    "rfc3339",
    "written_at",
]
