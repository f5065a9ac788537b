"""``python -m clusterx.supervisor`` as a person sees it: started, stopped, killed, started again, all in one data folder."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from clusterx import keypair
from clusterx.embedded.layout import PROJECT
from clusterx.processes import Process
from clusterx.supervisor import Supervisor, free_port
from tests.stack import Stack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(240)]
NAMES = ("web", "stream", "worker", "trading", "accounts", "backtests", "research", "beat", "venue", "postgres", "redis")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("supervisor") / "clusterx"
    root.parent.chmod(0o755)
    made = Stack(root, FEED="simulated")
    yield made
    if made.process is not None:
        made.kill_everything()
    for left in ours(made):
        left.kill()


@pytest.fixture
def running(stack: Stack) -> Stack:
    """The one stack, started unless a test before has left it running."""
    if stack.process is None or stack.process.poll() is not None:
        stack.start()
    return stack


def ours(stack: Stack) -> list[psutil.Process]:
    """Every process of this data folder, whoever its parent is; not our own."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            named = process.environ().get("CLUSTERX_DATA") == str(stack.layout.root)
            if named or any(str(stack.layout.root) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.pid(name) for name in NAMES}


def run_beside(stack: Stack, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clusterx.supervisor"],
        cwd=PROJECT, env=stack.environment | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def remember(stack: Stack, value: int) -> None:
    with psycopg.connect(stack.layout.database_url, autocommit=True) as connection:
        connection.execute("create table if not exists kept (value int)")
        connection.execute("insert into kept values (%s)", (value,))


def end(stack: Stack, number: signal.Signals) -> None:
    """Signal the supervisor alone, and see that nothing of it is left."""
    assert stack.process is not None
    assert stack.process.stdout is not None
    stack.process.send_signal(number)
    assert stack.process.wait(40) == 0
    stack.reader.join(5)
    stack.process.stdout.close()
    assert [(left.pid, left.cmdline()) for left in ours(stack)] == []
    assert not (stack.layout.root / "supervisor.json").exists()


def test_a_second_run_says_where_the_first_is_and_leaves_it_alone(running: Stack) -> None:
    before = pids(running)
    assert None not in before.values()
    second = run_beside(running, PORT=str(free_port()))
    assert second.returncode == 1
    assert f"ClusterX is already running at {running.url}. Stop that one first" in second.stdout
    assert "Traceback" not in second.stdout + second.stderr
    assert pids(running) == before
    assert running.get("/readyz")[0] == 200


def test_the_trading_worker_and_the_accounts_process_alone_have_the_private_key(running: Stack) -> None:
    """Asked of the kernel, for every process of this data folder but the servers, which have an environment of their own."""
    private = keypair.development_private_key(running.layout)
    trading = psutil.Process(running.pid("trading") or 0)
    accounts = running.pid("accounts")
    family = {trading.pid, accounts, *(child.pid for child in trading.children(recursive=True))}
    holders, others = set(), set()
    for process in ours(running):
        with suppress(psutil.NoSuchProcess):
            (holders if private in process.environ().values() else others).add(process.pid)
    assert {trading.pid, accounts} <= holders
    assert holders <= family
    assert {running.pid(name) for name in NAMES if name not in {"trading", "accounts", "postgres", "redis"}} <= others
    assert not any(private in line for line in running.lines)


@pytest.mark.parametrize("named", [False, True])
def test_private_keys_of_the_environment_go_to_those_that_speak_with_brokers_alone(
    tmp_path: Path, monkeypatch, named: bool
) -> None:
    monkeypatch.setenv("CLUSTERX_DATA", str(tmp_path))
    monkeypatch.delenv("CREDENTIALS_PUBLIC_KEY", raising=False)
    key = keypair.PrivateKey.generate()
    if named:
        monkeypatch.setenv("CREDENTIALS_PUBLIC_KEY", key.public.text)
        monkeypatch.setenv("CREDENTIALS_PRIVATE_KEYS", key.reveal())
    supervisor = Supervisor()
    planned = [*supervisor.plan(), *supervisor.plan(late=True), Process("set-up", ("true",))]
    given = {process.name: supervisor.environment(process) for process in planned}
    assert [name for name in given if "CREDENTIALS_PRIVATE_KEYS" in given[name]] == ["trading", "accounts"]
    (private,) = keypair.private_keys(given["trading"]["CREDENTIALS_PRIVATE_KEYS"])
    assert {environment["CREDENTIALS_PUBLIC_KEY"] for environment in given.values()} == {private.public.text}
    assert (private.id == key.id) is named
    assert (tmp_path / "credentials").exists() is not named
    assert "CREDENTIALS_PRIVATE_KEYS" not in os.environ  # which the servers inherit


def test_in_production_no_pair_is_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CLUSTERX_DATA", str(tmp_path))
    monkeypatch.setenv("CLUSTERX_ENV", "production")
    monkeypatch.delenv("CREDENTIALS_PUBLIC_KEY", raising=False)
    assert Supervisor().credentials() == ("", "")
    assert not (tmp_path / "credentials").exists()


def test_after_kill_nine_a_new_run_ends_what_was_left_and_goes_on(running: Stack) -> None:
    remember(running, 9)
    assert running.process is not None
    left = {process for process in ours(running) if process.name() not in {"postgres", "redis-server"}}
    running.process.kill()
    running.process.wait(10)
    assert running.process.stdout is not None
    left = {process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE}
    assert len(left) >= 5  # so that there is something to end
    running.start()
    assert [process for process in left if process.is_running()] == []
    assert any("left over from a run that was killed" in line for line in running.lines)
    assert (9,) in running.query("select value from kept")
    now = [process.name() for process in ours(running)]
    assert now.count("redis-server") == 1
    assert None not in pids(running).values()


def test_ctrl_c_ends_every_process_and_the_next_start_is_quick_and_has_everything(running: Stack) -> None:
    remember(running, 2)
    end(running, signal.SIGINT)
    began = time.monotonic()
    running.start(ready_within=30)
    assert time.monotonic() - began < 30
    assert (2,) in running.query("select value from kept")


def test_sigterm_ends_every_process(running: Stack) -> None:
    end(running, signal.SIGTERM)


def test_being_stopped_while_the_database_is_prepared_ends_everything(stack: Stack) -> None:
    if stack.process is not None and stack.process.poll() is None:
        end(stack, signal.SIGTERM)
    starting = subprocess.Popen(
        [sys.executable, "-m", "clusterx.supervisor"],
        cwd=PROJECT, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    stack.wait(lambda: stack.pid("set-up"), "the set-up to begin", seconds=30)
    starting.send_signal(signal.SIGTERM)
    said, _ = starting.communicate(timeout=20)
    assert starting.returncode == 0, said
    assert "Stopped" in said
    assert ours(stack) == []


def test_a_port_in_use_is_named_before_anything_is_started(stack: Stack, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = run_beside(stack, PORT=str(port), CLUSTERX_DATA=str(tmp_path / "data"))
    assert run.returncode == 1
    assert f"Port {port} is in use. Choose another: make run PORT={port + 1}" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize("port", ["http", "65536"])
def test_a_port_that_is_none_is_refused_in_a_sentence(stack: Stack, tmp_path: Path, port: str) -> None:
    run = run_beside(stack, PORT=port, CLUSTERX_DATA=str(tmp_path / "data"))
    assert run.returncode == 1
    assert f"PORT must be a number from 1 to 65535, was {port!r}" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("feed", "said"), [("foo", "FEED must be one of auto, recorded"), ("recorded", "There are no recordings in /nowhere")]
)
def test_a_feed_that_cannot_be_is_refused_in_a_sentence(stack: Stack, tmp_path: Path, feed: str, said: str) -> None:
    run = run_beside(stack, FEED=feed, RECORDED_DATA="/nowhere", CLUSTERX_DATA=str(tmp_path / "data"))
    assert run.returncode == 1
    assert said in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_a_process_that_leaves_orphans_is_back_at_once_and_they_are_gone(tmp_path: Path, monkeypatch) -> None:
    """A worker that is killed leaves its pool, which holds its output open for as long as a task takes."""
    monkeypatch.setenv("CLUSTERX_DATA", str(tmp_path))
    orphan = tmp_path / "orphan"
    code = (
        "import subprocess, sys, time; from pathlib import Path\n"
        f"known = Path({str(orphan)!r})\n"
        "if not known.exists():\n"
        "    known.write_text(str(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid))\n"
        "time.sleep(60)"
    )

    async def killed() -> float:
        supervisor = Supervisor()
        supervisor.layout.create()
        keeper = asyncio.create_task(supervisor.keep(Process("worker", (sys.executable, "-c", code))))
        while not (orphan.exists() and orphan.read_text()):
            await asyncio.sleep(0.02)
        first = supervisor.children["worker"]
        began = time.monotonic()
        first.kill()
        while supervisor.children["worker"] is first:
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
        supervisor.stopping.set()
        await supervisor.stop_children()
        await keeper
        await asyncio.gather(*supervisor._echoes)
        return took

    assert asyncio.run(killed()) < 20  # and not the orphan's minute
    left = psutil.Process(int(orphan.read_text())) if psutil.pid_exists(int(orphan.read_text())) else None
    assert left is None or left.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("compiled", [False, True])
def test_what_the_first_chart_needs_is_compiled_while_the_database_is_prepared(tmp_path: Path, monkeypatch, compiled) -> None:
    monkeypatch.setenv("CLUSTERX_DATA", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    (tmp_path / "numba").mkdir()
    if compiled:
        (tmp_path / "numba" / "warmed").touch()
    begun: dict[str, Process] = {}

    async def prepared() -> None:
        supervisor = Supervisor()
        supervisor.layout.create()
        spawn = supervisor.spawn

        def noted(process: Process):
            begun[process.name] = process
            quick = (sys.executable, "-c", "pass") if process.name == "set-up" else process.command
            return spawn(Process(process.name, quick, process.environment))

        monkeypatch.setattr(supervisor, "spawn", noted)
        await supervisor.prepare()
        assert supervisor.children == {}
        await asyncio.gather(*supervisor._echoes)

    asyncio.run(prepared())
    assert list(begun) == (["set-up"] if compiled else ["set-up", "indicators"])
    assert bool(list((tmp_path / "numba").rglob("*.nbi"))) is not compiled
