"""The tables of those outside: who looks, who is told, who vouches, who may read a copy."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from config.table import Table
from config.values import FilePath, Text, Texts, WebAddress, is_address, is_local, refusal

_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


class Console(Table):
    """[console]: the pages on `[service] console`."""

    hosts: Texts = Field(
        ("127.0.0.1", "localhost"),
        min_length=1,
        description="Host names, without ports, under which the console answers.",
    )
    trusted_proxy: Text | None = Field(
        None,
        description="IP address of the proxy whose X-Forwarded-For, -Host and -Proto are believed.",
    )
    address: WebAddress | None = Field(
        None,
        description="Where browsers reach the console, as https://HOST; the identity provider sends"
        " them back there. Without it the address that the browser names, which is one of hosts.",
    )
    oidc_issuer: WebAddress | None = Field(
        None,
        description="OpenID Connect issuer for signing in; with it local accounts sign in no more.",
    )
    oidc_client_id: Text | None = Field(None, description="Client id at that issuer.")
    oidc_client_secret_file: FilePath | None = Field(
        None, description="File with the client secret at that issuer."
    )
    oidc_name_claim: Text = Field(
        "preferred_username",
        description="Claim of the ID token with a person's name, as the audit trail shows it.",
    )
    oidc_roles_claim: Text = Field(
        "roles",
        description="Claim of the ID token with a person's roles; dots lead into nested claims.",
    )
    oidc_roles: Texts = Field(
        (),
        description="Roles by the values of that claim, each as VALUE=ROLE; without them a value"
        " is the name of a role.",
    )
    oidc_groups_claim: Text | None = Field(
        None,
        description="Claim with the group numbers (as in the console's addresses) whose content a"
        " person may see; without it all. Who has none in it is refused.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.trusted_proxy is not None and not is_address(self.trusted_proxy):
            raise refusal(
                "is no IP address", "write the one that the proxy calls from", key="trusted_proxy"
            )
        return self._agree_oidc()

    def _agree_oidc(self) -> Self:
        issuer = self.oidc_issuer
        if issuer is not None and not issuer.startswith("https:") and not is_local(issuer):
            raise refusal("is not https", "write https://HOST", key="oidc_issuer")
        if any(not all(each.rpartition("=")[::2]) for each in self.oidc_roles):
            raise refusal("holds no =", 'write each as "VALUE=ROLE"', key="oidc_roles")
        if self.oidc_issuer is not None and self.oidc_client_id is None:
            raise refusal(
                "is missing, and oidc_issuer is set", "set both or neither", key="oidc_client_id"
            )
        for key in ("oidc_client_id", "oidc_client_secret_file", "oidc_roles", "oidc_groups_claim"):
            if getattr(self, key) and self.oidc_issuer is None:
                raise refusal("needs oidc_issuer", f"set oidc_issuer, or remove {key}", key=key)
        return self


class Alerts(Table):
    """[alerts]: whom to wake. Alerts never carry content."""

    webhook_url_file: FilePath | None = Field(
        None,
        description="File with the address to which alerts are POSTed as JSON: https, or http of"
        " this machine.",
    )
    email_to: Texts = Field((), description="Addresses to which alerts are sent as e-mail.")
    email_from: Text | None = Field(
        None, description="Address that they come from; required with email_to."
    )
    smtp_host: Text | None = Field(
        None, description="Server that takes the e-mail; required with email_to."
    )
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Its port; without it 587, with smtp_security tls 465, with none 25.",
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection to it is encrypted; a server that does not offer it is"
        " refused. With none, smtp_user needs a server on this machine.",
    )
    smtp_user: Text | None = Field(None, description="User to sign in as at that server.")
    smtp_password_file: FilePath | None = Field(
        None, description="File with that user's password; required with smtp_user."
    )
    quiet_minutes: int = Field(
        15,
        ge=1,
        le=1440,
        description="The same trouble is raised at most once in so many minutes; what came"
        " meanwhile is counted.",
    )
    nudge: bool = Field(
        True,
        description="Tell, once a day of each group, that a marking below SECRET was used in it:"
        " such talk may belong on the department's own systems. It is recorded all the same.",
    )

    @property
    def port(self) -> int:
        """The port, given or usual."""
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_security]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for address in (*self.email_to, *([self.email_from] if self.email_from else [])):
            if _MAILBOX.fullmatch(address) is None:
                key = "email_from" if address == self.email_from else "email_to"
                raise refusal("is not an e-mail address", "write it as name@example.org", key=key)
        for key in ("email_from", "smtp_host"):
            if self.email_to and getattr(self, key) is None:
                raise refusal("is missing, and email_to is set", f"set {key}", key=key)
        for key in ("email_from", "smtp_host", "smtp_port", "smtp_user"):
            if getattr(self, key) is not None and not self.email_to:
                raise refusal("needs email_to", f"set email_to, or remove {key}", key=key)
        return self._agree_login()

    def _agree_login(self) -> Self:
        user, file = self.smtp_user, self.smtp_password_file
        if (user is None) != (file is None):
            key = "smtp_user" if user is None else "smtp_password_file"
            raise refusal("is missing, and the other is set", "set both or neither", key=key)
        local = is_local(f"http://{self.smtp_host}")
        if user is not None and self.smtp_security == "none" and not local:
            raise refusal(
                "would send the password in the clear",
                'set smtp_security to "starttls" or "tls", or remove smtp_user',
                key="smtp_security",
            )
        return self


class Witness(Table):
    """[witness]: another organisation that co-signs checkpoints."""

    url: WebAddress | None = Field(None, description="Address of the witness.")
    public_key_file: FilePath | None = Field(
        None, description="Its one-line verifier key; required with url."
    )
    quorum: int = Field(
        1,
        ge=1,
        le=20,
        description="How many witnesses, those of [[witnesses]] included, must have co-signed for"
        " it not to be an alarm.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.url is not None and self.public_key_file is None:
            raise refusal(
                "is missing, and url is set",
                "name the file with the witness's verifier key",
                key="public_key_file",
            )
        return self


class Timestamp(Table):
    """[timestamp]: an RFC 3161 authority that dates checkpoints."""

    url: WebAddress | None = Field(None, description="Address of the time-stamping authority.")
    ca_file: FilePath | None = Field(
        None,
        description="PEM file with the authority's root certificate, against which its tokens are"
        " checked; without it only whoever verifies can check them.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.ca_file is not None and self.url is None:
            raise refusal("needs url", "set url, or remove ca_file", key="ca_file")
        return self


class Backup(Table):
    """[backup]: encrypted copies of the databases and keys."""

    recipient: Text | None = Field(
        None,
        description="Public key (age1...) to which back-ups are encrypted; its secret, which"
        " age-keygen makes, is kept elsewhere.",
    )
