"""One message of each content that the Bot API names, and what a reader is to read of it."""

from __future__ import annotations

from bridge.canonical.json import Json
from bridge.model import EventKind
from tests.unit.connectors.telegram.payloads import CHAT, CLERK, DATE, HERE, MAYOR, NEWS, content

Example = tuple[dict[str, Json], EventKind, str | None]


def file(name: str, **fields: Json) -> dict[str, Json]:
    """A file as every medium has it."""
    return {"file_id": f"id-{name}", "file_unique_id": f"unique-{name}", **fields}


SMALL = file("small", width=90, height=60, file_size=1_000)
LARGE = file("large", width=1280, height=853, file_size=90_000)
PHOTO: Json = [SMALL, LARGE, file("medium", width=320, height=213, file_size=9_000)]
POLL: dict[str, Json] = {
    "id": "5411",
    "question": "Approve the permit?",
    "options": [{"text": "Yes", "voter_count": 0}, {"text": "No", "voter_count": 0}],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": False,
    "type": "regular",
    "allows_multiple_answers": False,
}
CHECKLIST: dict[str, Json] = {
    "title": "Inspection",
    "tasks": [
        {"id": 1, "text": "Fire exits", "completion_date": DATE, "completed_by_user": CLERK},
        {"id": 2, "text": "Wiring", "completion_date": 0},
    ],
}
PLACE: dict[str, Json] = {"latitude": 51.5, "longitude": -0.125}
VENUE: dict[str, Json] = {"location": PLACE, "title": "Town hall", "address": "1 High St"}
WORDLESS: dict[str, Json] = {
    "boost_added": {"boost_count": 1},
    "direct_message_price_changed": {"are_direct_messages_enabled": True},
    "gift_upgrade_sent": {"gift": {"id": "1"}},
    "giveaway_completed": {"winner_count": 1},
    "giveaway_created": {},
    "managed_bot_created": {"bot": MAYOR},
    "paid_message_price_changed": {"paid_message_star_count": 1},
    "passport_data": {"data": [], "credentials": {}},
    "proximity_alert_triggered": {"traveler": CLERK, "watcher": MAYOR, "distance": 5},
    "suggested_post_approval_failed": {"price": {}},
    "suggested_post_approved": {"send_date": DATE},
    "suggested_post_paid": {"currency": "XTR"},
    "suggested_post_refunded": {"reason": "post_deleted"},
    "unique_gift": {"gift": {}, "origin": "upgrade"},
    "write_access_allowed": {"from_request": True},
}

M, G, S = EventKind.MESSAGE, EventKind.GROUP, EventKind.SERVICE
C, P, J = EventKind.CALL, EventKind.POLL, EventKind.MEMBERSHIP

CONTENT: dict[str, Example] = {
    "text": ({"text": "The permit is granted."}, M, "The permit is granted."),
    "text with link preview": (
        {"text": "See it", "link_preview_options": {"is_disabled": True}},
        M,
        "See it",
    ),
    "photo": ({"photo": PHOTO, "caption": "The site"}, M, "The site"),
    "photo without caption": ({"photo": PHOTO}, M, None),
    "animation": (
        {"animation": file("gif", duration=2), "document": file("gif", file_name="a.mp4")},
        M,
        None,
    ),
    "live photo": ({"live_photo": file("live", photo=PHOTO), "photo": PHOTO}, M, None),
    "document": ({"document": file("doc", file_name="plan.pdf"), "caption": "Plan"}, M, "Plan"),
    "video": ({"video": file("video", duration=3), "has_media_spoiler": True}, M, None),
    "audio": ({"audio": file("audio", performer="Choir", title="Anthem")}, M, None),
    "voice": ({"voice": file("voice", duration=3, mime_type="audio/ogg")}, M, None),
    "video note": ({"video_note": file("note", length=240, duration=3)}, M, None),
    "paid media": (
        {
            "paid_media": {
                "star_count": 5,
                "paid_media": [
                    {"type": "photo", "photo": PHOTO},
                    {"type": "video", "video": file("paid")},
                ],
            },
            "caption": "For a price",
        },
        M,
        "For a price",
    ),
    "sticker": (
        {"sticker": file("sticker", type="regular", emoji="👍", set_name="Thumbs")},
        EventKind.STICKER,
        "👍",
    ),
    "contact": (
        {
            "contact": {
                "phone_number": "+441632960000",
                "first_name": "Max",
                "last_name": "Mayor",
                "user_id": 43,
            }
        },
        EventKind.CONTACT,
        "Max Mayor\n+441632960000",
    ),
    "location": ({"location": PLACE}, EventKind.LOCATION, "geo:51.5,-0.125"),
    "live location": (
        {"location": {**PLACE, "live_period": 3600, "heading": 90}},
        EventKind.LOCATION,
        "geo:51.5,-0.125",
    ),
    "venue": ({"venue": VENUE, "location": PLACE}, EventKind.LOCATION, "Town hall\n1 High St"),
    "poll": ({"poll": POLL}, P, "Approve the permit?\nYes\nNo"),
    "checklist": ({"checklist": CHECKLIST}, M, "Inspection\n[x] Fire exits\n[ ] Wiring"),
    "dice": ({"dice": {"emoji": "🎲", "value": 4}}, M, "🎲 4"),
    "story": ({"story": {"chat": NEWS, "id": 3}}, M, None),
    "game": (
        {"game": {"title": "Chess", "description": "Two play", "photo": PHOTO}},
        M,
        "Chess\nTwo play",
    ),
    "invoice": (
        {
            "invoice": {
                "title": "Fee",
                "description": "Permit",
                "start_parameter": "",
                "currency": "GBP",
                "total_amount": 4500,
            }
        },
        M,
        "Fee\nPermit",
    ),
    "giveaway": (
        {
            "giveaway": {
                "chats": [NEWS],
                "winners_selection_date": DATE,
                "winner_count": 1,
                "prize_description": "A book",
            }
        },
        M,
        "A book",
    ),
    "giveaway winners": (
        {
            "giveaway_winners": {
                "chat": NEWS,
                "giveaway_message_id": 4,
                "winners_selection_date": DATE,
                "winner_count": 2,
                "winners": [CLERK, MAYOR],
            }
        },
        M,
        "Ann Clerk, Max",
    ),
}

