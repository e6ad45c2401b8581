"""python-telegram-bot as the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import pytest_asyncio
import telegram
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter
from telegram.ext import Application, MessageHandler, filters

from tests.servers.bot_api import Fault, FaultKind, How, Upload
from tests.unit.servers.bot_api.scene import Scene

FILE = Upload(data=b"a plan", name="plan.pdf", mime="application/pdf")


@pytest_asyncio.fixture
async def bot(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[telegram.Bot]:
    """The scene's bot as the library's, without its warning about seconds as numbers."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    api = scene.api
    async with telegram.Bot(
        scene.bot.token, base_url=api.base_url, base_file_url=api.base_file_url
    ) as found:
        yield found


def unknown(value: object) -> Iterator[str]:
    """The fields in an object, or in what it holds, that the library has no name for."""
    if isinstance(value, tuple):
        for each in value:
            yield from unknown(each)
    if isinstance(value, telegram.TelegramObject):
        yield from (f"{type(value).__name__}.{key}" for key in value.api_kwargs)
        for kind in type(value).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if not name.startswith("_"):
                    yield from unknown(getattr(value, name, None))


async def test_everything_people_do_is_understood(scene: Scene, bot: telegram.Bot) -> None:
    """The library reads every update, and finds nothing in it that it does not know."""
    anna, room = scene.anna, scene.room
    bert = scene.api.person("Bert")
    anna.promote(room, scene.bot)
    bert.join(room)
    post = anna.say(room, "Hello @recorder_bot")
    anna.edit(post, "Hello")
    anna.reply(post, "well", quote="Hell")
    anna.react(post, "\N{FIRE}")
    for sent in (anna.photo, anna.document, anna.audio, anna.video, anna.voice):
        sent(room, FILE, "caption")
    anna.animation(room, FILE)
    anna.video_note(room, FILE)
    anna.sticker(room, FILE)
    anna.contact(room, "+15550100", "Bert")
    anna.venue(room, (52.5, 13.4), "Town hall", "Market 1")
    anna.dice(room, 6)
    anna.story(room, room, 7)
    anna.stop_poll(anna.poll(room, "When?", ["now", "later"]))
    anna.vote(anna.poll(room, "Well?", ["yes", "no"], by=scene.bot), 0)
    anna.pin(post)
    anna.forward(post, room)
    anna.timer(room, 86400)
    anna.say(room, "in a topic", How(topic=anna.topic(room, "Power")))
    scene.api.business(anna, scene.bot).say(bert.user, "An order")
    bert.leave(room)
    updates = await bot.get_updates()
    assert len(updates) == 32
    assert [key for update in updates for key in unknown(update)] == []


async def test_get_updates_confirms_by_offset(scene: Scene, bot: telegram.Bot) -> None:
    """The library's offset and list of types are understood."""
    scene.anna.say(scene.room, "one")
    scene.anna.say(scene.room, "two")
    first, _ = await bot.get_updates(allowed_updates=telegram.Update.ALL_TYPES)
    (second,) = await bot.get_updates(offset=first.update_id + 1)
    assert second.message is not None
    assert second.message.text == "two"


async def test_chats_and_members_are_understood(scene: Scene, bot: telegram.Bot) -> None:
    """The library builds its objects from what the methods return."""
    scene.anna.promote(scene.room, scene.bot)
    scene.anna.timer(scene.room, 86400)
    chat = await bot.get_chat(scene.room.id)
    assert chat.message_auto_delete_time == timedelta(days=1)
    own = await bot.get_chat_member(scene.room.id, scene.bot.id)
    assert isinstance(own, telegram.ChatMemberAdministrator)
    owner, _ = await bot.get_chat_administrators(scene.room.id)
    assert owner.user.first_name == "Anna"
    assert (await bot.get_me()).can_read_all_group_messages is True
    notice = await bot.send_message(scene.room.id, "This group is recorded")
    assert await bot.pin_chat_message(scene.room.id, notice.message_id)
    assert await bot.leave_chat(scene.room.id)


async def test_files_are_fetched(scene: Scene, bot: telegram.Bot) -> None:
    """GetFile and the download work, and too big is too big."""
    scene.anna.document(scene.room, FILE)
    scene.anna.document(scene.room, Upload(data=b"", size=30_000_000))
    small, big = [update.message for update in await bot.get_updates()]
    assert small is not None
    assert small.document is not None
    file = await small.document.get_file()
    assert bytes(await file.download_as_bytearray()) == b"a plan"
    assert big is not None
    assert big.document is not None
    with pytest.raises(BadRequest, match="File is too big"):
        await big.document.get_file()


async def test_refusals_become_the_librarys_errors(scene: Scene, bot: telegram.Bot) -> None:
    """Each has its own kind, and its parameters."""
    scene.api.faults.set(Fault(kind=FaultKind.FLOOD, retry_after=9, times=1))
    with pytest.raises(RetryAfter) as flood:
        await bot.get_me()
    assert flood.value.retry_after == timedelta(seconds=9)
    group = scene.api.group("Small", scene.anna)
    scene.anna.add(group, scene.bot)
    grown = scene.anna.migrate(group)
    with pytest.raises(ChatMigrated) as migrated:
        await bot.send_message(group.id, "Hello")
    assert migrated.value.new_chat_id == grown.id
    scene.anna.kick(scene.room, scene.bot)
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await bot.get_chat(scene.room.id)
    await bot.set_webhook("http://127.0.0.1:9/hook", secret_token="secret")
    assert (await bot.get_webhook_info()).url == "http://127.0.0.1:9/hook"
    with pytest.raises(Conflict):
        await bot.get_updates()
    await bot.delete_webhook()
    scene.api.world.revoke(scene.bot)
    with pytest.raises(InvalidToken):
        await bot.get_me()


async def test_the_librarys_own_application_runs(scene: Scene) -> None:
    """Its Updater polls and its handler is called."""
    api = scene.api
    heard: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    builder = Application.builder().token(scene.bot.token)
    application = builder.base_url(api.base_url).base_file_url(api.base_file_url).build()

    async def hear(update: telegram.Update, _: object) -> None:
        assert update.effective_message is not None
        heard.set_result(update.effective_message.text)

    application.add_handler(MessageHandler(filters.TEXT, hear))
    async with application:
        assert application.updater is not None
        await application.updater.start_polling(allowed_updates=telegram.Update.ALL_TYPES)
        await application.start()
        scene.anna.say(scene.room, "Hello")
        assert await heard == "Hello"
        await application.updater.stop()
        await application.stop()
