"""The token and what people said appear in nothing that is written, raised or shown."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from bridge.errors import ConnectorError
from bridge.model import Attachment
from connectors.telegram.bot_api import BotApi, Endpoint
from connectors.telegram.files import open_file
from connectors.telegram.media import attachments
from connectors.telegram.webhook import Webhook, WebhookPlace
from tests.servers.bot_api import BotApi as BotApiServer
from tests.servers.bot_api import Fault, FaultKind, Upload, bot_api
from tests.unit.connectors.telegram.answering import answering
from tests.unit.connectors.telegram.api_scene import TOKEN, content
from tests.unit.connectors.telegram.posting import SECRET

SAID = "something that somebody said"
ABOVE_THE_WIRE = ("connectors", "telegram", "httpx", "bridge")


class _Lines(logging.Handler):
    """Every line that any logger writes, with its exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {self.format(record)} {record.args!r}")


@pytest.fixture(name="lines")
def _lines() -> Iterator[list[str]]:
    """What all loggers write, down to DEBUG."""
    root, handler = logging.getLogger(), _Lines()
    known = tuple(logging.Logger.manager.loggerDict.values())
    levels = {each: each.level for each in (root, *known) if isinstance(each, logging.Logger)}
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    for each, level in levels.items():
        each.setLevel(level)


def _all_loud() -> None:
    """Undo every silence that a logger was given."""
    for each in tuple(logging.Logger.manager.loggerDict.values()):
        if isinstance(each, logging.Logger):
            each.setLevel(logging.DEBUG)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        yield from _chain(error.__cause__)
        error = error.__context__


def _shown(error: BaseException) -> str:
    """All that anybody can see of an error and of those that it is chained to."""
    found = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    for each in _chain(error):
        found += [str(each), repr(each), repr(vars(each))]
    return "\n".join(found)


def _variables(error: BaseException) -> str:
    """What a traceback with variables would show of our frames and the libraries' ones."""
    frames = (frame for each in _chain(error) for frame, _ in traceback.walk_tb(each.__traceback__))
    ours = [f for f in frames if str(f.f_globals.get("__name__", "")).startswith(ABOVE_THE_WIRE)]
    return "\n".join(repr(value) for frame in ours for value in frame.f_locals.values())


@pytest.fixture(autouse=True)
def _newcomers() -> Iterator[None]:
    """The collector shows only what is made from now on: other tests leave much behind."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _objects() -> str:
    """What every object shows of itself, but those of the connection that sends the token.

    Of what is older than the test the modules' own variables could hold something new.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
        living = gc.get_objects()
    ours = [each for each in living if str(type(each).__module__).startswith(ABOVE_THE_WIRE)]
    modules = [each for name, each in sys.modules.items() if name.startswith(ABOVE_THE_WIRE)]
    shared = [
        value
        for module in modules
        for name, value in vars(module).items()
        if not name.startswith("__")
    ]
    return "\n".join(repr(each) for each in [*ours, *shared])


async def _failing(*asking: Awaitable[object], echoed: bool = False) -> str:
    """Everything that these show when they fail, as each of them must.

    With ``echoed`` the server says the token itself, so that it stands in what was received.
    """
    shown = []
    for each in asking:
        with pytest.raises(ConnectorError) as caught:
            await each
        shown += [_shown(caught.value), caught.value.hint]
        shown += [] if echoed else [_variables(caught.value)]
    return "\n".join(shown)


@asynccontextmanager
async def _client(url: str, *, loud: bool) -> AsyncIterator[BotApi]:
    api = BotApi(Endpoint(api_base=url), token=TOKEN)
    if loud:
        _all_loud()
    yield api
    await api.aclose()


FAULTS = [
    *(Fault(kind=kind) for kind in FaultKind if kind not in {FaultKind.SILENT, FaultKind.SLOW}),
    *(
        Fault(kind=FaultKind.STATUS, status=status, description=f"{TOKEN} {SAID}")
        for status in (400, 401, 403, 404, 409, 429, 502)
    ),
]


async def _through_all(folder: Path, *, loud: bool) -> str:
    """Every way that a request ends, and what was shown on it."""
    async with bot_api() as server:
        anna, bot = server.person("Anna"), server.bot("Recorder", "recorder_bot", privacy=False)
        bot.token = TOKEN
        room = server.supergroup("Incident room", anna)
        anna.add(room, bot)
        anna.say(room, SAID)
        post = anna.document(room, Upload(data=SAID.encode()))
        (file,) = attachments(server.world.as_seen_by(bot, post.fields))
        async with _client(server.url, loud=loud) as api:
            assert SAID.encode() in await api.get_updates(offset=None, seconds=0)
            await api.call("sendMessage", chat_id=room.id, text=SAID)
            download = await open_file(api, file, local_files=None)
            shown = [_objects()]
            assert await content(download) == SAID.encode()
            shown += [await _through_faults(server, api, file), _objects()]
    return "\n".join([*shown, await _through_odd_servers(folder, loud=loud), _objects()])