SERVICE: dict[str, Example] = {
    "members joined": ({"new_chat_members": [CLERK, MAYOR]}, J, "member: Ann Clerk, Max"),
    "member left": ({"left_chat_member": MAYOR}, J, "left: Max"),
    "owner left": ({"chat_owner_left": {"new_owner": MAYOR}}, J, "creator: Max"),
    "owner changed": ({"chat_owner_changed": {"new_owner": MAYOR}}, J, "creator: Max"),
    "title": ({"new_chat_title": "Permits 2025"}, G, "Permits 2025"),
    "picture": ({"new_chat_photo": PHOTO}, G, None),
    "picture deleted": ({"delete_chat_photo": True}, G, None),
    "group created": ({"group_chat_created": True}, G, None),
    "supergroup created": ({"supergroup_chat_created": True}, G, None),
    "channel created": ({"channel_chat_created": True}, G, None),
    "timer on": (
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 86_400}},
        EventKind.TIMER,
        "86400 s",
    ),
    "timer off": (
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 0}},
        EventKind.TIMER,
        "off",
    ),
    "migrated to": ({"migrate_to_chat_id": -1_002_000_000_000}, G, "-1002000000000"),
    "migrated from": ({"migrate_from_chat_id": -4_000}, G, str(CHAT)),
    "pinned": ({"pinned_message": content(message_id=9)}, EventKind.PIN, f"{CHAT}:9"),
    "pinned, inaccessible": (
        {"pinned_message": {"chat": HERE, "message_id": 9, "date": 0}},
        EventKind.PIN,
        f"{CHAT}:9",
    ),
    "topic created": ({"forum_topic_created": {"name": "Roads", "icon_color": 1}}, G, "Roads"),
    "topic edited": ({"forum_topic_edited": {"name": "Streets"}}, G, "Streets"),
    "topic closed": ({"forum_topic_closed": {}}, G, None),
    "topic reopened": ({"forum_topic_reopened": {}}, G, None),
    "general topic hidden": ({"general_forum_topic_hidden": {}}, G, None),
    "general topic unhidden": ({"general_forum_topic_unhidden": {}}, G, None),
    "background": ({"chat_background_set": {"type": {"type": "fill"}}}, G, None),
    "video chat scheduled": (
        {"video_chat_scheduled": {"start_date": DATE}},
        C,
        "scheduled: 2025-06-15T15:06:40.000Z",
    ),
    "video chat started": ({"video_chat_started": {}}, C, "started"),
    "video chat ended": ({"video_chat_ended": {"duration": 60}}, C, "ended: 60 s"),
    "video chat invitation": (
        {"video_chat_participants_invited": {"users": [CLERK]}},
        C,
        "invited: Ann Clerk",
    ),
    "poll option added": (
        {"poll_option_added": {"poll_message": content(message_id=8), "option_text": "Maybe"}},
        P,
        "Maybe",
    ),
    "poll option deleted": ({"poll_option_deleted": {"option_text": "Maybe"}}, P, "Maybe"),
    "tasks added": (
        {"checklist_tasks_added": {"tasks": [{"id": 3, "text": "Roof"}]}},
        S,
        "[ ] Roof",
    ),
    "tasks done": (
        {"checklist_tasks_done": {"marked_as_done_task_ids": [2], "checklist_message": content()}},
        S,
        "done: 2",
    ),
    "users shared": (
        {"users_shared": {"request_id": 1, "users": [{"user_id": 43, "first_name": "Max"}]}},
        S,
        "Max",
    ),
    "chat shared": (
        {"chat_shared": {"request_id": 1, "chat_id": -5, "title": "Roads"}},
        S,
        "Roads",
    ),
    "web app": ({"web_app_data": {"data": "d", "button_text": "b"}}, S, "b\nd"),
    "website": ({"connected_website": "town.example"}, S, "town.example"),
    "gift": ({"gift": {"gift": {"id": "1"}, "text": "Thanks"}}, S, "Thanks"),
    "payment": ({"successful_payment": {"currency": "GBP", "total_amount": 4500}}, S, None),
    "refund": ({"refunded_payment": {"currency": "XTR", "total_amount": 1}}, S, None),
    "post declined": ({"suggested_post_declined": {"comment": "No"}}, S, "No"),
    **{key: ({key: value}, S, None) for key, value in WORDLESS.items()},
}
