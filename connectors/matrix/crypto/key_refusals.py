"""What is refused of files of exported keys and of the key backup at the server, each by name.

::

    ConnectorRejectedError
    ├── ExportRefusedError           a file of exported keys that cannot be used
    │   ├── NotAnExportError         it is no such file
    │   ├── ExportTruncatedError     its end is missing
    │   ├── ExportTooLargeError      it is larger than we read or write
    │   ├── ExportDamagedError       what it says of itself, or its content, cannot be
    │   └── WrongPassphraseError     it does not open with this passphrase
    └── BackupRefusedError           the account's key backup cannot be used as it is
        ├── BackupOfAnotherError     it is under a key that we do not have
        └── BackupUnknownError       it is of a kind that we do not know

No message holds a key, a passphrase or a part of one.
"""

from __future__ import annotations

from bridge.errors import ConnectorRejectedError

_UNTOUCHED = "Nothing at the homeserver was overwritten. "


class ExportRefusedError(ConnectorRejectedError):
    """A file of exported keys cannot be used. No key was taken from it."""

    hint = "No key was imported. Export the keys again in the client that has them."


class NotAnExportError(ExportRefusedError):
    """The file is none of exported keys."""

    hint = "Name the file that a Matrix client wrote when it was asked to export its room keys."


class ExportTruncatedError(ExportRefusedError):
    """The end of the file is missing."""

    hint = "No key was imported. Copy the file again, whole."


class ExportTooLargeError(ExportRefusedError):
    """The file is larger than is read or written."""

    hint = "No key was imported. Export the keys of fewer rooms at a time."


class ExportDamagedError(ExportRefusedError):
    """The file has the right form and cannot be what a client wrote."""


class WrongPassphraseError(ExportRefusedError):
    """The file does not open with this passphrase."""

    hint = "No key was imported. Give the passphrase that the file was exported with."


class BackupRefusedError(ConnectorRejectedError):
    """The account's key backup cannot be used as it is."""

    hint = _UNTOUCHED + "Recording goes on without a backup. See docs/operations.md."


class BackupOfAnotherError(BackupRefusedError):
    """Another client's key backup, whose private key we do not have, is in its place."""

    hint = (
        _UNTOUCHED + "Let the client that made the key backup put its key into the account's "
        "secret storage, or delete the backup there; recording goes on without one."
    )


class BackupUnknownError(BackupRefusedError):
    """The key backup is of a kind that we cannot read or write."""

    hint = (
        _UNTOUCHED + "Recording goes on without a backup; delete it in the client that made it "
        "to have the recorder make its own."
    )
