"""Where objects are kept for good: a folder, or an S3-compatible store.

:mod:`storage.objects.s3` is imported by whoever needs it, and boto3 with it; a bridge that keeps
its objects in a folder never loads either.
"""

from storage.objects.local import LocalObjectStore

__all__ = ["LocalObjectStore"]
