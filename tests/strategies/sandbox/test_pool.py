"""What honest code gets: its signals, its errors with their line, its prints; and what happens when parts die."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import REGISTRY

from marketdata.bars import Bar, Bars
from marketdata.indicators.moving import sma
from strategies.contract import Panel
from strategies.engine import Costs, Market, Rules, simulate
from strategies.sandbox.launch import chosen
from strategies.sandbox.limits import Limits, NoBoundary, Reason
from strategies.sandbox.live import Levels, Refused
from strategies.sandbox.pool import Pool
from strategies.sandbox.sealed import SealedBars
from strategies.sandbox.tasks import Account
from strategies.sandbox.zygotes import Zygote
from tests.strategies.sandbox.attempt import LIMITS, bars, until

pytestmark = pytest.mark.xdist_group("sandbox")

HEAD = """
from clusterx_api import EventStrategy, Parameter, PortfolioStrategy, Signals, Strategy, indicators, np, pd

class Mine({base}):
    name = "mine"
    label = "Mine"
    summary = "Bought while the average rises."
    parameters = (
        Parameter("window", "Window", "int", 20, minimum=2, maximum=200, step=1, help="Bars."),
        Parameter("side", "Side", "choice", "long", choices=(("long", "Long"), ("both", "Both"))),
    )
    def history(self, p):
        return p.window + 1
"""
SIGNALS = HEAD.format(base="Strategy") + "    def signals(self, bars, p):\n"
RISING = (
    SIGNALS
    + """
        average = indicators.sma(bars.close, p.window)
        rising = np.r_[False, np.diff(average) > 0]
        return Signals(rising * 1.0, stop=np.where(rising, bars.low * 0.9, np.nan))
