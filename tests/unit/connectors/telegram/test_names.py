"""No field of a message and no kind of update that the library knows is unknown to the mapping."""

from __future__ import annotations

import telegram

from connectors.telegram import content, service
from connectors.telegram.update import KNOWN


def test_every_field_of_a_message_is_known() -> None:
    """A field of a message is content, a service message, or stands around them."""
    slots = {*telegram.Message.__slots__, *telegram.MaybeInaccessibleMessage.__slots__}
    named = {"from" if slot == "from_user" else slot for slot in slots if slot[0] != "_"}
    known = {*content._CONTENT, *service.READERS, *content._AROUND}  # white box
    assert named <= known


def test_every_kind_of_update_is_known() -> None:
    """What may be asked for by name is read by name."""
    assert set(telegram.Update.ALL_TYPES) <= KNOWN
