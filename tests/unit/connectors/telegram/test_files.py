"""Attachments are fetched over fresh links, each time anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bridge.errors import ConnectorError, ConnectorUnavailableError
from bridge.model import Attachment
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.files import open_file
from connectors.telegram.media import file_url
from connectors.telegram.refusals import RefusedError
from tests.servers.bot_api import DOWNLOAD_LIMIT, LINK_LASTS, Fault, FaultKind, Upload
from tests.unit.connectors.telegram.answering import answering
from tests.unit.connectors.telegram.api_scene import DATA, Scene, api_scene, content, failure


@pytest.fixture(name="scene")
async def _scene() -> AsyncIterator[Scene]:
    async with api_scene() as scene:
        yield scene


async def _error(scene: Scene, attachment: Attachment) -> ConnectorError:
    return await failure(open_file(scene.api, attachment, local_files=None))


async def test_a_file_comes_byte_for_byte(scene: Scene) -> None:
    """A document is fetched whole, with its size known before."""
    download = await scene.opened(await scene.sent())
    assert download.size == len(DATA)
    assert await content(download) == DATA


async def test_an_empty_file_comes_too(scene: Scene) -> None:
    """A file of no bytes has been fetched once its end is seen."""
    download = await scene.opened(await scene.sent(Upload(data=b"")))
    assert (download.size, await content(download)) == (0, b"")


async def test_a_link_is_asked_for_each_time(scene: Scene) -> None:
    """An expired link is no loss: the next try asks for a new one."""
    attachment = await scene.sent()
    await content(await scene.opened(attachment))
    scene.clock.advance(LINK_LASTS + 1)
    assert await content(await scene.opened(attachment)) == DATA
    assert [asked.method for asked in scene.server.asked[-4:]] == ["getfile", "file"] * 2


async def test_a_link_that_does_not_hold_is_tried_again(scene: Scene) -> None:
    """A link that expired before it was followed is no reason to give the file up."""
    attachment = await scene.sent()
    fault = Fault(kind=FaultKind.STATUS, method="file", status=404, description="x", times=1)
    scene.server.faults.set(fault)
    error = await _error(scene, attachment)
    assert type(error) is ConnectorUnavailableError
    assert str(error) == "The link to the file does not hold."
    assert await content(await scene.opened(attachment)) == DATA


async def test_the_largest_file_that_can_be_had_is_had(scene: Scene) -> None:
    """20 MB are fetched; one byte more is refused without a request, with the size."""
    attachment = await scene.sent(Upload(data=b"x", size=DOWNLOAD_LIMIT))
    assert len(await content(await scene.opened(attachment))) == DOWNLOAD_LIMIT
    larger = await scene.sent(Upload(data=b"x", size=DOWNLOAD_LIMIT + 1))
    asked = len(scene.server.asked)
    error = await _error(scene, larger)
    assert isinstance(error, RefusedError)
    assert error.code == "file_too_big"
    assert str(error) == (
        "The Bot API lets a bot fetch 20971520 bytes at most; the attachment has 20971521 bytes."
    )
    assert "local_files" in error.hint
    assert len(scene.server.asked) == asked


async def test_a_file_of_unknown_size_may_be_too_large(scene: Scene) -> None:
    """Where the update does not tell the size the platform's refusal is the reason."""
    attachment = await scene.sent(Upload(data=b"x", size=DOWNLOAD_LIMIT + 1))
    error = await _error(scene, replace(attachment, size=None))
    assert isinstance(error, RefusedError)
    assert str(error).endswith("the attachment is larger than that.")


async def test_a_file_that_is_lost_is_asked_for_again(scene: Scene) -> None:
    """The platform says the same of a lost file and of one it cannot give now: not final."""
    attachment = await scene.sent()
    scene.server.world.files.lose(attachment.url[12:24])
    error = await _error(scene, attachment)
    assert type(error) is ConnectorUnavailableError


async def test_the_identifier_of_another_bot_is_not_final(scene: Scene) -> None:
    """An identifier that this bot cannot use is told apart from nothing, so it is tried again."""
    error = await _error(scene, Attachment(url=file_url("AgADfoo bar/#?", None)))
    assert type(error) is ConnectorUnavailableError
    assert scene.server.asked[-1].given == {"file_id": "AgADfoo bar/#?"}


@pytest.mark.parametrize("method", ["getFile", "file"])
async def test_a_refused_account_gives_no_file_up(scene: Scene, method: str) -> None:
    """While the token is refused attachments wait for a new one."""
    attachment = await scene.sent()
    fault = Fault(kind=FaultKind.STATUS, method=method, status=401, description="Unauthorized")
    scene.server.faults.set(fault)
    error = await _error(scene, attachment)
    assert type(error) is ConnectorUnavailableError
    assert "token_file" in error.hint


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.STATUS, method="getFile", status=502),
        Fault(kind=FaultKind.DROPPED, method="getFile"),
        Fault(kind=FaultKind.INVALID_JSON, method="getFile"),
        Fault(kind=FaultKind.STATUS, method="file", status=500),
        Fault(kind=FaultKind.DROPPED, method="file"),
    ],
    ids=str,
)
async def test_no_answer_is_tried_again(scene: Scene, fault: Fault) -> None:
    """5xx and broken transfers are no answer, and the next try fetches the file."""
    attachment = await scene.sent()
    scene.server.faults.set(replace(fault, times=1))
    assert type(await _error(scene, attachment)) is ConnectorUnavailableError
    assert await content(await scene.opened(attachment)) == DATA


