"""A Ceph cluster of one disk with its S3 gateway: a store that checks signatures and keeps locks.

Cephx stays on: without it the gateway never connects. Every daemon ends with the test process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from bridge.demo.ports import free_ports
from tests.patience import PATIENCE

PROGRAMS = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-authtool", "monmaptool", "radosgw")
WRITER = "writer"

CONF = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = {folder}/keyring
run_dir = {folder}
admin_socket =
crash_dir = {folder}/crash
log_file = {folder}/log/$name.log
mon_cluster_log_file = {folder}/log/cluster.log
mon_data = {folder}/mon
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mgr_data = {folder}/mgr
mgr_initial_modules =
osd_data = {folder}/osd
osd_objectstore = bluestore
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_memory_target = 939524096
bluestore_block_size = 2147483648
rgw_frontends = beast endpoint=127.0.0.1:{http}
rgw_thread_pool_size = 32
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CephGateway:
    """Where the gateway answers, and two users it knows: the first makes buckets of its own.

    The other, ``WRITER``, may nothing but what a bucket's policy allows it.
    """

    endpoint_url: str
    access_key: str
    secret_key: str
    writer_access_key: str
    writer_secret_key: str


def missing_programs() -> tuple[str, ...]:
    """The programs of the cluster that are not installed."""
    return tuple(name for name in (*PROGRAMS, "radosgw-admin") if shutil.which(name) is None)


@dataclass(slots=True)
class _Cluster:
    """The processes of one cluster, newest last."""

    folder: Path
    http: int
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    output: list[IO[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self.folder / "ceph.conf"), "CEPH_ARGS": ""}

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} exited {done.returncode}: {said}")

    def start(self, *command: str) -> None:
        output = (self.folder / "log" / f"{command[0]}.out").open("wb")
        self.output.append(output)
        # A killed test process leaves no daemon behind: the kernel ends them with it.
        self.daemons.append(
            subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", *command),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        )

    def stop(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=3)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for output in self.output:
            output.close()

    def wait_for_gateway(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.daemons[-1].poll() is not None:
                raise RuntimeError(f"radosgw ended at once; see {self.folder}/log")
            try:
                socket.create_connection(("127.0.0.1", self.http), timeout=1).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise RuntimeError(f"radosgw did not answer in {PATIENCE:.0f} s; see {self.folder}/log")


def _write_keyring(cluster: _Cluster) -> None:
    everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
    for number, name in enumerate(("mon.", "client.admin", "osd.0", "mgr.x")):
        create = ("--create-keyring",) if number == 0 else ()
        cluster.run("ceph-authtool", *create, "keyring", "--gen-key", "-n", name, *everything)


def _start_monitor(cluster: _Cluster, fsid: str, mon1: int, mon2: int) -> None:
    address = f"[v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]"
    cluster.run(
        "monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, "--enable-all-features",
        "--set-min-mon-release", "pacific", "monmap",
    )  # fmt: skip
    cluster.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
    cluster.start("ceph-mon", "-f", "-i", "a")


def _start_disk(cluster: _Cluster) -> None:
    disk = str(uuid.uuid4())
    cluster.run("ceph", "osd", "new", disk, "0")
    cluster.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk)
    cluster.start("ceph-osd", "-f", "-i", "0")


def _make_user(cluster: _Cluster, name: str, access_key: str, secret_key: str) -> None:
    cluster.run(
        "radosgw-admin", "user", "create", "--uid", name, "--display-name", name,
        "--access-key", access_key, "--secret-key", secret_key,
    )  # fmt: skip


@contextmanager
def ceph_gateway(folder: Path) -> Iterator[CephGateway]:
    """A cluster in ``folder`` for as long as the block lasts. About 18 s to ready."""
    mon1, mon2, http = free_ports(3)
    cluster = _Cluster(folder=folder, http=http)
    for name in ("log", "crash", "mon", "mgr", "osd"):
        (folder / name).mkdir(parents=True)
    fsid = str(uuid.uuid4())
    conf = CONF.format(fsid=fsid, mon1=mon1, mon2=mon2, http=http, folder=folder)
    (folder / "ceph.conf").write_text(conf)
    user = CephGateway(
        endpoint_url=f"http://127.0.0.1:{http}",
        access_key="recorder",
        secret_key="a secret of the test cluster",
        writer_access_key=WRITER,
        writer_secret_key="another secret of the test cluster",
    )
    try:
        _write_keyring(cluster)
        _start_monitor(cluster, fsid, mon1, mon2)
        cluster.start("ceph-mgr", "-f", "-i", "x")
        _start_disk(cluster)
        _make_user(cluster, "recorder", user.access_key, user.secret_key)
        _make_user(cluster, WRITER, user.writer_access_key, user.writer_secret_key)
        cluster.start("radosgw", "-f", "-n", "client.admin")
        cluster.wait_for_gateway()
        yield user
    finally:
        cluster.stop()


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@contextmanager
def shared_ceph_gateway(folder: Path) -> Iterator[CephGateway]:
    """One cluster for all test processes that name the same ``folder`` at the same time.

    Who comes first starts it, and stops it when the others are done: they hold a shared lock.
    """
    folder.mkdir(exist_ok=True)
    known, door, users = folder / "known.json", folder / "door", folder / "users"
    with ExitStack() as stack:
        with _locked(door, fcntl.LOCK_EX):
            owner = not known.exists()
            if owner:
                gateway = stack.enter_context(ceph_gateway(folder / uuid.uuid4().hex))
                known.write_text(json.dumps(asdict(gateway)))
            else:
                stack.enter_context(_locked(users, fcntl.LOCK_SH))
                gateway = CephGateway(**json.loads(known.read_text()))
        try:
            yield gateway
        finally:
            if owner:
                with _locked(door, fcntl.LOCK_EX):
                    known.unlink()
                with _locked(users, fcntl.LOCK_EX):
                    pass
