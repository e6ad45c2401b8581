"""The single tables of the settings file. Descriptions are what the operator's manual prints."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, PrivateAttr, ValidationInfo, model_validator

from config.outward import Alerts, Backup, Console, Timestamp, Witness
from config.table import MOST_DAYS, Table
from config.values import (
    FilePath,
    Label,
    Listener,
    Origin,
    StoreLocation,
    StoreUrl,
    Tenant,
    Text,
    Texts,
    WebAddress,
    parse_store_url,
    refusal,
)

LEAST_REVIEW_DAYS = 14


class Service(Table):
    """[service]: who runs this recorder, and where it keeps and shows things."""

    tenant: Tenant = Field(
        "demo",
        description="The organisation's part of every object key and of the log's name; fixed"
        " once anything is stored. 1 to 64 of a-z, 0-9, _ and -.",
    )
    department: Text | None = Field(
        None, description="The organisation's name as notices and pages show it."
    )
    log_origin: Origin = Field(
        "records.example.org",
        description="A domain name of yours; with the tenant it names the log and its key.",
    )
    data_dir: FilePath = Field(
        Path("var"),
        description="Folder of the databases, the spool and the lock; on a local disk.",
    )
    console: Listener = Field(
        "127.0.0.1:8080", description="HOST:PORT on which the console listens."
    )
    metrics: Listener = Field(
        "127.0.0.1:9464",
        description="HOST:PORT of /healthz, /readyz and /metrics; no content, names or ids.",
    )
    http_proxy: WebAddress | None = Field(
        None, description="Proxy for everything that goes out, as http://HOST:PORT."
    )
    ca_file: FilePath | None = Field(
        None, description="PEM file of certificate authorities to trust instead of the system's."
    )


class Store(Table):
    """[store]: where records go."""

    url: StoreUrl = Field(
        "file:var/store",
        description="file:PATH (a folder) or s3://BUCKET or s3://BUCKET/PREFIX.",
    )
    endpoint_url: WebAddress | None = Field(
        None, description="Address of an S3-compatible store other than AWS."
    )
    region: Label | None = Field(None, description="Region of the bucket, e.g. eu-west-2.")
    addressing: Literal["auto", "path", "virtual"] = Field(
        "auto", description="How the bucket is named in requests: auto, path or virtual."
    )
    credentials_file: FilePath | None = Field(
        None,
        description="File with access_key_id and secret_access_key of an identity that may write"
        " and not delete; without it the environment of the process is asked.",
    )
    hold_credentials_file: FilePath | None = Field(
        None, description="The same for the identity that may set legal holds."
    )
    lock_mode: Literal["none", "governance", "compliance"] | None = Field(
        None,
        description="Object Lock: none, governance or compliance. A file: store has none; an"
        " s3: store has governance unless another is set.",
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=MOST_DAYS,
        description="Days that records are kept; required with s3:.",
    )
    review_days: int = Field(
        30,
        le=MOST_DAYS,
        description="Days that what waits for a person's decision is kept, at least 14.",
    )
    sse: Literal["AES256", "aws:kms"] | None = Field(
        None, description="Encryption asked of the store: AES256 or aws:kms."
    )
    kms_key_id: Text | None = Field(None, description='Key for sse = "aws:kms".')

    _location: StoreLocation = PrivateAttr()

    @property
    def location(self) -> StoreLocation:
        """The place that ``url`` names."""
        return self._location

    @property
    def lock(self) -> Literal["none", "governance", "compliance"]:
        """The lock mode in force."""
        if self.lock_mode is not None:
            return self.lock_mode
        return "none" if self.location.folder is not None else "governance"

    @model_validator(mode="after")
    def _agree(self, info: ValidationInfo) -> Self:
        self._location = parse_store_url(self.url, Path("/"))  # made absolute by the field
        if self.review_days < LEAST_REVIEW_DAYS:
            raise refusal(
                f"is {self.review_days}",
                f"set it to {LEAST_REVIEW_DAYS} days or more, so that people can decide in time",
                key="review_days",
            )
        if self.kms_key_id is not None and self.sse != "aws:kms":
            raise refusal(
                'needs sse = "aws:kms"', "set sse so, or remove kms_key_id", key="kms_key_id"
            )
        if self.location.folder is None:
            return self._agree_s3()
        return self._agree_file()

    def _agree_s3(self) -> Self:
        if self.retention_days is None:
            raise refusal(
                "is missing, and url is an s3: store",
                "set the number of days for which records must be kept",
                key="retention_days",
            )
        return self

    def _agree_file(self) -> Self:
        if self.lock != "none":
            raise refusal(
                f'is "{self.lock}", and url is a folder, which cannot lock anything',
                'set lock_mode = "none", or use an s3: store',
                key="lock_mode",
            )
        # Each of these would promise something that a folder does not do.
        for key in ("endpoint_url", "sse", "kms_key_id"):
            if getattr(self, key) is not None:
                raise refusal(
                    "is set, and url is a folder", f"remove {key}, or use an s3: store", key=key
                )
        return self


class Keys(Table):
    """[keys]: files that `muniment init` made. Without the journal key the journal is lost."""

    journal_key_file: FilePath = Field(
        Path("keys/journal.key"),
        description="Base64 of 32 bytes; encrypts the journal's payloads and the spool.",
    )
    blind_key_file: FilePath = Field(
        Path("keys/blind.key"),
        description="Base64 of 32 bytes; hides group ids in object keys. Never change it.",
    )
    signing_key_file: FilePath = Field(
        Path("keys/signing.key"),
        description="The one-line Ed25519 note key that signs the log.",
    )
    public_key_file: FilePath = Field(
        Path("keys/public.key"),
        description="Its one-line verifier key, to be given to whoever verifies.",
    )
    next_signing_key_file: FilePath | None = Field(
        None,
        description="The signing key that is to replace it, while it is replaced.",
    )


class Log(Table):
    """[log]: the signed log of what was seen and stored."""

    checkpoint_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds between signed checkpoints while there is news.",
    )


class Spool(Table):
    """[spool]: attachments on disk, until they are stored."""

    max_bytes: int = Field(
        10 * 2**30,
        ge=1,
        le=2**60,
        description="Bytes that all waiting attachments may take together.",
    )
    media_max_bytes: int = Field(
        2**30, ge=1, le=2**60, description="Bytes of the largest attachment that is fetched."
    )
    keep_free_bytes: int = Field(
        2**28,
        ge=0,
        le=2**60,
        description="Bytes of the disk that attachments leave free, so that messages are still"
        " journalled when the disk fills up.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.media_max_bytes > self.max_bytes:
            raise refusal(
                "is more than max_bytes, which holds all attachments",
                "lower it, or raise max_bytes",
                key="media_max_bytes",
            )
        return self


class Policy(Table):
    """[policy]: what decides which messages are significant."""

    name: Label = Field("uk-nccc", description="Name of the policy.")
    version: Label = Field("2023.1", description="Its version; stamped on each decision.")
    file: FilePath | None = Field(
        None,
        description="File with a policy of your own; name and version must be those in it.",
    )
    context_minutes: int = Field(
        30, ge=1, le=10080, description="Minutes around a message that are read as its context."
    )
    discard_after_days: int = Field(
        30,
        ge=1,
        le=MOST_DAYS,
        description="Days after which a discarded message is destroyed: at the least two more than"
        " context_minutes.",
    )
    capture_all: bool = Field(
        default=False, description="true: every message of every group is captured."
    )
    capstone: Texts = Field(
        (), description="Platform ids of officials all of whose messages are captured."
    )
    audit_percent: float = Field(
        1.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="Share of the discards that a person reviews instead, drawn by lot; 0: none.",
    )


class Notice(Table):
    """[notice]: what the recorder tells a group it joins. It is always posted."""

    language: Label = Field("en", description="Language tag of the notice, e.g. en or cy.")
    contact: Text | None = Field(
        None, description="Whom members may ask, as the notice shows it: a name or an address."
    )
    text_file: FilePath | None = Field(
        None, description="UTF-8 file with a text of your own in place of the shipped one."
    )
    interruption_seconds: float = Field(
        60.0,
        ge=5,
        le=86_400,
        allow_inf_nan=False,
        description="A silence of this many seconds is a gap, and the groups are told of it; of a"
        " group whose timer is shorter, one as long as its timer.",
    )


SINGLE: dict[str, type[BaseModel]] = {
    "service": Service,
    "store": Store,
    "keys": Keys,
    "log": Log,
    "spool": Spool,
    "policy": Policy,
    "notice": Notice,
    "console": Console,
    "alerts": Alerts,
    "witness": Witness,
    "timestamp": Timestamp,
    "backup": Backup,
}
"""The tables that stand once; the environment may override their keys."""
