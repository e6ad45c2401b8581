"""The composition root: settings in, running parts out. No logic of its own.

This package alone sees adapters and settings; :mod:`bridge.cli` alone imports it. What it offers
is imported when it is asked for: a command waits for no more than it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.app.adapters import open_journal, open_office, open_store
    from bridge.app.backed_up import BackupReport
    from bridge.app.calibration import CalibrationReport, calibrate
    from bridge.app.console import check_console, serve_beside
    from bridge.app.examination import Finding, examine
    from bridge.app.orders import known_groups, new_folder, order_step
    from bridge.app.places import StorePlace, place_at, place_of
    from bridge.app.platforms import connectors_of
    from bridge.app.policies import candidate, classifier_of, policy_sample
    from bridge.app.probes import StoreReport, examine_store
    from bridge.app.reading import VERSION, as_config_error, read_settings
    from bridge.app.recorder import Bridge
    from bridge.app.report import AnchorReport, GroupReport, StatusReport, status_of
    from bridge.app.service import entries_of, running
    from config.settings import Settings

__all__ = [
    "VERSION",
    "AnchorReport",
    "BackupReport",
    "Bridge",
    "CalibrationReport",
    "Finding",
    "GroupReport",
    "Settings",
    "StatusReport",
    "StorePlace",
    "StoreReport",
    "as_config_error",
    "calibrate",
    "candidate",
    "check_console",
    "classifier_of",
    "connectors_of",
    "entries_of",
    "examine",
    "examine_store",
    "known_groups",
    "new_folder",
    "open_journal",
    "open_office",
    "open_store",
    "order_step",
    "place_at",
    "place_of",
    "policy_sample",
    "read_settings",
    "running",
    "serve_beside",
    "status_of",
]

_HOMES = {
    "open_journal": "bridge.app.adapters",
    "open_office": "bridge.app.adapters",
    "open_store": "bridge.app.adapters",
    "BackupReport": "bridge.app.backed_up",
    "CalibrationReport": "bridge.app.calibration",
    "calibrate": "bridge.app.calibration",
    "check_console": "bridge.app.console",
    "serve_beside": "bridge.app.console",
    "Finding": "bridge.app.examination",
    "examine": "bridge.app.examination",
    "known_groups": "bridge.app.orders",
    "new_folder": "bridge.app.orders",
    "order_step": "bridge.app.orders",
    "StorePlace": "bridge.app.places",
    "place_at": "bridge.app.places",
    "place_of": "bridge.app.places",
    "connectors_of": "bridge.app.platforms",
    "candidate": "bridge.app.policies",
    "classifier_of": "bridge.app.policies",
    "policy_sample": "bridge.app.policies",
    "StoreReport": "bridge.app.probes",
    "examine_store": "bridge.app.probes",
    "VERSION": "bridge.app.reading",
    "Settings": "config.settings",
    "as_config_error": "bridge.app.reading",
    "read_settings": "bridge.app.reading",
    "Bridge": "bridge.app.recorder",
    "AnchorReport": "bridge.app.report",
    "GroupReport": "bridge.app.report",
    "StatusReport": "bridge.app.report",
    "status_of": "bridge.app.report",
    "entries_of": "bridge.app.service",
    "running": "bridge.app.service",
}
"""The module of each name."""


def __getattr__(name: str) -> object:
    """A name that was not asked for before."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
