"""Where the host delegates control groups every jail has one; where it does not, the check says what holds instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strategies.sandbox import cgroups, host, zygotes
from strategies.sandbox.cgroups import CONTROLLERS, Group, NotDelegated, delegated, group
from strategies.sandbox.limits import MEGABYTE, Limits
from strategies.sandbox.pool import Pool
from tests.strategies.sandbox.attempt import LIMITS, bars
from tests.strategies.sandbox.corpus import program

pytestmark = pytest.mark.xdist_group("sandbox")


def refused() -> str:
    """Why this host delegates no group; empty if it does."""
    try:
        delegated()
    except NotDelegated as error:
        return f"{error}; it takes {error.remedy}"
    return ""


def any_hierarchy() -> Path | None:
    """A place of cgroup version 2 where we may make groups, with controllers or without."""
    mounted = cgroups._mounted(Path("/proc/self/mountinfo").read_text())
    return mounted if mounted is not None and os.access(mounted / "cgroup.procs", os.W_OK) else None


NOT_DELEGATED = refused()
HIERARCHY = any_hierarchy()
HONEST = program("pass")


def test_a_jail_is_held_by_its_group_or_the_check_says_that_rlimits_hold_it() -> None:
    with Pool(1, Limits(memory=64 * MEGABYTE)) as pool:
        assert pool.signals(HONEST, bars(), {}).ok
        made = pool._zygotes[0].group
        if NOT_DELEGATED:
            # Most machines of developers and of continuous integration delegate none: what they do instead is held here.
            assert made is None
            assert "rlimits alone hold each run" in host._cgroups().said
            assert pool.signals(program("x = bytearray(900_000_000)"), bars(), {}).reason == "memory"
            return
        assert made is not None
        assert int((made.folder / "memory.max").read_text()) < 700 * MEGABYTE
        assert int((made.folder / "pids.max").read_text()) == 18
        assert (made.folder / "cpu.max").read_text().split() == ["200000", "100000"]
        assert str(pool._zygotes[0].pid) in (made.folder / "cgroup.procs").read_text().split()
    assert not made.folder.exists()


def test_a_jail_lives_in_its_group_and_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without controllers where the host delegates none: who is in it, and that it ends, is the kernel's own.
    if HIERARCHY is None:  # not even a place to make one in: then none is made
        assert NOT_DELEGATED
        return
    monkeypatch.setattr(zygotes, "delegated_group", lambda: HIERARCHY)
    monkeypatch.setattr(zygotes, "group", lambda folder: group(folder, limited=False))
    with Pool(1, LIMITS) as pool, pool.live(HONEST, {}) as _session:
        made = pool._zygotes[0].group
        assert made is not None
        inside = set(map(int, (made.folder / "cgroup.procs").read_text().split()))
        assert pool._zygotes[0].pid in inside
        assert len(inside) >= 2  # the run too
        assert os.getpid() not in inside
        assert pool.signals(HONEST, bars(), {}).ok
    assert not made.folder.exists()
    assert not [pid for pid in inside if Path("/proc", str(pid)).exists()]


def test_groups_of_a_worker_that_was_killed_are_removed() -> None:
    if HIERARCHY is None:
        assert NOT_DELEGATED
        return
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    left, ours = HIERARCHY / f"clusterx-{gone}-0", group(HIERARCHY, limited=False)
    left.mkdir()
    try:
        cgroups._clear(HIERARCHY)
        assert not left.exists()
        assert ours.folder.exists()
    finally:
        ours.close()
    assert not ours.folder.exists()


def test_a_group_has_room_for_what_runs_and_only_grows(tmp_path: Path) -> None:
    made = Group(tmp_path)

    def written() -> tuple[str, ...]:
        return tuple((tmp_path / name).read_text() for name in ("memory.max", "pids.max", "cpu.max"))

    made.allow(1, 64 * MEGABYTE)
    assert written() == (str((512 + 80) * MEGABYTE), "18", "200000 100000")
    made.allow(3, 16 * MEGABYTE)
    grown = (str((512 + 240) * MEGABYTE), "22", "400000 100000")
    assert written() == grown
    made.allow(1, 16 * MEGABYTE)
    assert written() == grown


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("0::/\n", "topmost control group"),
        ("9:name=systemd:/\n", "no cgroup version 2"),
        ("0::/system.slice/worker.service\n", "the control group above ours is not delegated to us"),
    ],
)
def test_a_host_that_delegates_nothing_says_why(monkeypatch: pytest.MonkeyPatch, own: str, message: str) -> None:
    monkeypatch.delenv(cgroups.SETTING, raising=False)
    mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
    files = {"/proc/self/mountinfo": mounts, "/proc/self/cgroup": own}
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, *a, **k: files.get(str(self)) or read(self, *a, **k))
    with pytest.raises(NotDelegated, match=message) as refused:
        delegated()
    assert "DelegateSubgroup" in refused.value.remedy
    layer = host._cgroups()
    assert (layer.there, layer.needed) == (False, False)
    assert "rlimits alone hold each run" in layer.said


def test_a_group_without_controllers_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu io\n")
    monkeypatch.setenv(cgroups.SETTING, str(tmp_path))
    with pytest.raises(NotDelegated, match="has no controller memory, pids"):
        delegated()


def test_a_group_that_nobody_can_enter_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        (tmp_path / name).write_text(" ".join(CONTROLLERS))
    monkeypatch.setenv(cgroups.SETTING, str(tmp_path))
    monkeypatch.setattr(Group, "entrance", str(tmp_path / "missing" / "cgroup.procs"))
    monkeypatch.setattr(cgroups, "CLEARING", 0.0)
    with pytest.raises(NotDelegated, match="no process of ours can enter"):
        delegated()
