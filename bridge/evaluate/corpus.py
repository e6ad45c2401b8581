"""Conversations with labels, as the data format has them: one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec

from bridge.errors import ConfigError

NAMES = (
    "gov_email_threads",
    "gov_email_threads_unlabelled",
    "inquiry_whatsapp",
    "irc_governance",
    "meetings_ami",
    "meetings_icsi",
    "sms_personal",
)
"""The files of the data format that the protocol knows."""


class _Line(msgspec.Struct, frozen=True):
    conv: str
    text: str
    turn: int = 0
    speaker: str = ""
    label: int | None = None
    kind: str | None = None
    needs_context: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a conversation. ``label``: 1 significant, 0 not, None where nobody says."""

    file: str
    conversation: str
    turn: int
    speaker: str
    text: str
    label: int | None
    kind: str
    needs_context: bool


Conversation = tuple[Message, ...]


def read_corpus(folder: Path) -> tuple[Conversation, ...]:
    """The conversations of the files of ``folder``, in the order of the files.

    Raises:
        ConfigError: the folder has none of the files, or a line is not of the format.
    """
    paths = [folder / f"{name}.jsonl" for name in NAMES]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise ConfigError(
            f"{folder} holds no file of the data format.",
            hint=f"Name a folder with files such as {NAMES[0]}.jsonl.",
        )
    return tuple(conversation for path in found for conversation in _conversations(path))


def _conversations(path: Path) -> list[Conversation]:
    grouped: dict[str, list[Message]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}).", hint="Make the file readable."
        ) from None
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except (msgspec.MsgspecError, ValueError) as error:
            raise ConfigError(
                f"{path}, line {number} is not of the data format: {error}.",
                hint="Each line is a JSON object with conv, turn, speaker, text and label.",
            ) from None
        message = Message(
            file=path.stem,
            conversation=line.conv,
            turn=line.turn,
            speaker=line.speaker,
            text=line.text,
            label=line.label,
            kind=line.kind or "",
            needs_context=line.needs_context,
        )
        grouped.setdefault(line.conv, []).append(message)
    return [tuple(messages) for messages in grouped.values()]


def fold_of(message: Message, folds: int) -> int:
    """The fold of a message: that of its conversation, whatever else is in the corpus."""
    name = f"{message.file}/{message.conversation}"
    return crc32(name.encode("utf-8", "surrogatepass")) % folds
