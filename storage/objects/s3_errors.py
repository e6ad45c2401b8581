"""What an S3 store's answers mean to us."""

from __future__ import annotations

from botocore import exceptions as sdk

from bridge.errors import (
    MunimentError,
    ObjectStoreError,
    ObjectStoreRejectedError,
    ObjectStoreUnavailableError,
)
from storage.objects.s3_client import without_userinfo

LONGEST_ANSWER = 200
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
_SETTLES_NOTHING = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_HINTS = {
    "AccessDenied": "Give the credentials s3:PutObject, s3:GetObject, s3:GetObjectVersion,"
    " s3:ListBucket, s3:ListBucketVersions, s3:GetBucketVersioning and, with a lock_mode,"
    " s3:PutObjectRetention and s3:GetObjectRetention.",
    "InvalidAccessKeyId": "Check the access key in [store] credentials_file.",
    "NoSuchBucket": "Create the bucket, or correct [store] url.",
    "NotImplemented": "The store lacks what we rely on; use one that knows If-None-Match.",
    "RequestTimeTooSkewed": "Set this machine's clock (and keep it set, e.g. by chrony).",
    "SignatureDoesNotMatch": "Check the secret key in [store] credentials_file.",
}
# The answer to a HEAD has no code: this may be any refusal, that of the time included.
_HINTS["403"] = _HINTS["Forbidden"] = f"{_HINTS['AccessDenied']} Check this machine's clock."
_OURS_TO_MEND = (
    sdk.InvalidConfigError,
    sdk.InvalidProxiesConfigError,
    sdk.NoCredentialsError,
    sdk.NoRegionError,
    sdk.ParamValidationError,
    sdk.PartialCredentialsError,
    sdk.ProfileNotFound,
    sdk.SSLError,
    sdk.UnknownEndpointError,
)


def code_of(error: sdk.ClientError) -> str:
    """The store's code; for an answer without a body, its status."""
    return str(error.response.get("Error", {}).get("Code") or status_of(error))


def status_of(error: sdk.ClientError) -> int:
    """The HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def is_absent(error: sdk.ClientError) -> bool:
    """Whether the answer says that there is no such object."""
    return code_of(error) in _ABSENT


def is_refused_precondition(error: sdk.ClientError) -> bool:
    """Whether the answer says that something stands under the key already."""
    return status_of(error) == 412


def is_refusal(error: sdk.ClientError) -> bool:
    """Whether asking again would be answered the same."""
    return not _settles_nothing(error)


def _settles_nothing(error: sdk.ClientError) -> bool:
    code, status = code_of(error), status_of(error)
    return code in _SETTLES_NOTHING or status in {409, 429} or (status >= 500 and status != 501)


def _one_line(text: object) -> str:
    return without_userinfo(" ".join(str(text).split()))[:LONGEST_ANSWER]


def _from_answer(error: sdk.ClientError, doing: str) -> ObjectStoreError:
    code, status = code_of(error), status_of(error)
    said = error.response.get("Error", {}).get("Message")
    answer = f"{doing}: the store answers {status} {code}"
    answer += f" ({_one_line(said)})" if said else ""
    if code == "RequestTimeTooSkewed":
        answer = f"{doing}: the store refuses the time of this machine's clock ({code})"
    elif _settles_nothing(error):
        return ObjectStoreUnavailableError(answer)
    return ObjectStoreRejectedError(answer, hint=_HINTS.get(code))


def translate(error: Exception, doing: str) -> MunimentError:
    """Any failure of the SDK as one of ours. ``doing`` names the action, bucket and server."""
    if isinstance(error, MunimentError):
        return error
    if isinstance(error, sdk.ClientError):
        return _from_answer(error, doing)
    message = f"{doing}: {_one_line(error) or type(error).__name__}"
    # ValueError: an endpoint that is no URL, a bucket name that cannot be one.
    if isinstance(error, (*_OURS_TO_MEND, ValueError)):
        return ObjectStoreRejectedError(message)
    # Everything else happened between asking and hearing: it may have been done.
    return ObjectStoreUnavailableError(message)
