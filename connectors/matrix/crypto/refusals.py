"""What the recorder refuses where its identity or its keys are in doubt, each by name.

::

    ConfigError
    └── RecoveryKeyFormatError       the file does not hold a recovery key
    ConnectorRejectedError
    └── IdentityRefusedError         the account cannot be used for encrypted rooms as it is
        ├── RecoveryKeyMissingError  the account has an identity and we have no recovery key
        ├── WrongRecoveryKeyError    the recovery key does not open the account's storage
        ├── StorageOfAnotherError    another client keeps its secrets in this account
        ├── SecretsMissingError      the storage does not hold the identity
        ├── SecretDamagedError       what the storage holds cannot be read
        ├── IdentityMismatchError    the identity is not the one in the storage
        ├── DeviceNotPublishedError  the server has no keys of our device
        ├── DeviceMismatchError      the server has other keys of our device
        ├── SignatureRefusedError    the server does not keep our signature
        └── AuthenticationAskedError the server asks for the password first
    ConnectorRejectedError
    └── StoreRefusedError            the store of keys cannot be used as it is
        ├── StoreOfAnotherDeviceError it holds the keys of another device
        ├── WrongStoreKeyError       it does not open with this key
        ├── StoreDamagedError        it, or a value in it, cannot be read
        └── StoreVersionError        a newer version wrote it

No message holds a key, a secret or a part of one.
"""

from __future__ import annotations

from bridge.errors import ConfigError, ConnectorRejectedError

_UNCHANGED = "No identity was changed. "


class RecoveryKeyFormatError(ConfigError):
    """The text is no recovery key. The message says what is wrong with it, not what it is."""

    hint = "Put the recovery key in the file as it was given: twelve groups of four characters."


class IdentityRefusedError(ConnectorRejectedError):
    """The account cannot be used for encrypted rooms as it is. Nothing was overwritten."""

    hint = "Other rooms go on. See docs/operations.md."


class RecoveryKeyMissingError(IdentityRefusedError):
    """The account has an identity; only its recovery key lets us join it."""

    hint = (
        _UNCHANGED + "Put the account's recovery key in [[matrix]] recovery_key_file, or use an "
        "account that no other client has set up."
    )


class WrongRecoveryKeyError(IdentityRefusedError):
    """The recovery key does not open the account's secret storage."""

    hint = _UNCHANGED + "Put the recovery key of this account in [[matrix]] recovery_key_file."


class StorageOfAnotherError(IdentityRefusedError):
    """Another client keeps secrets in this account; to begin our own would hide them."""

    hint = (
        _UNCHANGED
        + "Put the recovery key that the other client gave in [[matrix]] recovery_key_file, "
        "or use an account of the recorder's own."
    )


class SecretsMissingError(IdentityRefusedError):
    """The account has an identity, and its secret storage does not hold it."""

    hint = (
        _UNCHANGED
        + "Set up recovery in the client that holds the identity, and put the new recovery "
        "key in [[matrix]] recovery_key_file."
    )


class SecretDamagedError(IdentityRefusedError):
    """The recovery key is right, and what was stored under it cannot be read."""

    hint = _UNCHANGED + "Set up recovery anew in a client that holds the identity."


class IdentityMismatchError(IdentityRefusedError):
    """The published identity is not the one in the secret storage, or cannot be read."""

    hint = (
        _UNCHANGED
        + "Somebody reset the account's identity: find out who. Then put the recovery key "
        "of the present identity in [[matrix]] recovery_key_file."
    )


class DeviceNotPublishedError(IdentityRefusedError):
    """The server has no keys of our device: it was deleted, or never published."""

    hint = "Sign the recorder in anew, so that it publishes its device."


class DeviceMismatchError(IdentityRefusedError):
    """The server has other keys of our device: the store on disk is that of another device."""

    hint = (
        "Nothing was published. Put back this device's own store; or, where it is lost, move the "
        "session file (matrix-NAME.session in [service] data_dir) and the store away, so that the "
        "recorder signs in as a new device. An access token needs to be one of its own: of no "
        "other client."
    )


class SignatureRefusedError(IdentityRefusedError):
    """The server took our signature and does not show it."""

    hint = "The recorder tries again at its next start; check the homeserver's log."


class AuthenticationAskedError(IdentityRefusedError):
    """The server wants the account's password before it publishes an identity."""

    hint = "Give the account's password in [[matrix]] password_file, beside any access token."


class StoreRefusedError(ConnectorRejectedError):
    """The store of keys cannot be used as it is. Nothing in it was changed."""

    hint = "Other accounts go on. See docs/operations.md."


class StoreOfAnotherDeviceError(StoreRefusedError):
    """The store holds the keys of another account or device."""

    hint = (
        "Put back this device's own store, or move the store and the session file "
        "(matrix-NAME.session beside it) away, so that the recorder signs in as a new device."
    )


class WrongStoreKeyError(StoreRefusedError):
    """The store does not open with this key."""

    hint = "Set [keys] journal_key_file to the key this store was written with."


class StoreDamagedError(StoreRefusedError):
    """The store, or a value in it, cannot be read."""

    hint = (
        "Move the store and the session file (matrix-NAME.session beside it) away, so that the "
        "recorder signs in as a new device. Do not put an older copy back: its keys were used "
        "since."
    )


class StoreVersionError(StoreRefusedError):
    """A newer version wrote the store."""

    hint = "Run the version that wrote it."
