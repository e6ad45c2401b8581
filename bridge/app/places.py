"""A store and how to reach it: the one that settings name, or any by its URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bridge.app.reading import as_config_error
from bridge.errors import ConfigError
from config.values import StoreLocation, parse_store_url

if TYPE_CHECKING:
    from config.settings import Settings

LockMode = Literal["none", "governance", "compliance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """A store and how to reach it."""

    url: str
    location: StoreLocation
    lock_mode: LockMode
    endpoint_url: str | None = None
    region: str | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    credentials_file: Path | None = None
    ca_file: Path | None = None
    http_proxy: str | None = None

    @property
    def name(self) -> str:
        """As findings and alarms call it."""
        return self.url if self.endpoint_url is None else f"{self.url} at {self.endpoint_url}"


def place_of(settings: Settings) -> StorePlace:
    """The store that the settings name."""
    store = settings.store
    return StorePlace(
        url=store.url,
        location=store.location,
        lock_mode=store.lock,
        endpoint_url=store.endpoint_url,
        region=store.region,
        addressing=store.addressing,
        credentials_file=store.credentials_file,
        ca_file=settings.service.ca_file,
        http_proxy=settings.service.http_proxy,
    )


def place_at(url: str, folder: Path, lock_mode: LockMode | None) -> StorePlace:
    """A store by its URL alone; a relative ``file:`` path is meant from ``folder``.

    Raises:
        ConfigError: the URL names none, or a folder is to lock something.
    """
    with as_config_error():
        location = parse_store_url(url, folder, field="--store")
    if location.folder is None:
        return StorePlace(url=url, location=location, lock_mode=lock_mode or "governance")
    if lock_mode not in {None, "none"}:
        raise ConfigError(
            f'--lock-mode is "{lock_mode}", and {url} is a folder, which cannot lock anything.',
            hint="Leave --lock-mode out, or name an s3: store.",
        )
    return StorePlace(url=f"file:{location.folder}", location=location, lock_mode="none")
