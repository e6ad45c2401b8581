"""The tables that may stand several times, of [[retention]] to [[overrides]]."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from config.sections import SINGLE
from config.table import MOST_DAYS, Table
from config.values import (
    Day,
    FilePath,
    Label,
    Line,
    Listener,
    Text,
    Texts,
    UserId,
    WebAddress,
    refusal,
)


class RetentionClass(Table):
    """[[retention]]: a retention that groups may name instead of `[store] retention_days`."""

    name: Label = Field(description="Name by which groups refer to it.")
    days: int = Field(ge=1, le=MOST_DAYS, description="Days that records are kept.")
    authority: Text | None = Field(
        None, description="The schedule or order that sets it, as an auditor would cite it."
    )


class MatrixAccount(Table):
    """[[matrix]]: the recorder's account on one homeserver."""

    name: Label = Field(description="Name of the connector; groups and commands use it.")
    homeserver: WebAddress = Field(description="Address of the homeserver's client API.")
    user_id: UserId = Field(description="The account, as @name:server.")
    password_file: FilePath | None = Field(
        None,
        description="File with the account's password. Beside access_token_file it is used only"
        " where the server asks for it.",
    )
    access_token_file: FilePath | None = Field(
        None,
        description="File with an access token of a device of the recorder's own, to be signed in"
        " with in place of the password.",
    )
    recovery_key_file: FilePath | None = Field(
        None, description="File with the account's recovery key, for encrypted rooms."
    )
    default_retention_seconds: float | None = Field(
        None,
        gt=0,
        le=3_153_600_000,
        allow_inf_nan=False,
        description="Seconds that the server keeps messages of rooms which state no retention of"
        " their own; without it such rooms have no timer.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.password_file is None and self.access_token_file is None:
            raise refusal(
                "is missing, and so is access_token_file",
                "name the file with the password, or the one with the access token",
                key="password_file",
            )
        return self


class TelegramBot(Table):
    """[[telegram]]: the recorder's bot."""

    name: Label = Field(description="Name of the connector; groups and commands use it.")
    token_file: FilePath = Field(description="File with the bot's token.")
    api_base: WebAddress = Field(
        "https://api.telegram.org", description="Address of the Bot API, or of your own server."
    )
    approval_timeout_hours: float = Field(
        24,
        gt=0,
        le=8760,
        allow_inf_nan=False,
        description="Hours after which the bot leaves a group that nobody approved.",
    )
    local_files: FilePath | None = Field(
        None,
        description="Folder in which a Bot API server of your own (--local) keeps its files. With"
        " it attachments of over 20 MB are fetched too.",
    )
    webhook_url: WebAddress | None = Field(
        None, description="Address at which Telegram reaches webhook_listen; without it we ask."
    )
    webhook_listen: Listener | None = Field(
        None, description="HOST:PORT that takes updates, without TLS: that ends in front of it."
    )
    webhook_secret_file: FilePath | None = Field(
        None, description="File with the secret by which updates are known to be Telegram's."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        webhook = {
            "webhook_url": self.webhook_url,
            "webhook_listen": self.webhook_listen,
            "webhook_secret_file": self.webhook_secret_file,
        }
        given = [key for key, value in webhook.items() if value is not None]
        missing = [key for key in webhook if key not in given]
        if given and missing:
            remedy = "give all of " + ", ".join(webhook) + ", or none"
            raise refusal(f"is missing beside {given[0]}", remedy, key=missing[0])
        public = self.api_base == TelegramBot.model_fields["api_base"].default
        if public and self.webhook_url is not None and not self.webhook_url.startswith("https:"):
            remedy = "use https://, which Telegram insists on"
            raise refusal("is not an https address", remedy, key="webhook_url")
        return self


class ListedGroup(Table):
    """[[groups]]: a group that may be recorded. Being listed here approves it."""

    connector: Label = Field(description="Name of the [[matrix]] or [[telegram]] table it is in.")
    id: Text = Field(description="The platform's id: !room:server, or -100... in quotes.")
    name: Line = Field(description="The group's name for people.")
    owner: Line | None = Field(None, description="Who answers for the group.")
    purpose: Line | None = Field(None, description="What official business it serves.")
    retention: Label | None = Field(
        None, description="Name of a [[retention]] class; without it [store] retention_days holds."
    )
    dpia: Line | None = Field(
        None, description="Reference of the data protection impact assessment."
    )
    device_type: Line | None = Field(
        None, description="Devices the group is used on, e.g. corporate or personal."
    )
    capture_all: bool = Field(
        default=False, description="true: every message of this group is captured."
    )


class SeniorRole(Table):
    """[[capstone]]: a role whose holders' messages are all captured."""

    role: Label = Field(description="The role, in the words of the policy where that names some.")
    ids: Texts = Field(min_length=1, description="Platform ids of those who hold it.")
    authority: Text | None = Field(
        None, description="The approved list or schedule, as an auditor would cite it."
    )


class GroupOverride(Table):
    """[[overrides]]: what a reason code leads to in one group, whatever the policy says."""

    connector: Label = Field(description="Connector of the group.")
    group: Text = Field(description="The platform's id of the group, which [[groups]] lists.")
    code: Label = Field(description="The reason code, such as LOGISTICS.")
    outcome: Literal["capture", "review", "discard"] = Field(
        description="What it leads to in this group."
    )
    reason: Text = Field(description="Why, as an auditor would read it.")
    approver: Text = Field(description="Who approved it.")
    date: Day = Field(description="The day it was approved, as 2026-03-01.")


class FurtherWitness(Table):
    """[[witnesses]]: witnesses beside the one of [witness]."""

    url: WebAddress = Field(description="Address of the witness.")
    public_key_file: FilePath = Field(description="Its one-line verifier key.")


REPEATED: dict[str, type[BaseModel]] = {
    "retention": RetentionClass,
    "matrix": MatrixAccount,
    "telegram": TelegramBot,
    "groups": ListedGroup,
    "capstone": SeniorRole,
    "overrides": GroupOverride,
    "witnesses": FurtherWitness,
}
"""The tables that may stand several times; they come from the file alone."""

TABLES = SINGLE | REPEATED
