"""`muniment console` and `run --console`, as whoever runs them starts them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bridge.demo.ports import free_ports
from tests.acceptance.program import muniment, override, stderr_of
from tests.patience import PATIENCE, ended, until

PASSWORD = "a very long password"


@pytest.fixture
def place(config: Path) -> str:
    """Where the console of ``config`` is to listen."""
    port = free_ports(1)[0]
    override(config, "127.0.0.1:8080", f"127.0.0.1:{port}")
    return f"127.0.0.1:{port}"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a password, as an editor leaves it, for its owner alone."""
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD + "\n")
    return file


class Visitor:
    """A browser that treats this machine as a secure place, as real ones do."""

    def __init__(self, place: str) -> None:
        self._base = f"http://{place}"
        self._cookies: dict[str, str] = {}
        self.text = ""

    def ask(self, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """GET, or POST of a form with the token of the last page."""
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        data = None
        if fields is not None:
            found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.text)
            assert found
            data = {"csrf": found[1], **fields}
        answer = httpx.request(
            "GET" if fields is None else "POST",
            self._base + path,
            data=data,
            headers={"cookie": cookie},
            timeout=PATIENCE,
            trust_env=False,
        )
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition("=")
            self._cookies[name] = value.partition(";")[0]
        self.text = answer.text
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> int:
        """Fill in the form."""
        self.ask("/sign-in")
        return self.ask("/sign-in", {"username": name, "password": password}).status_code


@contextmanager
def served(
    config: Path, place: str, *verb: str, answers: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """A verb in the background, once its console answers; SIGTERM must end it."""
    command = [sys.executable, "-m", "bridge", *verb, "--config", str(config)]
    with (
        stderr_of(config).open("wb") as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as child,
    ):
        try:
            if answers:
                wait_for(place, child)
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            ended(child)
    assert "Traceback" not in stderr_of(config).read_text()


def wait_for(place: str, child: subprocess.Popen[bytes]) -> None:
    """Until somebody answers there."""

    def answers() -> bool:
        try:
            httpx.get(f"http://{place}/sign-in", trust_env=False)
        except httpx.TransportError:
            return False
        return True

    until(lambda: child.poll() is not None or answers())
    assert child.poll() is None, "the console does not answer"


def given(config: Path, secret: Path) -> tuple[str, ...]:
    """What every account is made with."""
    return "--password-file", str(secret), "--config", str(config)


def create(config: Path, secret: Path, *arguments: str) -> None:
    """An account."""
    made = muniment(
        "console",
        "create-user",
        *arguments,
        "--password-file",
        str(secret),
        "--config",
        str(config),
    )
    assert made.code == 0, made.err


def test_the_console_starts_before_anybody_and_anything_is_there(
    config: Path, place: str, secret: Path
) -> None:
    """Its page says how to make an account, and later what is missing still."""
    visitor = Visitor(place)
    with served(config, place, "console") as child:
        assert f"console on http://{place}/" in stderr_of(config).read_text()
        assert "muniment console create-user" in visitor.ask("/sign-in").text
        create(config, secret, "jo", "--role", "records_manager")
        assert visitor.sign_in("jo", "another password") == 401
        assert visitor.sign_in("jo") == 303
        answer = visitor.ask("/groups")
        assert answer.status_code in {200, 503}
        assert "muniment run" in answer.text or "catalog" in answer.text
        headers = {"host": "evil.example"}
        evil = httpx.get(f"http://{place}/", headers=headers, trust_env=False, timeout=PATIENCE)
        assert evil.status_code == 421
        changed = muniment("console", "change-user", "jo", "--disable", "--config", str(config))
        assert changed.code == 0, changed.err
        assert visitor.ask("/groups").headers["location"] == "/sign-in"
        child.send_signal(signal.SIGTERM)
        assert ended(child) == 0
    listed = muniment("console", "users", "--config", str(config))
    assert "jo" in listed.err
    assert "disabled" in listed.err


def test_run_serves_the_console_beside_the_recording(
    config: Path, place: str, secret: Path
) -> None:
    """In one process, which ends in order while somebody holds a connection."""
    create(config, secret, "jo", "--role", "reader", "--role", "reviewer", "--group", "0" * 16)
    visitor = Visitor(place)
    with served(config, place, "run", "--console") as child:
        assert visitor.sign_in("jo") == 303
        assert visitor.ask("/prove").status_code == 200
        with socket.create_connection(tuple_of(place)):
            child.send_signal(signal.SIGTERM)
            assert ended(child) == 0


def tuple_of(place: str) -> tuple[str, int]:
    """Host and port as a socket takes them."""
    host, _, port = place.rpartition(":")
    return host, int(port)


def status_of(config: Path) -> str:
    """What ``status`` says. ``run`` writes what it reads after it has told an alarm."""
    return muniment("status", "--json", "--config", str(config)).out


def test_a_busy_port_stops_the_console_and_not_the_recording(config: Path, place: str) -> None:
    """`console` ends with the reason; `run --console` raises an alarm, and serves once it can."""
    with socket.create_server(tuple_of(place)):
        ended = muniment("console", "--config", str(config))
        assert ended.code == 2
        assert f"[service] console {place} cannot be listened on" in ended.err
        assert "Traceback" not in ended.err
        with served(config, place, "run", "--console", answers=False) as child:
            alarm = "ALARM The console is not served"
            until(lambda: child.poll() is not None or alarm in stderr_of(config).read_text())
            assert child.poll() is None
            until(lambda: "The console is not served" in status_of(config))
    with served(config, place, "run", "--console"):
        pass


@pytest.mark.parametrize("verb", [("console",), ("run", "--console")])
def test_local_accounts_are_not_offered_to_other_machines(config: Path, verb: tuple[str]) -> None:
    """The program says so, with the remedy, before anything starts."""
    override(config, 'console = "127.0.0.1:8080"', 'console = "0.0.0.0:8080"')
    ended = muniment(*verb, "--config", str(config))
    assert ended.code == 2
    assert "sign in on this one only" in ended.err
    assert "oidc_issuer" in ended.err
    assert "Traceback" not in ended.err


def test_roles_of_the_provider_must_be_ours(config: Path) -> None:
    """A slip in the mapping would otherwise lock people out, or in."""
    override(
        config,
        'hosts = ["127.0.0.1", "localhost"]',
        'hosts = ["localhost"]\noidc_issuer = "https://login.example.org"\noidc_client_id = "m"',
    )
    override(config, "oidc_roles = []", 'oidc_roles = ["Staff=boss"]')
    ended = muniment("console", "--config", str(config))
    assert ended.code == 2
    assert "'boss' is no role" in ended.err


def test_what_makes_no_account_is_refused(config: Path, secret: Path) -> None:
    """With the remedy, and without a traceback."""
    arguments = ("console", "create-user", "jo", "--role", "auditor", "--role", "reader")
    ended = muniment(*arguments, *given(config, secret))
    assert ended.code == 2
    assert "auditor sees no content" in ended.err
    assert "Traceback" not in ended.err


def test_a_password_comes_from_a_file_that_can_be_read(config: Path, tmp_path: Path) -> None:
    """And stands in no list of processes."""
    arguments = ("console", "create-user", "jo", "--role", "reader")
    ended = muniment(*arguments, *given(config, tmp_path))
    assert (ended.code, "cannot be read" in ended.err) == (2, True)
    assert "Traceback" not in ended.err
    assert muniment("console", "change-user", "jo", "--config", str(config)).code == 2
