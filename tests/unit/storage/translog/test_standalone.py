from __future__ import annotations

import json
import math
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from bridge.canonical.json import Json, dumps
from storage.translog import verify_standalone as standalone
from tests.patience import PATIENCE
from tests.vectors.form import Vector, names, read

NOW = "2026-11-22T00:00:00.000Z"

# RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
            "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
            "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ec"
            "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
)

# RFC 8785, appendix B: IEEE 754 bits and JSON text.
RFC_8785_NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def _verified(vector: Vector, folder: Path) -> tuple[str, frozenset[str], frozenset[str]]:
    """Verdict and codes of a vector, in process."""
    root = vector.lay_out(folder)
    known = [(f"known-{i}", note) for i, note in enumerate(vector.known)]
    try:
        keys = standalone.read_keys(folder / "public.key")
        report = standalone.verify(root, keys, known, now=NOW)
    except standalone.CannotTellError:
        return "cannot_tell", frozenset(), frozenset()
    found = frozenset(str(entry["code"]) for entry in report.findings)
    return report.verdict, found, frozenset(str(entry["code"]) for entry in report.listed)


@pytest.mark.parametrize("name", tuple(names()))
def test_every_vector_gets_its_verdict_and_its_codes(name: str, tmp_path: Path) -> None:
    """What was broken is named, and nothing else is."""
    vector = read(name)
    assert _verified(vector, tmp_path) == (vector.verdict, vector.codes, vector.listed)


