"""JSON objects with signatures, as Matrix makes and checks them. Pure.

Matrix's canonical JSON is not RFC 8785 (:mod:`bridge.canonical`): names are in the order of code
points, not of UTF-16 units, and there are whole numbers only. A signature made over the one is
not valid over the other.
"""

from __future__ import annotations

import json

from bridge.errors import CanonicalError
from bridge.rawjson.fields import JsonObject, table, text
from connectors.matrix.crypto.signing_key import SigningKey, is_signature

LARGEST = 2**53 - 1
_NOT_SIGNED = frozenset({"signatures", "unsigned"})


def canonical(document: JsonObject) -> bytes:
    """The bytes that are signed.

    Raises:
        CanonicalError: it holds a fraction, a number of 2**53 or more, or a lone surrogate.
    """
    try:
        return json.dumps(
            _plain(document),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
    except (UnicodeError, RecursionError) as error:
        raise CanonicalError(f"not canonical Matrix JSON: {type(error).__name__}") from None


def covered(document: JsonObject) -> JsonObject:
    """What of ``document`` a signature covers: all but ``signatures`` and ``unsigned``."""
    return {name: value for name, value in document.items() if name not in _NOT_SIGNED}


def signed(document: JsonObject, *, user_id: str, key: SigningKey) -> JsonObject:
    """``document`` with the signature of ``key`` beside those that it has.

    Raises:
        CanonicalError: as :func:`canonical`.
    """
    signatures = table(document, "signatures")
    own = table(signatures, user_id) | {key.key_id: key.sign(canonical(covered(document)))}
    return document | {"signatures": signatures | {user_id: own}}


def is_signed(document: JsonObject, *, user_id: str, key_id: str, public: str) -> bool:
    """Whether ``document`` bears a valid signature of this key. MUST NOT raise."""
    signature = text(table(table(document, "signatures"), user_id), key_id)
    if signature is None:
        return False
    try:
        message = canonical(covered(document))
    except CanonicalError:
        return False
    return is_signature(public=public, message=message, signature=signature)


def _plain(value: object) -> object:
    match value:
        case bool() | str() | None:
            return value
        case int() if -LARGEST <= value <= LARGEST:
            return value
        case float() if value.is_integer() and abs(value) <= LARGEST:
            return int(value)
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list() | tuple():
            return [_plain(element) for element in value]
        case _:
            raise CanonicalError(f"not canonical Matrix JSON: a value of {type(value).__name__}")
