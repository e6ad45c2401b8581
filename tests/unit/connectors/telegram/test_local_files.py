"""Attachments are read from the disk of an own Bot API server, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import ConnectorUnavailableError
from bridge.model import Attachment
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.files import open_file
from tests.servers.bot_api import DOWNLOAD_LIMIT, Upload
from tests.unit.connectors.telegram.answering import answering
from tests.unit.connectors.telegram.api_scene import DATA, Scene, api_scene, content, failure


@pytest.fixture(name="local")
async def _local(tmp_path: Path) -> AsyncIterator[Scene]:
    async with api_scene(tmp_path / "files") as scene:
        yield scene


async def test_an_own_server_gives_larger_files(local: Scene, tmp_path: Path) -> None:
    """From the disk of an own server a file beyond the limit is read whole."""
    size = DOWNLOAD_LIMIT + 1
    attachment = await local.sent(Upload(data=DATA, size=size))
    download = await open_file(local.api, attachment, local_files=tmp_path / "files")
    assert download.size == size
    assert await content(download) == DATA.ljust(size, b"\0")


async def test_an_own_server_needs_its_folder_named(local: Scene) -> None:
    """Without the setting a file on the server's disk waits, and the hint names the setting."""
    error = await failure(open_file(local.api, await local.sent(), local_files=None))
    assert type(error) is ConnectorUnavailableError
    assert "[[telegram]] local_files" in error.hint


async def test_only_files_of_the_own_server_are_read(local: Scene, tmp_path: Path) -> None:
    """Outside of the named folder nothing is read, and no path is told."""
    attachment = await local.sent()
    (tmp_path / "elsewhere").mkdir()
    error = await failure(open_file(local.api, attachment, local_files=tmp_path / "elsewhere"))
    assert type(error) is ConnectorUnavailableError
    assert str(tmp_path) not in str(error) + error.hint


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nothing"])
async def test_a_path_that_is_no_file_is_not_read(kind: str, tmp_path: Path) -> None:
    """A link out of the folder, a pipe, a folder, or nothing at all: refused without waiting."""
    root, path = tmp_path / "files", tmp_path / "files" / "it"
    root.mkdir()
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    async with answering() as server:
        server.answer(200, b'{"ok":true,"result":{"file_path":"%b"}}' % bytes(path))
        api = BotApi(Endpoint(api_base=server.url), token="1:abc")
        with pytest.raises(ConnectorUnavailableError):
            await open_file(api, Attachment(url="x"), local_files=root)
        await api.aclose()


async def test_a_local_file_can_be_given_up(local: Scene, tmp_path: Path) -> None:
    """A file closed before its end is an error for whoever reads on."""
    download = await open_file(local.api, await local.sent(), local_files=tmp_path / "files")
    chunks = download.chunks()
    await anext(chunks)
    await download.aclose()
    with pytest.raises(ConnectorUnavailableError):
        await anext(chunks)