def _run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The file alone, with an interpreter that has no packages and sees no other file."""
    return subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(Path(standalone.__file__)),
            str(folder / "store"),
            "--public-key",
            str(folder / "public.key"),
            *more,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_it_runs_alone_on_a_whole_log(tmp_path: Path) -> None:
    """Exit code 0, and how far it vouches, against checkpoints kept elsewhere."""
    read("whole-known").lay_out(tmp_path)
    known = [f"--known={tmp_path}/known-{i}" for i in range(3)]
    done = _run(tmp_path, "--json", *known)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["verdict"] == "intact"
    assert report["vouches"]["known"] == [11, 16, 27]
    assert report["counts"]["leaves"] == 27
    assert report["counts"]["records"] == 5


def test_it_says_what_was_tampered_with(tmp_path: Path) -> None:
    """Exit code 1, and the code and the key of what does not fit."""
    read("record-changed").lay_out(tmp_path)
    done = _run(tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "TAMPERED  object_mismatch" in done.stdout
    assert "000000000001" in done.stdout
    assert done.stdout.endswith("tampered\n")


def test_it_does_not_read_objects_when_asked_not_to(tmp_path: Path) -> None:
    """The log alone is intact, and the report says that the objects were not read."""
    read("record-changed").lay_out(tmp_path)
    done = _run(tmp_path, "--skip-objects")
    assert (done.returncode, done.stderr) == (0, "")
    assert "not_checked" in done.stdout


@pytest.mark.parametrize("json_asked", [True, False])
def test_it_cannot_tell_without_a_key(tmp_path: Path, *, json_asked: bool) -> None:
    """Exit code 2, and why, where an argument is of no use."""
    read("size-001").lay_out(tmp_path)
    (tmp_path / "public.key").write_text("no key\n")
    done = _run(tmp_path, *(["--json"] if json_asked else []))
    assert (done.returncode, done.stderr) == (2, "")
    assert "cannot" in done.stdout


def test_it_cannot_tell_of_nothing(tmp_path: Path) -> None:
    """A folder that is not there, or holds nothing of the tenant, says nothing."""
    vector = read("size-001")
    root = vector.lay_out(tmp_path)
    keys = standalone.read_keys(tmp_path / "public.key")
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(standalone.CannotTellError):
            standalone.verify(folder, keys, now=NOW)
    (tmp_path / "two.key").write_text(f"{keys[0].line}\n{vector.public_key[0]}x\n")
    with pytest.raises(standalone.CannotTellError):
        standalone.read_keys(tmp_path / "two.key")
    assert standalone.verify(root, keys, now=NOW).verdict == "intact"


def test_a_link_is_extra_and_not_followed(tmp_path: Path) -> None:
    """What is neither a file nor a folder has no place in an archive."""
    root = read("whole").lay_out(tmp_path)
    act = root / "v1/mydept/acts/2026/03/02/000000000000.json"
    act.rename(tmp_path / "elsewhere")
    act.symlink_to(tmp_path / "elsewhere")
    report = standalone.verify(root, standalone.read_keys(tmp_path / "public.key"), now=NOW)
    assert {entry["code"] for entry in report.findings} == {"object_missing", "extra"}


def test_it_imports_nothing_but_the_standard_library() -> None:
    """A stranger needs this file and Python, and no other thing."""
    source = Path(standalone.__file__).read_text("utf-8")
    lines = [line.split() for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert {line[1].partition(".")[0] for line in lines} <= sys.stdlib_module_names


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_ed25519_accepts_the_vectors_of_its_standard(
    public: str, message: str, signature: str
) -> None:
    """RFC 8032, section 7.1; and not one of them with a bit changed."""
    key, text, good = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert standalone.ed25519_verify(key, text, good)
    assert not standalone.ed25519_verify(key, text + b"x", good)
    for at in (0, 31, 32, 63):
        bad = bytearray(good)
        bad[at] ^= 1
        assert not standalone.ed25519_verify(key, text, bytes(bad))


def test_ed25519_refuses_what_is_not_in_its_one_form() -> None:
    """A number past the order, a coordinate past the prime, a sign of zero, other lengths."""
    key, text, good = (bytes.fromhex(part) for part in RFC_8032[1])
    past = int.from_bytes(good[32:], "little") + standalone.ORDER
    assert not standalone.ed25519_verify(key, text, good[:32] + past.to_bytes(32, "little"))
    assert not standalone.ed25519_verify(key, text, good + b"\0")
    assert not standalone.ed25519_verify(key[:31], text, good)
    one = (1).to_bytes(32, "little")
    zero_with_sign = (1 | 1 << 255).to_bytes(32, "little")
    one_again = (standalone.PRIME + 1).to_bytes(32, "little")
    no_point = (2).to_bytes(32, "little")
    assert standalone.decode_point(one) == (0, 1, 1, 0)
    assert standalone.decode_point(zero_with_sign) is None
    assert standalone.decode_point(one_again) is None
    assert standalone.decode_point(no_point) is None
    # With A of order one, s = 0 and R = 1 fit every message; R must be in its one form.
    assert standalone.ed25519_verify(one, b"anything", one + bytes(32))
    assert not standalone.ed25519_verify(one, b"anything", one_again + bytes(32))
    assert not standalone.ed25519_verify(one_again, b"anything", one + bytes(32))


def test_ed25519_agrees_with_another_implementation() -> None:
    """Right and damaged signatures get the same answer from the library that makes them."""
    rng = random.Random(8032)
    for _ in range(30):
        signer = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        public, message = signer.public_key().public_bytes_raw(), rng.randbytes(rng.randrange(99))
        signature = bytearray(signer.sign(message))
        if rng.random() < 0.5:
            signature[rng.randrange(64)] ^= 1 << rng.randrange(8)
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(bytes(signature), message)
            right = True
        except InvalidSignature:
            right = False
        assert standalone.ed25519_verify(public, message, bytes(signature)) is right


@pytest.mark.parametrize(("bits", "written"), tuple(RFC_8785_NUMBERS.items()))
def test_numbers_are_written_as_the_standard_wants_them(bits: str, written: str) -> None:
    """RFC 8785, appendix B."""
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert standalone.canonical_float(value) == written


def test_canonical_json_agrees_with_another_implementation() -> None:
    """Numbers of every size, names in UTF-16 order, and texts with every kind of escape."""
    rng = random.Random(8785)
    for _ in range(2000):
        (value,) = struct.unpack(">d", rng.randbytes(8))
        if math.isfinite(value):
            assert standalone.canonical(value) == rfc8785.dumps(value).decode()
    odd = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6", '\\"', "\x1f", "\x7f"]
    document: dict[str, Json] = {name: [name, True, None, -5, 0.5, {}] for name in odd}
    assert standalone.canonical(document) == dumps(document).decode()


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'{"a":NaN}',
        b'{"a":1,"a":1}',
        b'{"a":9007199254740992}',
        b'{"b":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\n',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_json_in_another_form_is_refused(data: bytes) -> None:
    """There is one form for each document, and hostile ones do no harm."""
    with pytest.raises(standalone.MalformedError):
        standalone.read_json(data)
