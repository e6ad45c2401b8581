"""Probes: what a store enforces is tried, never assumed.

Each refusal counts only with its control: the same credentials first do what must be refused to
an object that nothing protects. All canaries stand under ``probe/``, outside the tenant's records;
this package alone can delete, and only there.

:mod:`storage.objects.probe.s3` is imported by whoever needs it, and boto3 with it.
"""

from storage.objects.probe.folder import FolderProbe

__all__ = ["FolderProbe"]
