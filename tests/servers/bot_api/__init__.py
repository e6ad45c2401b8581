"""A Bot API server for tests and the demo, on loopback, with the people who use its chats.

It is written from the published documentation of the Bot API (core.telegram.org/bots/api, version
10.0, with the pages on bot features, the bot FAQ and webhooks); every module names the part of it
that it keeps to, and says where it follows what the public service does instead. It was never
compared with the public service itself.

In this process::

    async with bot_api() as api:
        anna, recorder = api.person("Anna"), api.bot("Recorder", "recorder_bot", privacy=False)
        room = api.supergroup("Incident room", anna)
        anna.add(room, recorder)
        anna.say(room, "Good morning")

Then a client asks ``api.base_url`` with ``recorder.token``. As a process of its own:
``bot_api_process()``, or ``python -m tests.servers.bot_api --port N``, told what to do over
``POST /-/do`` (see ``orders`` and ``control``).

Left out: formatting of texts, inline and keyboard features, payments, games, checklists, methods
in a webhook's answer, the self-signed certificate of a webhook, rate limits (only on command).
"""

from tests.servers.bot_api.accounts import Bot, User
from tests.servers.bot_api.business import Business
from tests.servers.bot_api.chats import Chat, ChatKind, Post
from tests.servers.bot_api.clock import Clock, HandClock, WallClock
from tests.servers.bot_api.control import RemoteBotApi, bot_api_process
from tests.servers.bot_api.faults import Fault, FaultKind
from tests.servers.bot_api.files import DOWNLOAD_LIMIT, LINK_LASTS, Upload
from tests.servers.bot_api.members import ALL_RIGHTS, Status
from tests.servers.bot_api.person import Person
from tests.servers.bot_api.server import BotApi, bot_api
from tests.servers.bot_api.speaking import How
from tests.servers.bot_api.webhooks import SECRET_HEADER

__all__ = [
    "ALL_RIGHTS",
    "DOWNLOAD_LIMIT",
    "LINK_LASTS",
    "SECRET_HEADER",
    "Bot",
    "BotApi",
    "Business",
    "Chat",
    "ChatKind",
    "Clock",
    "Fault",
    "FaultKind",
    "HandClock",
    "How",
    "Person",
    "Post",
    "RemoteBotApi",
    "Status",
    "Upload",
    "User",
    "WallClock",
    "bot_api",
    "bot_api_process",
]
