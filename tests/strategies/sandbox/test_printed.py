"""What of this host must not be in what an author is told, whatever went wrong and however it was said."""

from __future__ import annotations

import time

import pytest

from marketdata.bars import Bar
from strategies.sandbox.image import PROJECT, image, parent
from strategies.sandbox.limits import NoBoundary, Reason
from strategies.sandbox.live import Refused
from strategies.sandbox.pool import Pool
from strategies.sandbox.printed import one_line, places, plain
from tests.strategies.sandbox.attempt import bars
from tests.strategies.sandbox.test_pool import HEAD

pytestmark = pytest.mark.xdist_group("sandbox")
MINE = HEAD.format(base="Strategy") + "    def signals(self, bars, p):\n        {}\n        return np.zeros(len(bars))\n"


def told(text: str) -> bool:
    """Whether ``text`` names a folder of this host."""
    return any(place in text for place in (*places(), str(image().folder), image().folder.name))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from clusterx_api import npp", "cannot import name 'npp' from 'clusterx_api' (clusterx_api.py)"),
        ("import clusterx_api\nraise ValueError(clusterx_api.__file__)", "ValueError: clusterx_api.py"),
        ("import clusterx_api\nraise KeyError('file://' + clusterx_api.__file__)", "KeyError: 'file://clusterx_api.py'"),
        ("import clusterx_api\nopen(clusterx_api.__file__ + 'x')", "'clusterx_api.pyx'"),
        ("import clusterx_api\nraise OSError(2, 'no', clusterx_api.__file__)", "'clusterx_api.py'"),
        ("import os\nraise ValueError(os.environ['NUMBA_CACHE_DIR'])", "ValueError: …"),
        ("import clusterx_api\nraise ValueError('x' * 276 + clusterx_api.__file__)", "xxx…"),
        ("import clusterx_api\nclusterx_api.__loader__.get_data('/none')", "/none"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_of_without_this_hosts_folders(pool: Pool, code: str, said: str) -> None:
    found = pool.declaration(code)
    assert said in found.message
    assert not told(found.message)


def test_a_traceback_that_was_printed_names_files_and_no_folders(pool: Pool) -> None:
    loud = "import traceback, clusterx_api; traceback.print_stack(); print(clusterx_api.__file__); print(clusterx_api)"
    answer = pool.signals(MINE.format(loud), bars(), {})
    assert answer.ok, answer.message
    assert 'File "strategies/sandbox/inside/runner.py"' in answer.printed
    assert "\nclusterx_api.py\n" in answer.printed
    assert not told(answer.printed)


def test_an_error_of_a_session_names_no_folders(pool: Pool) -> None:
    with (
        pytest.raises(Refused) as refused,
        pool.live(MINE.format("import clusterx_api; raise ValueError(clusterx_api.__file__)"), {}) as session,
    ):
        session.bar(Bar(10**9, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert refused.value.message == "ValueError: clusterx_api.py"
    assert not told(refused.value.message)


def test_a_host_without_a_sandbox_keeps_its_paths_for_its_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise NoBoundary(f"the sandbox's image cannot be made in {parent()}/0123456789abcdef: [Errno 28] No space left")

    monkeypatch.setattr("strategies.sandbox.pool.Zygote", broken)
    with Pool(1) as alone:
        found = alone.declaration("x")
        with pytest.raises(Refused) as refused:
            alone.live("x", {})
    assert (found.reason, refused.value.reason) == (Reason.BOUNDARY, Reason.BOUNDARY)
    for message in (found.message, refused.value.message):
        assert "No space left" in message
        assert not told(message)
    assert str(parent()) in caplog.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{PROJECT}/strategies/contract.py, line 3", "strategies/contract.py, line 3"),
        (f"in {PROJECT}: no", "in …: no"),
        (f"{parent()}/0123456789abcdef/code/a/b.py", "a/b.py"),
        ("(/some where/else/0123456789abcdef/code/a.py)", "(/some wherea.py)"),
        ("/data/images/0123456789abcdef/numba/x", "x"),
        (f"cut {str(PROJECT)[:-2]}", "cut …"),
        ("2024/01/02 and 3/4 and /5 and //", "2024/01/02 and 3/4 and /5 and //"),
        ("/usr/lib/python3.11/json/decoder.py", "/usr/lib/python3.11/json/decoder.py"),
        (f"{PROJECT}-other/file.py", f"{PROJECT}-other/file.py"),
    ],
)
def test_folders_of_this_host_go_and_other_paths_stay(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert one_line(text) == shown


@pytest.mark.parametrize("text", ["/a" * 32_768, "/" * 65_536, ("/" + "a" * 79) * 819, "/0123456789abcdef/cod" * 3_120])
def test_a_long_row_of_slashes_keeps_nobody_busy(text: str) -> None:
    began = time.process_time()
    assert plain(text) == text
    assert time.process_time() - began < 2
