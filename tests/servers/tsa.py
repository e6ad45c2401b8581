"""A time-stamping authority on loopback, whose tokens `openssl ts` makes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.patience import PATIENCE
from tests.servers.scripted import Scripted, ScriptedServer, scripted_server

REPLY = "application/timestamp-reply"
_CONFIG = """\
[ts]
default_tsa = this
[this]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A folder with a root, an intermediate and a signer; ``root`` is what one trusts."""

    folder: Path
    root: bytes
    between: bytes

    def reply(self, query: bytes, *, chain: int = 0) -> bytes:
        """The token for a query, with so many certificates above the signer's. Blocks."""
        number = len(list(self.folder.glob("*.tsq")))
        asked, given = self.folder / f"{number}.tsq", self.folder / f"{number}.tsr"
        asked.write_bytes(query)
        above = self.folder / "chain.pem"
        above.write_bytes(b"".join((self.between, self.root)[:chain]))
        command = ["openssl", "ts", "-reply", "-config", str(self.folder / "ts.cnf")]
        command += ["-section", "this", "-queryfile", str(asked), "-out", str(given)]
        command += ["-signer", str(self.folder / "signer.pem")]
        command += ["-inkey", str(self.folder / "signer.key")]
        command += ["-chain", str(above)] if chain else []
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        return given.read_bytes()


def make_authority(
    folder: Path,
    *,
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    digests: str = "sha256",
) -> Authority:
    """A new one. Another ``usages`` makes a signer that has no right to stamp time."""
    folder.mkdir()
    root = _certified("Root", None)
    between = _certified("Between", root)
    signer = _certified("Signer", between, usages=usages)
    (folder / "signer.pem").write_bytes(_pem(signer))
    key = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "signer.key").write_bytes(key)
    (folder / "serial").write_text("01\n")
    (folder / "ts.cnf").write_text(_CONFIG.format(folder=folder, digests=digests))
    return Authority(folder=folder, root=_pem(root), between=_pem(between))


@asynccontextmanager
async def tsa_server(authority: Authority, *, chain: int = 2) -> AsyncIterator[ScriptedServer]:
    """It answers every query for as long as the block lasts."""
    async with scripted_server() as server:

        async def decide(query: bytes) -> Scripted:
            body = await asyncio.to_thread(authority.reply, query, chain=chain)
            return Scripted(content_type=REPLY, body=body)

        server.decide = decide
        yield server


def _certified(
    name: str, issuer: Certified | None, *, usages: Sequence[x509.ObjectIdentifier] = ()
) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=not usages, path_length=None), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Certified(certificate=certificate, key=key)


def _pem(certified: Certified) -> bytes:
    return certified.certificate.public_bytes(Encoding.PEM)
