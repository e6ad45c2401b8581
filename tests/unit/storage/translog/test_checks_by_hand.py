"""What the documentation tells a stranger to type, typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.vectors.form import HERE, read

RECORD = """
KEY=$(find v1 -path '*/records/*' -name '*.json' | sort | head -n 1)
sha256sum "$KEY"
P=$(printf '%s' "$KEY" | sha256sum | cut -d' ' -f1)
LEAF=$(grep -raoh "{[^{}]*\\"p\\":\\"$P\\"[^{}]*}" v1/mydept/log/0/tile/entries | sort -u)
printf '%s\\n' "$LEAF"
HASH=$( (printf '\\000'; printf '%s' "$LEAF") | sha256sum | cut -d' ' -f1)
od -An -v -tx1 -w32 v1/mydept/log/0/tile/0/000.p/27 | tr -d ' ' | grep -n "$HASH"
"""

SIGNATURE = """
{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
  cut -d+ -f3- ../public.key | base64 -d | tail -c 32
} | openssl pkey -pubin -inform DER -out ../log.pem
head -n 3 v1/mydept/log/0/checkpoint > ../text
sed -n 5p v1/mydept/log/0/checkpoint | cut -d' ' -f3 | base64 -d | tail -c 64 > ../signature
openssl pkeyutl -verify -pubin -inkey ../log.pem -rawin -in ../text -sigfile ../signature
"""

TIMESTAMP = """
head -n 5 v1/mydept/anchors/0/11.note > ../11.checkpoint
openssl ts -verify -data ../11.checkpoint -in v1/mydept/anchors/0/11.tsr -CAfile "$AUTHORITY"
openssl ts -reply -in v1/mydept/anchors/0/11.tsr -text | grep 'Time stamp'
"""


def _typed(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The commands, in the folder of the store."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "AUTHORITY": str(HERE / "authority.pem")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_a_record_is_found_in_the_log_with_sha256sum(tmp_path: Path) -> None:
    """Its digest stands in its leaf as ``o``, and the leaf's hash in the tile, on its line."""
    done = _typed(RECORD, read("whole").lay_out(tmp_path))
    assert done.returncode == 0, done.stderr
    digest, leaf, found = done.stdout.splitlines()
    assert f'"o":"{digest[:64]}"' in leaf
    assert found.startswith("6:")


@pytest.mark.parametrize(("name", "right"), [("whole", True), ("other-text", False)])
def test_the_signature_is_checked_with_openssl(name: str, *, right: bool, tmp_path: Path) -> None:
    """The log's public key needs twelve bytes before it to be one that OpenSSL reads."""
    done = _typed(SIGNATURE, read(name).lay_out(tmp_path))
    assert (done.returncode == 0) is right, done.stderr
    assert ("Signature Verified Successfully" in done.stdout) is right


def test_a_timestamp_is_checked_with_openssl(tmp_path: Path) -> None:
    """It is of the checkpoint as it was published: the first five lines of the note beside it."""
    root = read("whole").lay_out(tmp_path)
    done = _typed(TIMESTAMP, root)
    assert done.returncode == 0, done.stderr
    assert "Nov 22 10:49:41 2026 GMT" in done.stdout
    note = root / "v1/mydept/anchors/0/11.note"
    note.write_bytes(note.read_bytes().replace(b"\n11\n", b"\n12\n"))
    assert _typed(TIMESTAMP, root).returncode != 0
