"""The whole product as ``make run`` starts it, for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from clusterx.embedded.layout import PROJECT, Layout
from clusterx.supervisor import free_port

WORKERS = ("worker", "trading", "backtests", "research")


class Stack:
    """One supervised ClusterX in a data folder of its own."""

    def __init__(self, root: Path, **environment: str) -> None:
        self.layout = Layout(root)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "REDIS_URL", "REDIS_FIRST_DATABASE", "CLUSTERX_TEST_DATA", "CREDENTIALS_PUBLIC_KEY"}
        }
        self.environment = inherited | {"CLUSTERX_DATA": str(root), "PORT": str(self.port)} | environment
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, ready_within: float = 120) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clusterx.supervisor"],
            cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        ready: queue.Queue[bool] = queue.Queue()

        def read() -> None:
            assert self.process is not None
            assert self.process.stdout is not None
            for line in self.process.stdout:
                self.lines.append(line.rstrip())
                if "ClusterX is ready" in line:
                    ready.put(True)
            ready.put(False)

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        try:
            assert ready.get(timeout=ready_within)
        except (queue.Empty, AssertionError):
            self.kill_everything()
            raise AssertionError("ClusterX did not become ready:\n" + "\n".join(self.lines[-60:])) from None

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return the supervisor's exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(45)
        finally:
            self.kill_everything()
        self.reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill_everything(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait(10)
        for pid in filter(None, (self.pid(name) for name in ("postgres", "redis"))):
            psutil.Process(pid).kill()

    def pid(self, name: str) -> int | None:
        """The process number of ``postgres``, ``redis`` or a supervised process; None while it is down."""
        files = {
            "postgres": self.layout.postgres_data / "postmaster.pid",
            "redis": self.layout.redis_data / "redis.pid",
        }
        try:
            if name in files:
                found = int(files[name].read_text().split()[0])
            else:
                found = json.loads((self.layout.root / "supervisor.json").read_text())["children"][name][0]
            return found if psutil.Process(found).status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, KeyError, IndexError, psutil.Error):
            return None

    def kill(self, name: str) -> None:
        """kill -9, workers' children included, and wait until another one runs."""
        pid = self.pid(name)
        assert pid is not None, name
        family = psutil.Process(pid).children(recursive=True) if name in WORKERS else []
        os.kill(pid, signal.SIGKILL)
        for child in family:
            child.kill()
        self.wait(lambda: self.pid(name) not in {None, pid}, f"{name} to come back", seconds=40)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.layout.database_url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=15) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def wait(self, condition: Callable[[], Any], what: str, *, seconds: float = 60) -> Any:
        """Poll until ``condition`` holds and return what it returned; errors on the way count as not yet."""
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except (OSError, psycopg.Error) as error:
                last = error
            time.sleep(0.1)
        tail = "\n".join(self.lines[-40:])
        raise AssertionError(f"waited {seconds:.0f} s for {what} (last error: {last}). The log's end:\n{tail}")
