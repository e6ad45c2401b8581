"""The operator's installation, and the service made of it."""

from __future__ import annotations

import os
import re
import signal
import site
from functools import partial
from pathlib import Path

import httpx

from tests.documented.walk import Walk, documented, until
from tests.pages import DOCS, ROOT
from tests.patience import PATIENCE

MANUAL = "docs/operations.md"


@documented(f"{MANUAL}#Install")
def test_the_program_is_installed_for_an_account(walk: Walk) -> None:
    """Into a place of its own, whose command makes the folder."""
    walk.put("/opt/muniment", walk.folder / "opt")
    walk.put("/srv/muniment", walk.folder / "srv")
    # One's own folder may be made without root; the account of the page is not here.
    walk.put("-o muniment -g muniment", f"-o {os.getuid()} -g {os.getgid()}")
    walk.put("sudo -u muniment ", "")
    walk.go(ROOT)
    walk.run("python3 -m venv")
    lend(walk, walk.folder / "opt")
    walk.run("/opt/muniment/bin/pip install --require-hashes")
    walk.run("/opt/muniment/bin/pip install --no-deps")
    walk.run("install -d")
    assert (walk.folder / "srv").stat().st_mode & 0o777 == 0o700
    walk.go(walk.folder)
    walk.run("sudo -u muniment")
    assert (walk.folder / "srv/muniment.toml").stat().st_mode & 0o777 == 0o600


def lend(walk: Walk, environment: Path) -> None:
    """Lend a new environment the packages of this one, and let nothing be fetched.

    ``make`` got them by the same two files: a pin that is not satisfied fails the installation.
    """
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    walk.environment["PIP_NO_INDEX"] = "1"


def test_the_account_is_the_one_of_the_units() -> None:
    """Its name and its home."""
    for unit in ("muniment.service", "muniment-console.service"):
        text = (DOCS / "deploy" / unit).read_text()
        assert re.findall(r"^(?:User|Group)=(\w+)$", text, re.MULTILINE) == ["muniment"] * 2
        assert "WorkingDirectory=/srv/muniment\n" in text


@documented(f"{MANUAL}#As a service")
def test_it_runs_as_a_service(walk: Walk) -> None:
    """The units are enabled in a system that does not run; the Procfile starts both and ends."""
    system = walk.folder / "system"
    (system / "etc/systemd/system").mkdir(parents=True)
    walk.put("/etc/systemd/system/", system / "etc/systemd/system")
    walk.put("--now", f"--root={system}")
    walk.go(ROOT)
    walk.run("cp")
    walk.run("systemctl enable")
    wants = system / "etc/systemd/system/multi-user.target.wants"
    assert {each.name for each in wants.iterdir()} == {
        "muniment.service",
        "muniment-console.service",
    }
    settings = walk.init("records").read_text()
    (walk.home / "clone").symlink_to(ROOT)
    walk.run("cd ~/records")
    with walk.started("honcho", ends=128 + signal.SIGTERM) as both:
        for name, path in (("metrics", "readyz"), ("console", "sign-in")):
            (place,) = re.findall(rf'^{name} = "(\S+)"$', settings, re.MULTILINE)
            until(partial(_answers, f"http://{place}/{path}"), both)
    assert '"event": "stopped"' in both.text
    assert "Killed" not in both.text


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


@documented(f"{MANUAL}#In a container")
def test_what_the_container_runs(walk: Walk) -> None:
    """The volume is a folder here, and the entry point the program; podman's own words go."""
    volume = walk.folder / "volume"
    volume.mkdir()
    flags = "--read-only --tmpfs /tmp -v records:/data"
    walk.put(f"podman run --rm {flags} muniment init /data", f"muniment init {volume}")
    walk.put(f"podman run --name recorder {flags} -w /data/records --stop-timeout 15 ", "")
    cluster = walk.folder / "cluster"
    (cluster / "lost+found").mkdir(parents=True)
    walk.put(
        "kubectl exec muniment-0 -c settings -- muniment init /data", f"muniment init {cluster}"
    )
    walk.run("kubectl exec")
    assert (cluster / "records/muniment.toml").exists()
    walk.run("podman run --rm")
    walk.go(volume / "records")
    config = walk.here / "muniment.toml"
    walk.own_ports(config)
    with walk.started("podman run --name") as run:
        until(lambda: "recording; 0 groups" in run.text, run)
