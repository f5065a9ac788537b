"""Images that nobody needs go; those that somebody uses stay, whichever process that is."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from clusterx.embedded.layout import PROJECT
from strategies.sandbox import images
from strategies.sandbox.image import PACKAGES
from tests.strategies.sandbox.attempt import until

KEYS = [f"{number:016x}" for number in range(4)]


def made(base: Path) -> Callable[[], None]:
    def make() -> None:
        (base / "code").mkdir()
        (base / images.READY).write_text("[]")

    return make


def shelf(folder: Path, count: int = 4) -> list[Path]:
    """Images that nobody holds, the oldest first."""
    bases = [folder / key for key in KEYS[:count]]
    for age, base in enumerate(reversed(bases)):
        os.close(images.hold(base, made(base)))
        os.utime(base / images.READY, (1e9 - age, 1e9 - age))
    return bases


def test_all_go_but_the_one_in_use_and_the_newest_other(tmp_path: Path) -> None:
    oldest, older, newest, used = shelf(tmp_path)
    assert set(images.sweep(tmp_path, used)) == {oldest, older}
    assert set(tmp_path.iterdir()) == {newest, used}


def test_one_that_is_held_stays_until_it_is_let_go(tmp_path: Path) -> None:
    oldest, _, _, used = shelf(tmp_path)
    held = images.hold(oldest, made(oldest))
    images.sweep(tmp_path, used)
    assert (oldest / images.READY).exists()
    os.close(held)
    assert images.sweep(tmp_path, used) == [oldest]


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    oldest, _, _, used = shelf(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from strategies.sandbox import images\n"
        "held = images.hold(Path(sys.argv[1]), lambda: None); print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(oldest)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == b"held\n"
        assert oldest not in images.sweep(tmp_path, used)
        holder.kill()
    assert images.sweep(tmp_path, used) == [oldest]


def test_what_was_made_by_an_older_version_goes_after_a_while(tmp_path: Path) -> None:
    *_, used = shelf(tmp_path, 3)
    unmarked = tmp_path / KEYS[3]
    (unmarked / "code").mkdir(parents=True)
    assert unmarked not in images.sweep(tmp_path, used)
    os.utime(unmarked, (1e9, 1e9))
    assert images.sweep(tmp_path, used) == [unmarked]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    *_, used = shelf(tmp_path, 1)
    (tmp_path / "notes").mkdir()
    (tmp_path / "cafe").write_text("")
    assert images.sweep(tmp_path, used) == []
    assert {one.name for one in tmp_path.iterdir()} == {"notes", "cafe", used.name}


def test_whoever_waits_for_an_image_that_is_removed_makes_it_again(tmp_path: Path) -> None:
    *_, base = shelf(tmp_path, 1)
    removing = os.open(base / images.HELD, os.O_RDONLY)
    fcntl.flock(removing, fcntl.LOCK_EX)
    held: list[int] = []
    waiting = threading.Thread(target=lambda: held.append(images.hold(base, made(base))))
    waiting.start()
    assert until(lambda: f":{base.joinpath(images.HELD).stat().st_ino} " in waiters())
    base.rename(tmp_path / ".gone")
    os.close(removing)
    waiting.join(10)
    assert (base / images.READY).exists()
    assert base not in images.sweep(tmp_path, tmp_path)
    os.close(held[0])


def waiters() -> str:
    """The locks that somebody waits for."""
    return "\n".join(line for line in Path("/proc/locks").read_text().splitlines() if "->" in line)


def test_two_who_want_one_make_it_once(tmp_path: Path) -> None:
    base, count = tmp_path / KEYS[0], []

    def make() -> None:
        count.append(1)
        made(base)()

    held: list[int] = []
    threads = [threading.Thread(target=lambda: held.append(images.hold(base, make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(held), len(count)) == (8, 1)
    for descriptor in held:
        os.close(descriptor)


def test_nobody_waits_for_another_who_holds_an_image_to_let_it_go(tmp_path: Path) -> None:
    """Whoever made it keeps it for as long as their process runs."""
    base = tmp_path / KEYS[0]
    base.mkdir()
    other = os.open(base / images.HELD, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_SH)
    held: list[int] = []
    waiting = threading.Thread(target=lambda: held.append(images.hold(base, made(base))), daemon=True)
    waiting.start()
    waiting.join(0.2)
    assert held == []
    made(base)()
    waiting.join(10)
    assert len(held) == 1
    os.close(held[0])
    os.close(other)


def test_what_was_not_made_to_its_end_is_made_again(tmp_path: Path) -> None:
    base = tmp_path / KEYS[0]

    def broken() -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        images.hold(base, broken)
    os.close(images.hold(base, made(base)))
    assert (base / images.READY).exists()


def test_everything_in_an_image_is_installed_where_only_the_product_is() -> None:
    """What only the tests bring along would be missing on a server, and the sandbox with it."""
    required = set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==", (PROJECT / "requirements.txt").read_text()))
    bring = packages_distributions()
    lacking = {name for name in PACKAGES if not {one.lower() for one in bring[name]} & {one.lower() for one in required}}
    assert lacking == set()
