"""Anchors of an archive: a witness that cosigns, an authority that dates."""

from __future__ import annotations

from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from bridge.canonical.json import Json
from bridge.notekeys import Algorithm, generate, parse_signing_key
from storage.signer.ed25519 import Ed25519Signer
from storage.translog.cosignature import cosign
from storage.translog.note import Note
from tests.archive.ledger import Ledger, leaf_of
from tests.servers.tsa import Authority

WITNESS = "witness.example.net/archives"


class Anchoring:
    """Anchors what was published last, each with its leaf in what is published next."""

    def __init__(self, ledger: Ledger, *, active: bool, authority: Authority | None = None) -> None:
        self._ledger = ledger
        self._active = active
        signing, public = generate(WITNESS, ledger.rng.randbytes, algorithm=Algorithm.COSIGNATURE)
        self._signer = Ed25519Signer(parse_signing_key(signing, algorithm=Algorithm.COSIGNATURE))
        self._anchored = 0
        self.witnesses: tuple[str, ...] = (public,) if active else ()
        self.signing_keys: tuple[str, ...] = (signing,) if active else ()
        self._dater = authority
        self.authority = authority.root if authority is not None else b""

    def anchor(self, *, named: bool = True) -> None:
        """Have the newest checkpoint cosigned; ``named``: its leaf is written too."""
        ledger = self._ledger
        if not self._active or not ledger.sizes or ledger.sizes[-1] == self._anchored:
            return
        self._anchored = ledger.sizes[-1]
        self._keep(f"anchors/0/{self._anchored}.note", self._cosigned(), named=named)
        if self._dater is not None:
            token = _token(self._dater, ledger.notes[-1])
            self._keep(f"anchors/0/{self._anchored}.tsr", token, named=named)

    def _cosigned(self) -> bytes:
        note = Note.parse(self._ledger.notes[-1])
        time = int(self._ledger.tick().timestamp())
        line = cosign(note.text, time=time, signer=self._signer)
        return Note(text=note.text, signatures=(*note.signatures, line)).encode()

    def _keep(self, key: str, body: bytes, *, named: bool) -> None:
        ledger = self._ledger
        ledger.tick()
        digest = ledger.put(key, body)
        if named:
            fields: dict[str, Json] = {
                "size": self._anchored,
                "p": ledger.place_of(key),
                "o": digest.hex,
            }
            ledger.add(leaf_of("anchor", ledger.tick(), fields))


def _token(authority: Authority, note: bytes) -> bytes:
    builder = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256)
    return authority.reply(builder.build().as_bytes(), chain=1)
