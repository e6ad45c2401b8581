"""``muniment backup`` and ``muniment restore``: what is copied, and how it comes back."""

from bridge.app.backup.making import Made, make_backup
from bridge.app.backup.progress import Show, Step
from bridge.app.backup.restoring import Restored, restore

__all__ = ["Made", "Restored", "Show", "Step", "make_backup", "restore"]
