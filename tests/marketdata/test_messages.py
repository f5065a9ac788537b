"""What cannot be true is refused with a reason, and nothing else happens."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.bars import Bar, problem
from marketdata.messages import BookDelta, Kline, Malformed, Quote, Trade
from marketdata.providers.binance import BinanceProvider

NOW = 1_723_161_600_000


@pytest.fixture(scope="module")
def provider() -> BinanceProvider:
    made = BinanceProvider(base_url="http://127.0.0.1:1/none")
    made.now_ms = lambda: float(NOW)
    return made


def trade(**changed: Any) -> dict[str, Any]:
    return {"e": "trade", "E": NOW, "s": "BTCUSDT", "t": 7, "p": "61686.01", "q": "0.002", "T": NOW, "m": True} | changed


def kline(**changed: Any) -> dict[str, Any]:
    bar = {"t": NOW, "i": "5m", "o": "2", "h": "3", "l": "1", "c": "2.5", "v": "10", "n": 4, "x": True}
    return {"e": "kline", "E": NOW, "s": "BTCUSDT", "k": bar | changed}


def test_every_kind_of_message_is_normalised(provider):
    assert provider.normalise(trade()) == Trade("BTCUSDT", 7, NOW, 61686.01, provider.normalise(trade()).quantity, -1)
    said = provider.normalise({"u": 5, "s": "BTCUSDT", "b": "1", "B": "2", "a": "3", "A": "4"})
    assert said == Quote("BTCUSDT", 5, 1.0, 2.0, 3.0, 4.0)
    depth = {"e": "depthUpdate", "E": NOW, "s": "BTCUSDT", "U": 1, "u": 2, "b": [["1", "0"]], "a": []}
    assert provider.normalise(depth) == BookDelta("BTCUSDT", 1, 2, NOW, [(1.0, 0.0)], [])
    said = provider.normalise(kline())
    assert isinstance(said, Kline)
    assert said.bar == Bar(NOW // 1000, 2, 3, 1, 2.5, 10, 4, 1)
    assert provider.normalise({"stream": "btcusdt@trade", "data": trade()}) == provider.normalise(trade())
    assert provider.normalise({"result": None, "id": 1}) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (trade(p="0"), "price"),
        (trade(p="-1"), "price"),
        (trade(p="1e300"), "price"),
        (trade(p="NaN"), "number"),
        (trade(p="Infinity"), "number"),
        (trade(p=None), "type"),
        (trade(p=[]), "type"),
        (trade(p=True), "type"),
        (trade(p="sixty"), "number"),
        (trade(q="0"), "quantity"),
        (trade(q="NaN"), "quantity"),
        (trade(q="1e40"), "quantity"),
        (trade(q={}), "type"),
        (trade(t="7"), "type"),
        (trade(t=-1), "number"),
        (trade(t=2**70), "number"),
        (trade(T=NOW + 3 * 3_600_000), "clock"),
        (trade(T=NOW - 26 * 3_600_000), "clock"),
        (trade(s=5), "type"),
        ({"e": "trade"}, "type"),
        (kline(h="1.5"), "bar"),
        (kline(l="2.2"), "bar"),
        (kline(v="-1"), "quantity"),
        (kline(i="7m"), "type"),
        ({"e": "kline", "s": "BTCUSDT", "k": None}, "type"),
        ({"e": "depthUpdate", "E": NOW, "s": "X", "U": 1, "u": 2, "b": [["1"]], "a": []}, "type"),
        ({"e": "depthUpdate", "E": NOW, "s": "X", "U": 1, "u": 2, "b": "levels", "a": []}, "type"),
        ({"e": "somethingNew"}, "unknown"),
        ([1, 2], "type"),
        ("text", "type"),
        (None, "type"),
        ({"stream": "x", "data": 5}, "type"),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_reason(provider, message, reason):
    with pytest.raises(Malformed) as refused:
        provider.normalise(message)
    assert refused.value.reason == reason


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("espqtTmbBaAuUEk"), inner, max_size=8),
    max_leaves=12,
)


@given(st.sampled_from(["trade", "kline", "depthUpdate", None]), st.dictionaries(st.sampled_from("spqtTmbBaAuUEk"), anything))
def test_no_message_whatever_raises_anything_but_malformed(kind, fields):
    provider = BinanceProvider.__new__(BinanceProvider)
    provider.now_ms = lambda: float(NOW)
    try:
        said = provider.normalise(fields | {"e": kind})
    except Malformed:
        return
    if isinstance(said, Trade):
        assert math.isfinite(said.price)
        assert said.price > 0
        assert said.quantity > 0


@given(*(st.floats() for _ in range(5)))
def test_a_bar_that_passes_is_one_that_the_database_takes(open_, high, low, close, volume):
    if problem(Bar(0, open_, high, low, close, volume)) is None:
        assert 0 < low <= min(open_, close) <= max(open_, close) <= high < 1e15
        assert 0 <= volume < 1e30