async def _through_faults(server: BotApiServer, api: BotApi, file: Attachment) -> str:
    shown = []
    for fault in FAULTS:
        server.faults.set(fault)
        asking = api.call("getMe"), open_file(api, file, local_files=None)
        shown.append(await _failing(*asking))
        server.faults.lift()
    server.faults.set(Fault(kind=FaultKind.SILENT))
    shown.append(await _failing(api.call_within(0.01, "getMe")))
    server.faults.lift()
    server.faults.set(Fault(kind=FaultKind.TRUNCATED, method="file"))
    broken = await open_file(api, file, local_files=None)
    shown += [await _failing(content(broken)), _objects()]
    await server.down()
    shown.append(await _failing(api.call("getMe"), api.stream("x")))
    return "\n".join(shown)


async def _through_odd_servers(folder: Path, *, loud: bool) -> str:
    """Servers that say back what they were asked for, in every place they can."""
    shown = []
    asking: list[Awaitable[object]]
    async with answering() as server, _client(server.url, loud=loud) as api:
        back = f"{server.url}/bot{TOKEN}/x"
        for status in (200, 302, 400, 404, 429, 500):
            server.answer(status, back.encode(), Location=back, Retry_After=TOKEN, X_Odd=back)
            asking = [api.call("getMe")] if status == 200 else [api.call("getMe"), api.stream("x")]
            shown.append(await _failing(*asking, echoed=True))
        server.answer(200, b'{"ok":true,"result":{"file_path":"/x/%b/y"}}' % TOKEN.encode())
        file = Attachment(url="x")
        asking = [open_file(api, file, local_files=each) for each in (None, folder)]
        shown.append(await _failing(*asking, echoed=True))
    async with (
        answering(greets=back.encode() + b"\r\n\r\n") as mail,
        _client(mail.url, loud=loud) as api,
    ):
        shown.append(await _failing(api.call("getMe"), echoed=True))
    async with _client("https://127.0.0.1:9", loud=loud) as api:
        shown.append(await _failing(api.call("getMe")))
    return "\n".join(shown)


async def _through_a_webhook() -> str:
    """A webhook that is set, meets strangers, and ends."""
    place = WebhookPlace(url="http://127.0.0.1/h", host="127.0.0.1", port=0, secret=SECRET)
    webhook = Webhook(place, boot="b1")
    await webhook.start()
    async with bot_api() as server:
        bot = server.bot("Recorder", "recorder_bot")
        bot.token = TOKEN
        async with _client(server.url, loud=True) as api:
            await api.call("setWebhook", **webhook.parameters)
            shown = f"{webhook!r} {place!r} {_objects()}"
            await api.call("deleteWebhook")
            await webhook.aclose()
    return shown


async def test_nothing_shows_the_token(
    lines: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With every logger wide open, no line, error, traceback or object holds token or secret."""
    with structlog.testing.capture_logs() as events:
        shown = await _through_all(tmp_path, loud=True) + await _through_a_webhook()
    assert any(line.startswith("httpx") for line in lines)  # else this would prove nothing
    out, err = capfd.readouterr()
    written = "\n".join([shown, *lines, out, err, *map(repr, events)])
    bare = TOKEN.partition(":")[2]
    assert TOKEN not in written
    assert bare not in written
    assert SECRET not in written


async def test_the_libraries_are_silent(lines: list[str], tmp_path: Path) -> None:
    """At DEBUG neither requests nor answers are logged: what people said is in them."""
    shown = await _through_all(tmp_path, loud=False)
    assert [line for line in lines if line.startswith(("httpx", "httpcore", "telegram"))] == []
    assert not any(SAID in line or TOKEN in line for line in lines)
    assert TOKEN not in shown


async def test_a_cancelled_request_does_not_show_the_token(lines: list[str]) -> None:
    """What is thrown through the libraries by whoever gives up holds no token either."""
    async with bot_api() as server:
        bot = server.bot("Recorder", "recorder_bot")
        bot.token = TOKEN
        async with _client(server.url, loud=True) as api:
            asking = asyncio.create_task(api.get_updates(offset=None, seconds=50))
            await bot.updates.polled()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await asking
    assert TOKEN not in str(caught.value) + repr(caught.value) + "\n".join(lines)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