"""
)
RISING_LINE = RISING.splitlines().index("        rising = np.r_[False, np.diff(average) > 0]") + 1


def test_signals_are_those_that_the_same_code_gives_outside(pool: Pool) -> None:
    given = bars()
    answer = pool.signals(RISING, given, {"window": 10})
    rising = np.r_[False, np.diff(sma(given.close, 10)) > 0]
    np.testing.assert_array_equal(answer.exposure, rising * 1.0)
    np.testing.assert_array_equal(answer.signals.stop, np.where(rising, given.low * 0.9, np.nan))
    assert answer.signals.take_profit is None
    assert answer.seconds > 0


def test_no_bars_and_one_bar_have_answers(pool: Pool) -> None:
    code = SIGNALS + "        return np.zeros(len(bars))"
    for length in (0, 1):
        assert len(pool.signals(code, bars()[:length], {}).exposure) == length


def test_sealed_bars_serve_many_runs(pool: Pool) -> None:
    with SealedBars(bars()) as sealed:
        answers = [pool.signals(RISING, sealed, {"window": window}).exposure for window in (5, 5, 50)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_the_same_run_twice_gives_the_same_answer(pool: Pool) -> None:
    code = SIGNALS + "        import random\n        return np.random.rand(len(bars)) * random.random() * (hash('x') % 97) / 97"
    first, second = (pool.signals(code, bars(), {}).exposure for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_portfolio_answers_for_each_instrument(pool: Pool) -> None:
    code = (
        HEAD.format(base="PortfolioStrategy")
        + """
    def signals(self, panel, p):
        first, second = panel.bars
        return np.stack([(first.close > second.close) * 0.5, (first.close < second.close) * -0.5], axis=1)
    """
    )
    one, other = bars(), replace(bars(), close=bars().close[::-1].copy())
    answer = pool.signals(code, Panel((one, other)), {})
    expected = np.stack([(one.close > other.close) * 0.5, (one.close < other.close) * -0.5], axis=1)
    np.testing.assert_array_equal(answer.exposures, expected)
    wrong = pool.signals(code.replace("axis=1", "axis=0"), Panel((one, other)), {})
    assert (wrong.reason, "shape (500, 2)" in wrong.message) == (Reason.INVALID_RESULT, True)


def test_an_error_names_the_line_of_their_file(pool: Pool) -> None:
    answer = pool.signals(RISING.replace("np.diff(average)", "np.diff(averages)"), bars(), {})
    assert (answer.reason, answer.line) == (Reason.ERROR, RISING_LINE)
    assert answer.message.startswith("NameError: name 'averages' is not defined")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("while True: pass", Reason.TIMEOUT),
        ("np.ones(1 << 33)", Reason.MEMORY),
        ("open('/etc/passwd')", Reason.FORBIDDEN),
        ("import socket; socket.socket()", Reason.FORBIDDEN),
        ("import ctypes; ctypes.string_at(0)", Reason.ERROR),
        ("1 / 0", Reason.ERROR),
    ],
)
def test_every_reason_comes_with_the_line(pool: Pool, body: str, reason: Reason) -> None:
    code = SIGNALS + f"        x = 1\n        {body}\n        return np.zeros(len(bars))"
    answer = pool.signals(code, bars(), {}, limits=replace(LIMITS, seconds=1.0) if reason == "timeout" else None)
    if reason == Reason.MEMORY:
        assert answer.reason == reason
    else:
        assert (answer.reason, answer.line) == (reason, SIGNALS.count("\n") + 2)


def test_a_parameter_out_of_range_is_refused(pool: Pool) -> None:
    answer = pool.signals(RISING, bars(), {"window": 1})
    assert (answer.reason, answer.message) == (Reason.ERROR, "window must be 2..200, was 1")
    assert pool.signals(RISING, bars(), {"window": float("nan")}).message == "parameters must be finite numbers and texts"


def test_prints_are_kept_and_made_plain(pool: Pool) -> None:
    body = r"        print('caf\u00e9 \x1b[31mred\x1b[0m \x00\u202e', file=__import__('sys').stderr); print('<b>')" + "\n"
    answer = pool.signals(SIGNALS + body + "        return np.zeros(len(bars))", bars(), {})
    assert answer.printed == "café red ��\n<b>\n"


def test_prints_are_there_when_it_fails(pool: Pool) -> None:
    answer = pool.signals(SIGNALS + "        print('so far')\n        raise ValueError('no')", bars(), {})
    assert (answer.printed, answer.message) == ("so far\n", "ValueError: no")


# --- declarations ------------------------------------------------------------------------------------------------------


def test_a_declaration_is_plain_data(pool: Pool) -> None:
    declared = pool.declaration(RISING)
    assert (declared.ok, declared.name, declared.label, declared.style) == (True, "mine", "Mine", "Strategy")
    window, side = declared.parameters
    assert (window.name, window.kind, window.default, window.minimum, window.maximum) == ("window", "int", 20, 2, 200)
    assert (side.default, side.choices) == ("long", (("long", "Long"), ("both", "Both")))


def test_a_declaration_says_how_much_history_it_needs(pool: Pool) -> None:
    declared = pool.declaration(RISING)
    assert (declared.history, declared.legs) == (21, 1)
    assert pool.declaration(RISING, {"window": 100}).history == 101
    assert pool.declaration(RISING, {"window": 1}).message == "window must be 2..200, was 1"


def test_a_declaration_says_how_many_instruments_it_takes(pool: Pool) -> None:
    code = HEAD.format(base="PortfolioStrategy") + "    def signals(self, panel, p):\n        return None\n"
    assert pool.declaration(code).legs == 2
    assert pool.declaration(code + "    legs = 5\n").legs == 5
    assert pool.declaration(code + "    legs = 1\n").message == "strategy.py legs must be a whole number in 2..8, was 1"


@pytest.mark.parametrize("history", ["-1", "1.5", "10**9", "'9'", "None"])
def test_a_history_that_is_no_number_of_bars_is_refused(pool: Pool, history: str) -> None:
    declared = pool.declaration(RISING.replace("p.window + 1", history))
    assert (declared.reason, declared.history) == (Reason.ERROR, 0)
    assert declared.message.startswith("strategy.py history must be a whole number in 0..1,000,000, was")


@pytest.mark.parametrize(
    ("code", "line", "column", "message"),
    [
        ("x = 1\ny = (2\n", 2, 5, "strategy.py does not parse: '(' was never closed"),
        ("x = 1", None, None, "strategy.py has no strategy: define one class that derives from Strategy"),
        ("import nowhere", 1, None, "ModuleNotFoundError: No module named 'nowhere'"),
        (HEAD.format(base="Strategy"), 4, None, "strategy.py Mine lacks signals"),
        (
            RISING.replace('"int", 20', '"int", 1'),
            None,
            None,
            "strategy.py the default does not fit: window must be 2..200, was 1",
        ),
        (RISING.replace('    label = "Mine"\n', ""), None, None, "strategy.py Mine must declare label"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(
    pool: Pool, code: str, line: int | None, column: int | None, message: str
) -> None:
    declared = pool.declaration(code)
    assert (declared.reason, declared.line, declared.column, declared.message) == (Reason.ERROR, line, column, message)


@pytest.mark.parametrize(
    "change",
    [
        ('"int", 20', '"int", float("nan")'),
        ('"window", "Window"', '"not a name", "Window"'),
        ('"Window"', '"x" * 5 + chr(0)'),
        ('name = "mine"', 'name = "x" * 5000'),
        ("    def history", "    parameters = tuple(Parameter(f'p{i}', 'P', 'int', 1) for i in range(99))\n    def history"),
    ],
)
def test_a_hostile_declaration_is_refused_or_made_plain(pool: Pool, change: tuple[str, str]) -> None:
    declared = pool.declaration(RISING.replace(*change))
    if declared.ok:
        assert all(ord(c) >= 32 for p in declared.parameters for c in p.label)
    else:
        assert declared.reason in (Reason.INVALID_RESULT, Reason.ERROR)


# --- prefixes ------------------------------------------------------------------------------------------------------------


def test_prefixes_of_an_honest_strategy_agree_with_the_whole(pool: Pool) -> None:
    whole = pool.signals(RISING, bars(), {}).exposure
    cuts = [1, 7, 100, 333, 500]
    for cut, answer in zip(cuts, pool.prefixes(RISING, bars(), {}, cuts), strict=True):
        np.testing.assert_array_equal(answer.exposure, whole[:cut])


def test_a_prefix_run_cannot_find_the_future(pool: Pool) -> None:
    # It searches everything that it can reach for an array longer than what it was given.
    code = (
        SIGNALS
        + """
        import gc
        longest = 0
        for held in gc.get_objects():
            for value in held.values() if type(held) is dict else held if type(held) in (list, tuple) else ():
                while isinstance(value, np.ndarray):
                    if value.dtype == np.float64 and value.size > 90 and abs(value.flat[0] - bars.close[0]) < 1e-12:
                        longest = max(longest, value.size)
                    value = value.base
        base = bars.close
        while isinstance(base.base, np.ndarray): base = base.base
        print(longest, base.size)
        return np.zeros(len(bars))
    """
    )
    cuts = [100, 200, 400]
    answers = list(pool.prefixes(code, bars(), {}, cuts))
    for cut, answer in zip(cuts, answers, strict=True):
        longest, base = map(int, answer.printed.splitlines()[-1].split())
        assert longest <= cut
        assert base == cut
    # The same search in a run over the whole array finds it, so it can find.
    assert pool.signals(code, bars(), {}).printed.split()[1] == "3000"


def test_prefixes_of_a_panel_agree_with_the_whole_and_hold_no_more(pool: Pool) -> None:
    code = (
        HEAD.format(base="PortfolioStrategy")
        + """
    def signals(self, panel, p):
        print(*(len(one) if one.close.base is None else one.close.base.size for one in panel.bars))
        first, second = (indicators.sma(one.close, p.window) for one in panel.bars)
        return np.stack([(first > second) * 0.5, (first < second) * -0.5], axis=1)
    """
    )
    panel = Panel((bars(), replace(bars(), close=bars().close[::-1].copy())))
    whole = pool.signals(code, panel, {"window": 5}).exposures
    cuts = [10, 100, 333, 500]
    for cut, answer in zip(cuts, pool.prefixes(code, panel, {"window": 5}, cuts), strict=True):
        np.testing.assert_array_equal(answer.exposures, whole[:cut])
        assert answer.printed.splitlines()[-1] == f"{cut} {cut}"


def test_a_prefix_that_fails_ends_the_run(pool: Pool) -> None:
    code = SIGNALS + "        return np.zeros(len(bars)) if len(bars) < 50 else None"
    answers = list(pool.prefixes(code, bars(), {}, [10, 60, 90]))
    assert [answer.reason for answer in answers] == [None, Reason.INVALID_RESULT]


@pytest.mark.parametrize("cuts", [[], [0], [5, 5], [9, 3], [501]])
def test_cuts_must_ascend_within_the_bars(pool: Pool, cuts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"1\.\.500"):
        pool.prefixes(RISING, bars(), {}, cuts)


def test_a_strategy_that_does_not_read_its_prefixes_is_timed_out(pool: Pool) -> None:
    long = Bars(np.arange(400_000) * 60, *[np.ones(400_000)] * 5)
    code = "import time\ntime.sleep(60)\n" + RISING
    answers = list(pool.prefixes(code, long, {}, [400_000], limits=replace(LIMITS, seconds=0.5)))
    assert [answer.reason for answer in answers] == [Reason.TIMEOUT]


# --- events ----------------------------------------------------------------------------------------------------------------

TWO_ORDERS = (
    HEAD.format(base="EventStrategy")
    + """
    def on_bar(self, ctx):
        if ctx.index == 3: ctx.buy(2, stop_loss=ctx.close * 0.9)
        if ctx.index == 100 and ctx.position: ctx.close_position()