async def test_a_flood_names_its_wait(scene: Scene) -> None:
    """429 on a link names the seconds to wait."""
    attachment = await scene.sent()
    scene.server.faults.set(Fault(kind=FaultKind.FLOOD, method="file", retry_after=9, times=1))
    error = await _error(scene, attachment)
    assert isinstance(error, ConnectorUnavailableError)
    assert error.retry_after == 9


async def test_a_transfer_that_breaks_is_no_file(scene: Scene) -> None:
    """A file cut in the middle is an error at its end, never a shorter file."""
    attachment = await scene.sent()
    scene.server.faults.set(Fault(kind=FaultKind.TRUNCATED, method="file", times=1))
    download = await scene.opened(attachment)
    with pytest.raises(ConnectorUnavailableError):
        await content(download)
    assert await content(await scene.opened(attachment)) == DATA


async def test_a_slow_transfer_comes_to_its_end(scene: Scene) -> None:
    """A file in pieces is the same file."""
    attachment = await scene.sent()
    fault = Fault(kind=FaultKind.SLOW, method="file", times=1, size=5000)
    scene.server.faults.set(fault)
    assert await content(await scene.opened(attachment)) == DATA


async def test_a_transfer_that_stands_still_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer that brings nothing for too long is an error, so that a new link is tried."""
    attachment = await scene.sent()
    fault = Fault(kind=FaultKind.SLOW, method="file", times=1, size=100_000, pause=60)
    scene.server.faults.set(fault)
    monkeypatch.setattr("connectors.telegram.transfer.SECONDS", 0.05)
    download = await scene.opened(attachment)
    with pytest.raises(ConnectorUnavailableError, match="TimeoutError"):
        await content(download)


async def test_a_transfer_can_be_given_up(scene: Scene) -> None:
    """What was not read to its end leaves no connection that the next request would meet."""
    attachment = await scene.sent(Upload(data=b"x", size=DOWNLOAD_LIMIT))
    for _ in range(3):
        download = await scene.opened(attachment)
        assert await anext(download.chunks())
        await download.aclose()
    assert await scene.api.call("getMe")


@pytest.mark.parametrize("path", ["", "../bot0/getMe", "a/../../b", "/etc/hostname"])
async def test_a_link_that_leads_elsewhere_is_not_followed(path: str) -> None:
    """A server that names something other than a file of its own is asked for nothing more."""
    async with answering() as server:
        server.answer(200, b'{"ok":true,"result":{"file_path":"%b"}}' % path.encode())
        api = BotApi(Endpoint(api_base=server.url), token="1:abc")
        with pytest.raises(ConnectorUnavailableError):
            await open_file(api, Attachment(url="x"), local_files=None)
        await api.aclose()
        assert len(server.asked) == 1


async def test_a_redirected_file_is_not_followed() -> None:
    """A link that redirects is refused, and the file is not given up."""
    async with answering() as elsewhere, answering() as server:
        server.answer(307, b"", Location=elsewhere.url)
        api = BotApi(Endpoint(api_base=server.url), token="1:abc")
        with pytest.raises(RefusedError) as caught:
            await api.stream("documents/file_1.pdf")
        await api.aclose()
        assert caught.value.code == "redirected"
        assert elsewhere.asked == []


async def test_half_a_refusal_is_no_answer() -> None:
    """A link that is answered with a broken error page is tried again."""
    async with answering() as server:
        server.says = b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\n<html>"
        api = BotApi(Endpoint(api_base=server.url), token="1:abc")
        with pytest.raises(ConnectorUnavailableError, match="RemoteProtocolError"):
            await api.stream("documents/file_1.pdf")
        await api.aclose()


@pytest.mark.parametrize("body", [b"<html>404</html>", b'{"ok":false,"description":"Not Found"}'])
async def test_a_link_is_not_the_account(body: bytes) -> None:
    """404 on a link says nothing of the token, whoever says it."""
    async with answering() as server:
        server.answer(404, body)
        api = BotApi(Endpoint(api_base=server.url), token="1:abc")
        with pytest.raises(RefusedError) as caught:
            await api.stream("documents/file_1.pdf")
        await api.aclose()
        assert caught.value.code == "404"


async def test_transfers_do_not_wait_for_each_other(scene: Scene) -> None:
    """Several files are fetched side by side with a long poll."""
    attachment = await scene.sent()
    polling = await scene.polling()
    downloads = [await scene.opened(attachment) for _ in range(8)]
    assert [await content(each) for each in reversed(downloads)] == [DATA] * 8
    scene.anna.say(scene.room, "Done")
    assert b"Done" in await polling
