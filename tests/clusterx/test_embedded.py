"""The embedded servers, started for real in folders of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from clusterx.embedded.layout import LONGEST_SOCKET_FOLDER, PROJECT, Layout
from clusterx.embedded.session import EmbeddedSession


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    layout = Layout(tmp_path / "data")
    yield layout
    session = EmbeddedSession(layout)
    for server in session.servers:
        server.stop()


def session_of(layout: Layout) -> EmbeddedSession:
    return EmbeddedSession(layout, throwaway=True)


def pids(session: EmbeddedSession) -> list[int | None]:
    return [found.pid if (found := server.running()) else None for server in session.servers]


def test_a_long_project_path_moves_the_sockets_to_the_temporary_folder(tmp_path):
    deep = tmp_path / ("x" * 100)
    assert len(str(Layout(deep).sockets)) <= LONGEST_SOCKET_FOLDER
    assert Layout(deep).sockets != Layout(tmp_path / ("y" * 100)).sockets


def test_the_last_user_out_stops_the_servers(layout):
    first, second = session_of(layout), session_of(layout)
    first.open()
    second.open()
    running = pids(first)
    assert None not in running
    first.close()
    assert pids(second) == running
    second.close()
    assert pids(second) == [None, None]


def test_what_was_written_is_there_after_a_restart(layout):
    session = session_of(layout)
    session.open()
    with psycopg.connect(layout.database_url, autocommit=True) as connection:
        connection.execute("create table kept (value int)")
        connection.execute("insert into kept values (42)")
    session.close()
    session.open()
    with psycopg.connect(layout.database_url) as connection:
        assert connection.execute("select value from kept").fetchall() == [(42,)]
    session.close()


def test_killed_servers_are_healed_and_their_stale_files_do_not_matter(layout):
    session = session_of(layout)
    session.open()
    before = pids(session)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert sorted(session.heal()) == ["Postgres", "Redis"]
    after = pids(session)
    assert None not in after
    assert not set(after) & set(before)
    assert session.heal() == []
    session.close()


def test_a_process_number_that_belongs_to_somebody_else_is_not_taken_for_the_server(layout):
    session = session_of(layout)
    session.open()
    session.close()
    (layout.postgres_data / "postmaster.pid").write_text(f"{os.getpid()}\n{layout.postgres_data}\n")
    layout.redis_data.joinpath("redis.pid").write_text(str(os.getpid()))
    assert pids(session) == [None, None]
    session.open()
    assert os.getpid() not in pids(session)
    session.close()


def test_a_user_that_was_killed_does_not_keep_the_servers_up(layout):
    code = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from clusterx.embedded.layout import Layout
        from clusterx.embedded.session import EmbeddedSession
        EmbeddedSession(Layout(Path({str(layout.root)!r})), throwaway=True).open()
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    session = session_of(layout)
    assert None not in pids(session)  # left behind, as the kernel cannot ask anybody to stop them
    session.open()
    session.close()
    assert pids(session) == [None, None]


def test_servers_named_in_the_environment_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    session = EmbeddedSession(Layout(tmp_path / "data"))
    session.open()
    session.close()
    assert not (tmp_path / "data").exists()


def test_a_socket_folder_of_somebody_else_is_refused(layout, monkeypatch):
    session = session_of(layout)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        session.open()
