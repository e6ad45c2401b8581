"""Telling people who do not look: what is wrong, and what happened, by webhook and e-mail.

An alert never holds content, names of people or groups, or addresses: only which part, which kind
of trouble, and of groups the number that object keys have, too.
"""

from bridge.alerts.alert import Alert, Change, Channel
from bridge.alerts.desk import Desk
from bridge.alerts.ledger import FILE, Ledger, read_ledger
from bridge.alerts.loop import Alerts
from bridge.alerts.webhook import Webhook

__all__ = [
    "FILE",
    "Alert",
    "Alerts",
    "Change",
    "Channel",
    "Desk",
    "Ledger",
    "Webhook",
    "read_ledger",
]
