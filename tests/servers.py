"""Real database servers for tests, on loopback only: each is made when first asked for and gone at the end."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

START_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and who may do anything there."""

    port: int
    user: str
    password: str
    folder: Path

    def url(self, scheme: str, database: str) -> str:
        return f"{scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    """Until the server takes connections."""
    until = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def unprivileged(*names: str) -> str | None:
    """Who runs a server that refuses to run as root; nobody else where we are not root."""
    if os.getuid():
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in (*names, "nobody") if name in known)


def postgresql_initdb() -> Path | None:
    """What makes a PostgreSQL; its other programs lie beside it."""
    found = shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return next((Path(each).resolve() for each in found if each), None)


@contextlib.contextmanager
def postgresql_server(*settings: str, standby: bool = False) -> Iterator[Server]:
    """A PostgreSQL of its own, with passwords asked for; skips where there is none.

    `settings` are more of its settings ("max_prepared_transactions=5"); a `standby` waits for a primary for ever.
    """
    initdb = postgresql_initdb()
    if initdb is None:
        pytest.skip("no PostgreSQL here: install Debian's postgresql")
    user, port = unprivileged("postgres"), free_port()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        secret, log = folder / "secret", folder / "log"
        secret.write_text("s3cret-of-tests\n", encoding="utf-8")
        if user:
            for path in (folder, secret):
                shutil.chown(path, user)
        subprocess.run(
            [initdb, "-D", folder / "data", "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder,
        )  # fmt: skip
        if standby:
            (folder / "data" / "standby.signal").touch()
        here = (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
        with log.open("wb") as written:
            process = subprocess.Popen(
                [initdb.with_name("postgres"), "-D", folder / "data", *(f"--{each}" for each in (*here, *settings))],
                stdout=written, stderr=written, user=user, cwd=folder,
            )  # fmt: skip
        try:
            ready = [initdb.with_name("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_for(process, log, lambda: subprocess.run(ready, check=False).returncode == 0)
            yield Server(port, "owner", "s3cret-of-tests", folder)
        finally:
            process.send_signal(2)  # its fast shutdown: it does not wait for clients
            process.wait(START_S)


@contextlib.contextmanager
def mariadb_server() -> Iterator[Server]:
    """A MariaDB of its own; skips where there is none."""
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/libexec")
    if server is None or shutil.which("mariadb-install-db") is None:
        pytest.skip("no MariaDB here: install Debian's mariadb-server")
    user, port = unprivileged("mysql"), free_port()
    with tempfile.TemporaryDirectory(prefix="maria-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        begin, log = folder / "begin.sql", folder / "log"
        begin.write_text(
            "create user owner@'127.0.0.1' identified by 's3cret-of-tests';\n"
            "grant all on *.* to owner@'127.0.0.1' with grant option;\n"
            "create database shop character set utf8mb4;\n",
            encoding="utf-8",
        )
        if user:
            shutil.chown(folder, user)
            shutil.chown(begin, user)
        where = ["--no-defaults", f"--datadir={folder}/data"]
        subprocess.run(
            ["mariadb-install-db", *where, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder,
        )  # fmt: skip
        with log.open("wb") as written:
            process = subprocess.Popen(
                [server, *where, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket",
                 "--skip-name-resolve", f"--pid-file={folder}/pid", f"--init-file={begin}",
                 "--innodb-flush-log-at-trx-commit=0"],
                stdout=written, stderr=written, user=user, cwd=folder,
            )  # fmt: skip
        try:
            wait_for(process, log, lambda: listens(port))
            yield Server(port, "owner", "s3cret-of-tests", folder)
        finally:
            process.terminate()
            process.wait(START_S)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One PostgreSQL for all tests of a process; a test makes its own tables and drops them."""
    with postgresql_server("max_prepared_transactions=5") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """One MariaDB for all tests of a process."""
    with mariadb_server() as server:
        yield server
