"""Two hundred hostile programs come to nothing, whoever runs them; without the boundary they come to something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from strategies.sandbox.image import image, parent
from strategies.sandbox.pool import Pool
from tests.strategies.sandbox.attempt import LIMITS, bars, descendants, descriptors, run, until
from tests.strategies.sandbox.corpus import CORPUS, Attempt, program

PROJECT = Path(__file__).resolve().parents[3]
ROOT = os.geteuid() == 0
MARKS = ("clusterx-sandbox-mark", "clusterx-sandbox-link", "clusterx-sandbox-folder", "clusterx-sandbox-0")

pytestmark = pytest.mark.xdist_group("sandbox")


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len(CORPUS) >= 150
    assert len({attempt.name for attempt in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("attempt", CORPUS, ids=lambda attempt: attempt.name)
def test_the_attempt_comes_to_nothing(pool: Pool, attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(pool, [attempt]) == {}
    assert not [name for name in MARKS if Path("/tmp", name).exists()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an ordinary user may write; ``ordinary`` opens the way."""
    return tmp_path_factory.mktemp("sandbox")


def as_(user: str, launcher: str, folder: Path) -> dict:
    """The report of the whole corpus, run in a process of its own."""
    report = folder / f"{user}-{launcher}.json"
    module = ["tests.strategies.sandbox.attempt", str(report)]
    command = [sys.executable, "-m", *module]
    if user == "nobody":
        command = [sys.executable, str(PROJECT / "tests/strategies/sandbox/ordinary.py"), str(folder), *module]
    image()  # made by us, for others to read: it takes long
    environment = os.environ | {"CLUSTERX_SANDBOX_LAUNCHER": launcher, "CLUSTERX_SANDBOX_IMAGES": str(parent())}
    environment["CLUSTERX_CANARY"] = "secret"
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert report.exists(), done.stderr[-2000:]
    return json.loads(report.read_text())


# Root hands itself over to nobody; whoever runs this as an ordinary user is one already.
WAYS = (
    [("root", "bubblewrap"), ("nobody", "own"), ("nobody", "bubblewrap")] if ROOT else [("self", "own"), ("self", "bubblewrap")]
)


@pytest.mark.parametrize(("user", "launcher"), WAYS)
def test_the_corpus_comes_to_nothing_for(user: str, launcher: str, folder: Path) -> None:
    told = as_(user, launcher, folder)
    assert told["wrong"] == {}
    assert told["attempts"] == len(CORPUS)
    assert told["user"] == {"root": 0, "nobody": 65534, "self": os.geteuid()}[user]


def test_without_the_boundary_the_attempts_get_through(tmp_path: Path) -> None:
    report = tmp_path / "bare.json"
    command = [sys.executable, "-m", "tests.strategies.sandbox.bare", str(report)]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    finally:
        for mark in Path("/tmp").glob("clusterx-sandbox-*"):
            mark.rmdir() if mark.is_dir() and not mark.is_symlink() else mark.unlink()
    assert report.exists(), done.stderr[-2000:]
    wrong = json.loads(report.read_text())
    expected = {attempt.name for attempt in CORPUS if attempt.needs_boundary}
    assert len(expected) >= 30
    assert {name for name in expected if not wrong.get(name, "").startswith("got through")} == set(), wrong


def test_two_hundred_hostile_programs_leave_nothing() -> None:
    # Those that end at once, over and over: the slow ones take their time above.
    quick = [attempt for attempt in CORPUS if "timeout" not in attempt.reasons and "memory" not in attempt.reasons]
    with Pool(1, LIMITS) as pool:
        pool.warm()
        before = len(descendants(os.getpid()))
        run(pool, quick[:20])
        zygote = psutil.Process(pool._zygotes[0].pid)
        own = psutil.Process()
        held = descriptors()
        memory, inside = own.memory_info().rss, zygote.memory_info().rss
        hostile = (quick * 2)[:200]
        assert len(hostile) == 200
        assert run(pool, hostile) == {}
        assert until(lambda: len(descendants(os.getpid())) == before)
        assert descriptors() == held
        assert zygote.pid == pool._zygotes[0].pid  # none of them ended the zygote
        assert own.memory_info().rss - memory < 16 * 2**20
        assert zygote.memory_info().rss - inside < 4 * 2**20
        assert until(lambda: zygote.num_fds() <= 8)


def test_what_one_run_held_no_other_finds(pool: Pool) -> None:
    left = program("secret = {'mark': 'RESIDUE'}; sys.modules['kept'] = secret; np.kept = secret; os.environ['K'] = 'RESIDUE'")
    assert pool.signals(left, bars(), {}).ok
    looks = program("""
    if hasattr(np, 'kept') or 'kept' in sys.modules or 'K' in os.environ: won()
    for held in gc.get_objects():
        if type(held) is dict and held.get('mark') == 'RESI' + 'DUE': won()
    """)
    answer = pool.signals(looks, bars(), {})
    assert (answer.ok, answer.printed) == (True, "")
