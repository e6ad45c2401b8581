"""Fetching an attachment: its link is asked for anew each time, since links expire."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import ConnectorUnavailableError
from bridge.model import Attachment
from bridge.protocols import Download
from bridge.rawjson.fields import text
from connectors.telegram.bot_api import BotApi
from connectors.telegram.exact import SECONDS
from connectors.telegram.media import file_names
from connectors.telegram.refusals import FILE_TOO_BIG, RefusedError, too_big, unsettled
from connectors.telegram.transfer import open_local

DOWNLOAD_LIMIT = 20 * 1024 * 1024
"""Bytes of the largest file that the public Bot API gives a bot."""

LOCAL_SECONDS = 1800.0
"""An own server answers ``getFile`` only when it has fetched all of the file itself."""


async def open_file(api: BotApi, attachment: Attachment, *, local_files: Path | None) -> Download:
    """Begin to fetch. ``local_files``: where an own server, if there is one, keeps its files.

    Raises:
        ConnectorUnavailableError: it cannot be had now. That the platform does not know a file is
            no proof either: it says the same of one that it cannot give for a while.
        RefusedError: it is too large for a bot to fetch.
    """
    size = attachment.size
    if local_files is None and size is not None and size > DOWNLOAD_LIMIT:
        raise too_big(size, DOWNLOAD_LIMIT)
    file_id, _ = file_names(attachment.url)
    seconds = SECONDS if local_files is None else LOCAL_SECONDS
    try:
        path = text(await api.call_within(seconds, "getFile", file_id=file_id), "file_path")
        if not path:
            raise ConnectorUnavailableError("The Bot API gives no link to the file.")
        if path.startswith("/"):
            return await _local(path, local_files)
        if ".." in path.split("/"):
            raise ConnectorUnavailableError("The Bot API gives a link that leads elsewhere.")
        return await api.stream(path)
    except RefusedError as error:
        if error.code == FILE_TOO_BIG:
            raise too_big(size, DOWNLOAD_LIMIT) from None
        raise unsettled(error) from None


async def _local(path: str, local_files: Path | None) -> Download:
    if local_files is None:
        raise ConnectorUnavailableError(
            "The Bot API server keeps its files on its own disk (--local).",
            hint="Name the folder in which it keeps them in [[telegram]] local_files.",
        )
    return await open_local(path, local_files)
