"""A request is read.

Documentation: "Making requests": parameters in the query string, urlencoded, as JSON, or as
multipart; names of methods are case-insensitive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import web

from tests.servers.bot_api.refusals import bad_request
from tests.servers.bot_api.wire import JsonObject, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of the server, by which bot: for tests that look at it."""

    method: str
    bot: int
    given: JsonObject


async def parameters(request: web.Request) -> Parameters:
    """What was sent with a request, by whichever way.

    Raises:
        RefusalError: the body is not what it says it is.
    """
    given: JsonObject = dict(request.query)
    if request.method != "POST":
        return Parameters(given)
    if request.content_type == "application/json":
        return Parameters(given | _object(await request.read()))
    for name, value in (await request.post()).items():
        given[name] = value if isinstance(value, str) else "attached"
    return Parameters(given)


def _object(body: bytes) -> JsonObject:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise bad_request("can't parse JSON object")
    return found
