"""``make run``: the embedded servers and every process of ClusterX under one roof.

    python -m clusterx.supervisor

Starts PostgreSQL and Redis (unless DATABASE_URL and REDIS_URL name others), prepares the database, starts the
processes, says when the site is ready, restarts whatever dies, and stops everything on Ctrl-C or SIGTERM. Loads no
Django.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from clusterx import keypair, processes
from clusterx.compiled import WARMED
from clusterx.embedded.layout import PROJECT, Layout
from clusterx.embedded.server import EmbeddedServerError
from clusterx.embedded.session import EmbeddedSession
from clusterx.processes import ENVIRONMENT, FEEDS, Process

COLOURS = {
    "web": 36, "stream": 32, "worker": 35, "trading": 35, "backtests": 35, "research": 35, "accounts": 31, "beat": 33,
    "venue": 34, "servers": 90, "set-up": 90, "indicators": 90,
}  # fmt: skip
INDICATORS = "import marketdata.indicators.registry"
LONGEST_PAUSE = 15.0
PATIENCE = 12.0
LEFT_OVER_PATIENCE = 6.0


class CannotStart(Exception):
    """The message says why and what to do."""


def say(name: str, line: str) -> None:
    prefix = f"{name:>9} │ "
    if sys.stdout.isatty():
        prefix = f"\x1b[{COLOURS.get(name, 37)}m{prefix}\x1b[0m"
    with suppress(OSError):  # the terminal was closed; what runs goes on, and is stopped in order
        sys.stdout.write(f"{prefix}{line}\n")
        sys.stdout.flush()


def feed_in_use() -> str:
    """FEED, with ``auto`` resolved: recordings where they are, else the simulation.

    Raises CannotStart for a feed that does not exist, and for recordings that are not there.
    """
    feed = os.environ.get("FEED") or "auto"
    if feed not in FEEDS:
        raise CannotStart(f"FEED must be one of {', '.join(FEEDS)}, was {feed!r}")
    recordings = Path(os.environ.get("RECORDED_DATA") or PROJECT.parent / "shared" / "data")
    recorded = (recordings / "MANIFEST.tsv").exists()
    if feed == "recorded" and not recorded:
        raise CannotStart(f"There are no recordings in {recordings}. Set RECORDED_DATA, or choose: make run FEED=simulated")
    if feed != "auto":
        return feed
    return "recorded" if recorded else "simulated"


def port_in_use() -> int:
    """PORT.

    Raises CannotStart when it is none.
    """
    text = os.environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise CannotStart(f"PORT must be a number from 1 to 65535, was {text!r}")
    return int(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Supervisor:
    def __init__(self) -> None:
        self.layout = Layout.from_environment()
        self.session = EmbeddedSession(self.layout)
        self.port = port_in_use()
        self.host = os.environ.get("HOST", "127.0.0.1")
        self.feed = feed_in_use()
        self._private_keys = os.environ.pop(keypair.PRIVATE_SETTING, "")  # the servers inherit our environment
        self.stopping = asyncio.Event()
        self.children: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._echoes: set[asyncio.Task[None]] = set()
        self._lock: IO[str] | None = None

    # -- before and after -------------------------------------------------------------------------------------

    @property
    def state_file(self) -> Path:
        return self.layout.root / "supervisor.json"

    def claim(self) -> None:
        """Be the only supervisor of this data folder, and end what a killed one left behind."""
        self.layout.create()
        self._lock = (self.layout.root / "supervisor.lock").open("a")
        state = {}
        with suppress(FileNotFoundError, ValueError):
            state = json.loads(self.state_file.read_text())
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = f" at http://{state['host']}:{state['port']}" if state else ""
            raise CannotStart(f"ClusterX is already running{where}. Stop that one first (Ctrl-C there).") from None
        self.end_left_over(state.get("children", {}))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                used = error.errno == errno.EADDRINUSE
                why = f"Port {self.port} is in use" if used else f"Cannot listen on {self.host}:{self.port} ({error.strerror})"
                other = self.port + 1 if 1024 <= self.port < 65535 else 8001
                raise CannotStart(f"{why}. Choose another: make run PORT={other}") from None

    def end_left_over(self, children: dict[str, tuple[int, float]]) -> None:
        """End the processes of a run that was killed, all at once, and then whatever is left of their sessions."""
        asked = []
        for name, (pid, started) in children.items():
            with suppress(psutil.Error):
                found = psutil.Process(pid)
                if abs(found.create_time() - started) < 1:
                    say("set-up", f"Ending {name} ({pid}), left over from a run that was killed")
                    found.terminate()
                    asked.append(found)
        psutil.wait_procs(asked, timeout=LEFT_OVER_PATIENCE)
        sessions = {pid for pid, _ in children.values()}
        deaf = []
        for found in psutil.process_iter():  # a worker's pool outlives a worker that was killed
            with suppress(psutil.Error, OSError):
                if os.getsid(found.pid) in sessions and found.environ().get("CLUSTERX_DATA") == str(self.layout.root):
                    found.kill()
                    deaf.append(found)
        psutil.wait_procs(deaf, timeout=LEFT_OVER_PATIENCE)

    def remember(self) -> None:
        """Write down who our children are, for the next start should we be killed."""
        children = {}
        for name, child in self.children.items():
            if child.returncode is None:
                with suppress(psutil.Error):
                    children[name] = (child.pid, psutil.Process(child.pid).create_time())
        fresh = self.state_file.with_suffix(".new")
        fresh.write_text(json.dumps({"host": self.host, "port": self.port, "children": children}))
        fresh.replace(self.state_file)

    # -- the processes ----------------------------------------------------------------------------------------

    def plan(self, *, late: bool = False) -> list[Process]:
        """What is kept running; ``late``: what begins when the site is ready."""
        market, trading, *others = processes.workers()
        if late:
            return others
        planned = [processes.web(self.host, self.port), processes.stream(), market, trading]
        planned += [processes.accounts(), processes.beat()]
        return [processes.venue(), *planned] if self.feed in {"recorded", "simulated"} else planned

    def credentials(self) -> tuple[str, str]:
        """The public key, and the private ones: those of our environment, else this data folder's own pair."""
        public = os.environ.get(keypair.PUBLIC_SETTING, "")
        if public or self._private_keys or os.environ.get("CLUSTERX_ENV") == "production":
            return public, self._private_keys
        return keypair.development_public_key(self.layout), keypair.development_private_key(self.layout)

    def environment(self, process: Process) -> dict[str, str]:
        public, private = self.credentials()
        fixed = {
            "PORT": str(self.port),
            "FEED": self.feed,
            "PYTHONUNBUFFERED": "1",
            "CLUSTERX_DATA": str(self.layout.root),
            "PROMETHEUS_MULTIPROC_DIR": str(self.layout.metrics),
            keypair.PUBLIC_SETTING: public,
        }
        keys = {keypair.PRIVATE_SETTING: private} if process.opens_credentials else {}
        return os.environ | fixed | process.environment | keys

    async def prepare(self) -> None:
        """Migrate and fill the database, unless we are told to stop meanwhile."""
        shutil.rmtree(self.layout.metrics, ignore_errors=True)  # counts begin anew, as after any restart
        self.layout.metrics.mkdir()
        if self.stopping.is_set():
            return
        child = await self.spawn(Process("set-up", (sys.executable, "manage.py", "prepare", "--demo")))
        children = [child]
        if not (self.layout.machine_code / WARMED).exists():  # the first chart would wait for what is compiled here
            place = {"NUMBA_CACHE_DIR": str(self.layout.machine_code)}
            children.append(await self.spawn(Process("indicators", (sys.executable, "-c", INDICATORS), ENVIRONMENT | place)))
        ended = asyncio.create_task(asyncio.wait([asyncio.create_task(self.over(one)) for one in children]))
        told = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, told):
            task.cancel()
        if self.stopping.is_set():
            return
        if child.returncode:
            raise CannotStart("The database could not be prepared; the lines above say why.")
        for name in ("set-up", "indicators"):
            self.children.pop(name, None)

    async def spawn(self, process: Process) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *process.command,
            cwd=PROJECT,
            env=self.environment(process),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop them in order
            limit=1 << 20,
        )
        self.children[process.name] = child
        self.remember()
        self._echoes.add(asyncio.create_task(self.echo(process.name, child)))
        return child

    async def over(self, child: asyncio.subprocess.Process) -> int:
        """The exit code of a child, as soon as it has one.

        Not ``child.wait()``, which also waits for its output to end: orphans that it leaves hold that open for minutes.
        """
        while child.returncode is None:
            await asyncio.sleep(0.05)
        return child.returncode

    async def echo(self, name: str, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:  # a line beyond the limit
                continue
            if not line:
                return
            say(name, line.decode(errors="replace").rstrip())

    async def keep(self, process: Process) -> None:
        """Run a process for as long as we run, with growing pauses when it keeps dying."""
        pause = 0.5
        while not self.stopping.is_set():
            started = time.monotonic()
            child = await self.spawn(process)
            code = await self.over(child)
            if self.stopping.is_set():
                return
            with suppress(ProcessLookupError):  # workers of a pool that lost its head would go on beside the new one
                os.killpg(child.pid, signal.SIGKILL)
            pause = 0.5 if time.monotonic() - started > 30 else min(pause * 2, LONGEST_PAUSE)
            say(process.name, f"ended ({code}); again in {pause:.0f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)

    async def keep_servers(self) -> None:
        while not self.stopping.is_set():
            try:
                for name in await asyncio.to_thread(self.session.heal):
                    say("servers", f"{name} had died and is back")
            except EmbeddedServerError as error:
                say("servers", str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 0.5)

    async def announce(self) -> None:
        """Say that the site is ready once it answers so itself. Who can wait is started then: processors are few."""
        while not self.stopping.is_set():
            if await self.site_answers():
                late = self.plan(late=True)
                self._keepers += [asyncio.create_task(self.keep(process)) for process in late]
                while not self.stopping.is_set() and any(process.name not in self.children for process in late):
                    await asyncio.sleep(0.02)
                say("web", f"ClusterX is ready: http://{self.host}:{self.port}  (feed: {self.feed})")
                say(
                    "web",
                    "Sign in as demo@clusterx.example / demo-clusterx, or staff@clusterx.example / staff-clusterx",
                )
                return
            await asyncio.sleep(0.2)

    async def site_answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            writer.write(f"GET /readyz HTTP/1.0\r\nHost: {self.host}\r\n\r\n".encode())
            status = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
        except (OSError, TimeoutError):
            return False
        return b" 200 " in status

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stopping.set)
        try:
            self.claim()
            if os.environ.get("LOCAL_VENUE_URL") is None and self.feed in {"recorded", "simulated"}:
                os.environ["LOCAL_VENUE_URL"] = f"http://127.0.0.1:{free_port()}"
            await asyncio.to_thread(self.session.open)
            await self.prepare()
            self._keepers += [asyncio.create_task(self.keep(process)) for process in self.plan()]
            self._keepers += [asyncio.create_task(self.keep_servers()), asyncio.create_task(self.announce())]
            await self.stopping.wait()
            say("set-up", "Stopping")
        except (CannotStart, EmbeddedServerError) as error:
            say("set-up", str(error))
            return 1
        finally:
            self.stopping.set()
            for task in self._keepers:
                task.cancel()
            await asyncio.gather(*self._keepers, return_exceptions=True)  # first, so that none is starting a process
            await self.stop_children()
            await asyncio.gather(*self._echoes, return_exceptions=True)
            await asyncio.to_thread(self.session.close)
            if self._lock is not None and self._keepers:
                self.state_file.unlink(missing_ok=True)
        say("set-up", "Stopped")
        return 0

    async def stop_children(self) -> None:
        alive = [child for child in self.children.values() if child.returncode is None]
        for child in alive:
            with suppress(ProcessLookupError):
                child.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for child in alive:
                    await self.over(child)
        for child in alive:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # the session of its own: pool workers go with it


def main() -> int:
    try:
        supervisor = Supervisor()
    except CannotStart as error:
        say("set-up", str(error))
        return 1
    return asyncio.run(supervisor.run())


if __name__ == "__main__":
    sys.exit(main())
