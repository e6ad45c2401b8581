"""The files by which it is run as a service name what is there, and shut out what is not needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bridge.cli.arguments import parse
from bridge.errors import MunimentError
from config.settings import parse as parse_settings
from tests.pages import DOCS, ROOT, page
from tests.patience import PATIENCE

DEPLOY = DOCS / "deploy"
UNITS = ("muniment.service", "muniment-console.service")
MOST_EXPOSED = 20
"""Tenths, of the ten points that systemd gives to a service without any sandbox."""

PROGRAM = "/opt/muniment/bin/muniment"


class _Pod(msgspec.Struct):
    args: list[str]
    folder: str = msgspec.field(name="workingDir")


class _First(msgspec.Struct):
    name: str
    command: list[str]


class _Context(msgspec.Struct):
    is_not_root: bool = msgspec.field(name="runAsNonRoot")


class _PodSpec(msgspec.Struct):
    containers: list[_Pod]
    first: list[_First] = msgspec.field(name="initContainers")
    context: _Context = msgspec.field(name="securityContext")


class _Template(msgspec.Struct):
    spec: _PodSpec


class _SetSpec(msgspec.Struct):
    replicas: int
    template: _Template


class _StatefulSet(msgspec.Struct):
    kind: str
    spec: _SetSpec


class _Workflow(msgspec.Struct):
    jobs: dict[str, dict[str, object]]


def _read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def _is_command(words: list[str]) -> bool:
    """Whether the program takes these arguments."""
    try:
        return "command" in vars(parse(words))
    except (SystemExit, MunimentError):
        return False


def _placed(unit: str, folder: Path) -> Path:
    """The unit with a program that is on this machine."""
    placed = folder / unit
    placed.write_text(_read(unit).replace(PROGRAM, sys.executable))
    return placed


def _systemd(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool is not None, "install the package systemd"
    return subprocess.run(
        [tool, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit_as_it_is(unit: str, tmp_path: Path) -> None:
    """No unknown key, no value that is passed over."""
    done = _systemd("verify", "--man=no", "--recursive-errors=no", str(_placed(unit, tmp_path)))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_the_credentials_of_the_unit_reach_their_settings(unit: str, tmp_path: Path) -> None:
    """The lines in its comments hold once they are let in: no key is unknown, no name is wrong."""
    text = re.sub(r"^#(LoadCredential|Environment)=", r"\1=", _read(unit), flags=re.MULTILINE)
    placed = tmp_path / unit
    placed.write_text(text.replace(PROGRAM, sys.executable))
    done = _systemd("verify", "--man=no", "--recursive-errors=no", str(placed))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    loaded = re.findall(r"^LoadCredential=([a-z.]+):/etc/muniment/\1$", text, re.MULTILINE)
    told = re.findall(r"^Environment=MUNIMENT_(\w+)__(\w+)=%d/([a-z.]+)$", text, re.MULTILINE)
    assert [name for _, _, name in told] == loaded
    own = Path("/run/credentials") / unit
    settings = parse_settings(
        '[console]\noidc_issuer = "https://id.example.org"\noidc_client_id = "records"\n',
        tmp_path / "muniment.toml",
        {f"MUNIMENT_{table}__{key}": str(own / name) for table, key, name in told},
    )
    for table, key, name in told:
        assert getattr(getattr(settings, table.lower()), key.lower()) == own / name


@pytest.mark.parametrize("unit", UNITS)
def test_the_sandbox_of_the_unit_is_tight(unit: str, tmp_path: Path) -> None:
    """By systemd's own count of what the service could still reach."""
    done = _systemd(
        "security",
        "--offline=true",
        f"--threshold={MOST_EXPOSED}",
        "--no-pager",
        str(_placed(unit, tmp_path)),
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_every_place_starts_a_command_that_there_is() -> None:
    """Procfile, units, container and manifest."""
    procfile = dict(
        line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line
    )
    assert set(procfile) == {"bridge", "console"}
    started = [line.split() for line in procfile.values()]
    started += [
        re.findall(r"^ExecStart=(.+)$", _read(unit), re.MULTILINE)[0].split() for unit in UNITS
    ]
    container = _read("Containerfile")
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", container, re.MULTILINE)
    (given,) = re.findall(r"^CMD (.+)$", container, re.MULTILINE)
    started.append(msgspec.json.decode(entry, type=list[str]) + msgspec.json.decode(given))
    for command in started:
        assert command[0] in {"muniment", PROGRAM}
        assert _is_command(command[1:]), command


def test_the_container_is_built_from_what_a_clone_has() -> None:
    """It copies our four packages and what building them needs, and runs without root."""
    container = _read("Containerfile")
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", container, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert {"bridge", "connectors", "storage", "config", "pyproject.toml"} <= set(copied)
    assert all((ROOT / each).exists() for each in copied)
    assert re.findall(r"^USER (.+)$", container, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes" in container


def test_the_manifest_starts_one_recorder_that_is_not_root() -> None:
    """Two on one account would answer each other's groups."""
    manifest = msgspec.yaml.decode(_read("kubernetes.yaml"), type=_StatefulSet)
    assert (manifest.kind, manifest.spec.replicas) == ("StatefulSet", 1)
    pod = manifest.spec.template.spec
    assert pod.context.is_not_root
    assert _is_command(pod.containers[0].args)


def test_the_pod_waits_for_the_settings_that_init_makes(tmp_path: Path) -> None:
    """In the folder in which it then runs, which is not the top of the volume."""
    pod = msgspec.yaml.decode(_read("kubernetes.yaml"), type=_StatefulSet).spec.template.spec
    folder = pod.containers[0].folder
    assert f"-- muniment init {folder} " in page("docs/operations.md").text
    assert Path(folder).parent == Path("/data")
    waits = next(each for each in pod.first if each.name == "settings")
    (tmp_path / "muniment.toml").touch()
    command = [each.replace(folder, str(tmp_path)) for each in waits.command]
    assert command != waits.command
    assert subprocess.run(command, check=False, timeout=PATIENCE).returncode == 0


def test_the_ci_example_takes_nothing_that_can_be_moved() -> None:
    """Actions by full commit, images by digest; and what it runs is there."""
    example = _read("ci-example.yml")
    assert "permissions:\n  contents: read\n" in example
    taken = re.findall(r"uses: (\S+) # v\d", example)
    assert taken
    assert len(taken) == example.count("uses:")
    assert all(re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}", each) for each in taken)
    images = re.findall(r"container: (\S+)", example)
    assert all(re.fullmatch(r"[a-z]+:[a-z]+@sha256:[0-9a-f]{64}", each) for each in images)
    jobs = msgspec.yaml.decode(example, type=_Workflow).jobs
    assert all("container" in job for job in jobs.values())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"run: make (\w+)", example):
        assert f"\n{target}:" in makefile
    assert (ROOT / ".ci" / "run").exists()


def test_each_file_is_named_in_the_operators_manual() -> None:
    """With a link, so that it is found."""
    links = set(page("docs/operations.md").links())
    assert {f"deploy/{file.name}" for file in DEPLOY.iterdir() if file.is_file()} <= links