"""
)


def test_events_come_back_as_intents_that_the_engine_simulates(pool: Pool) -> None:
    account = Account(Market(), Costs.of(0.001), Rules(), 5_000.0)
    answer = pool.events(TWO_ORDERS, bars(), {}, account=account)
    assert answer.ok, answer
    result = simulate(bars(), intents=answer.intents, costs=account.costs, cash=5_000.0)
    assert result.fills["quantity"][0] == 2
    assert answer.intents[0][0] == 3


def test_events_of_prefixes_begin_as_those_of_the_whole(pool: Pool) -> None:
    whole = pool.events(TWO_ORDERS, bars(), {}).intents
    for answer in pool.prefixes(TWO_ORDERS, bars(), {}, [50, 200]):
        np.testing.assert_array_equal(answer.intents, whole[: len(answer.intents)])


def test_an_order_dated_in_the_future_is_refused(pool: Pool) -> None:
    code = TWO_ORDERS.replace(
        "ctx.buy(2, stop_loss=ctx.close * 0.9)", "ctx.buy(2); ctx._intents[-1] = (10**6, *ctx._intents[-1][1:])"
    )
    answer = pool.events(code, bars(), {})
    assert answer.reason == Reason.INVALID_RESULT
    assert "ascending in 0..499" in answer.message


def test_an_impossible_order_names_its_line(pool: Pool) -> None:
    answer = pool.events(TWO_ORDERS.replace("ctx.buy(2,", "ctx.buy(-2,"), bars(), {})
    assert (answer.reason, answer.line) == (Reason.ERROR, TWO_ORDERS[: TWO_ORDERS.index("ctx.buy")].count("\n") + 1)


# --- live --------------------------------------------------------------------------------------------------------------------


def bar(i: int, close: float) -> Bar:
    return Bar(10**9 + 60 * i, close, close * 1.01, close * 0.99, close, 1.0)


def test_a_live_session_answers_as_the_whole_array_does(pool: Pool) -> None:
    given = bars()
    whole = pool.signals(RISING, given, {"window": 10})
    with pool.live(RISING, {"window": 10}, history=given[:400]) as session:
        for i, row in enumerate(given[400:].rows(), 400):
            levels = session.bar(Bar(*row))
            assert levels.exposure == whole.exposure[i]
            assert levels.stop == (None if np.isnan(whole.signals.stop[i]) else whole.signals.stop[i])


def test_a_live_session_begins_without_history(pool: Pool) -> None:
    with pool.live(SIGNALS + "        return np.full(len(bars), len(bars) / 100)", {}) as session:
        assert [session.bar(bar(i, 100)).exposure for i in range(30)] == [min(i + 1, 21) / 100 for i in range(30)]


def test_a_live_session_that_fails_stays_failed(pool: Pool) -> None:
    code = SIGNALS + "        if bars.close[-1] > 104: raise ValueError('too high')\n        return np.zeros(len(bars))"
    with pool.live(code, {}) as session:
        assert session.bar(bar(0, 100)) == Levels(0.0)
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                session.bar(bar(1, 105))
            assert (refused.value.reason, refused.value.line) == (Reason.ERROR, SIGNALS.count("\n") + 1)


def test_a_live_session_is_timed_for_each_bar(pool: Pool) -> None:
    code = SIGNALS + "        while bars.close[-1] > 104: pass\n        return np.zeros(len(bars))"
    with pool.live(code, {}, limits=replace(LIMITS, seconds=0.4)) as session:
        session.bar(bar(0, 100))
        with pytest.raises(Refused, match="timeout"):
            session.bar(bar(1, 105))


@pytest.mark.parametrize(
    "body",
    ["os.write(4, b'CXL1' + bytes(4) + struct.pack('<4d', 1e9, 1, 1, 1))", "os.write(4, b'x' * 40)", "os.write(4, b'CX')"],
)
def test_forged_answers_to_a_bar_are_refused(pool: Pool, body: str) -> None:
    code = "import os, struct, time\n" + SIGNALS + f"        {body}; time.sleep(9)\n        return np.zeros(len(bars))"
    with (
        pool.live(code, {}, limits=replace(LIMITS, seconds=1.0)) as session,
        pytest.raises(Refused, match=r"invalid-result|timeout"),
    ):
        session.bar(bar(0, 100))


def test_a_session_that_does_not_start_says_why(pool: Pool) -> None:
    with pytest.raises(Refused, match="does not parse"):
        pool.live("def (", {})


# --- when parts die ----------------------------------------------------------------------------------------------------


def test_a_dead_zygote_is_replaced() -> None:
    with Pool(1, LIMITS) as pool:
        pool.warm()
        first = pool._zygotes[0]
        os.kill(first.pid, signal.SIGKILL)
        assert until(lambda: not first.alive)
        assert pool.signals(RISING, bars(), {}).ok
        assert pool._zygotes[0].pid != first.pid


def test_a_zygote_that_dies_takes_its_run_with_it_and_the_run_says_so() -> None:
    with Pool(1, LIMITS) as pool:
        pool.warm()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(pool.signals(SIGNALS + "        while True: pass", bars(), {})))
        thread.start()
        zygote = pool._zygotes[0]
        assert until(lambda: zygote.children == 1)
        os.kill(zygote.pid, signal.SIGKILL)
        thread.join(15)
        assert answers[0].reason in (Reason.ERROR, Reason.BOUNDARY)


def test_runs_side_by_side_do_not_mix(pool: Pool) -> None:
    code = SIGNALS + "        print(p.window)\n        return np.full(len(bars), p.window / 200)"
    answers: dict[int, object] = {}

    def ask(window: int) -> None:
        answers[window] = pool.signals(code, bars(), {"window": window})

    threads = [threading.Thread(target=ask, args=(window,)) for window in range(2, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {w: (a.exposure[0], a.printed) for w, a in answers.items()} == {w: (w / 200, f"{w}\n") for w in range(2, 26)}
    assert len(pool._zygotes) <= pool.size


def test_a_run_does_not_wait_for_another_zygote(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pool(2, LIMITS) as pool:
        pool.warm_aside().join(60)
        assert len(pool._zygotes) == 1
        go_on, started = threading.Event(), Pool._started

        def slowly(self: Pool) -> Zygote:
            assert go_on.wait(60)
            return started(self)

        monkeypatch.setattr(Pool, "_started", slowly)
        with pool.live(SIGNALS + "        return np.zeros(len(bars))", {}):
            assert pool.signals(RISING, bars(), {}).ok
            assert len(pool._zygotes) == 1
            go_on.set()
            assert until(lambda: len(pool._zygotes) == 2)


def test_closing_ends_the_zygote_that_is_coming_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made, started = [], Pool._started

    def kept(self: Pool) -> Zygote:
        made.append(started(self))
        return made[-1]

    monkeypatch.setattr(Pool, "_started", kept)
    pool = Pool(2, LIMITS)
    with pool.live(SIGNALS + "        return np.zeros(len(bars))", {}):
        assert pool.signals(RISING, bars(), {}).ok
        pool.close()
    assert (len(made), [zygote.alive for zygote in made]) == (2, [False, False])


def test_a_closed_pool_runs_nothing() -> None:
    pool = Pool(1, LIMITS)
    pool.close()
    assert pool.signals(RISING, bars(), {}).reason == Reason.BOUNDARY


def test_a_forked_worker_starts_its_own_zygotes(pool: Pool) -> None:
    pool.warm()
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            good = not pool._zygotes and pool.signals(RISING, bars(), {}).ok
            pool.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert pool.signals(RISING, bars(), {}).ok


def test_without_a_boundary_the_code_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    # A host that allows no namespaces: the launcher fails as unshare does there.
    from strategies.sandbox import launch

    monkeypatch.setattr(
        launch, "own", lambda image, argv: ["/bin/sh", "-c", "echo 'unshare user: Operation not permitted' >&2; exit 1"]
    )
    with Pool(1, LIMITS, launcher="own") as pool:
        answer = pool.signals(RISING, bars(), {})
        assert (answer.reason, answer.signals) == (Reason.BOUNDARY, None)
        assert "Operation not permitted" in answer.message
        with pytest.raises(Refused, match="boundary"):
            pool.live(RISING, {})


def test_a_zygote_outside_the_boundary_is_noticed_from_outside() -> None:
    from strategies.sandbox.zygotes import check_from_outside

    with pytest.raises(NoBoundary, match="Seccomp 0 where it must have 2"):
        check_from_outside(os.getpid())


def test_an_unknown_launcher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERX_SANDBOX_LAUNCHER", "none")
    with pytest.raises(NoBoundary, match=r"own or bubblewrap"):
        chosen()


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"memory": 1}, {"printed": -1}, {"code": 10**9}, {"result": 0}])
def test_limits_have_limits(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        Limits(**wrong)


def test_runs_are_counted(pool: Pool) -> None:
    def count(reason: str) -> float:
        return REGISTRY.get_sample_value("clusterx_sandbox_runs_total", {"kind": "signals", "reason": reason}) or 0

    before = count("ok"), count("error")
    pool.signals(RISING, bars(), {})
    pool.signals("x", bars(), {})
    assert (count("ok"), count("error")) == (before[0] + 1, before[1] + 1)
