"""The order book: equal to what the exchange itself said, and never trusted after a hole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from marketdata.messages import BookDelta
from marketdata.orderbook import BookOutOfStep, OrderBook
from tests.marketdata.capture import delta, levels, messages


@pytest.mark.recorded
def test_the_book_rebuilt_from_changes_equals_every_best_quote(recorded: Path):
    expected = json.loads((recorded / "expected" / "order_book_BTCUSDT.json").read_text())
    book = OrderBook()
    tops, quotes, applied = {}, {}, 0
    for message in messages(recorded):
        if "lastUpdateId" in message:
            book.snapshot(message["lastUpdateId"], levels(message["bids"]), levels(message["asks"]))
            continue
        body = message["data"]
        if body.get("e") == "depthUpdate":
            if book.apply(delta(body)):
                applied += 1
                bids, asks = book.top(1)
                assert bids[0][0] < asks[0][0]
                tops[body["u"]] = (bids[0], asks[0])
        elif "A" in body:
            quotes[body["u"]] = ((float(body["b"]), float(body["B"])), (float(body["a"]), float(body["A"])))
    both = tops.keys() & quotes.keys()
    assert applied == expected["diffs_applied"]
    assert len(both) == expected["checked"]
    assert all(tops[update] == quotes[update] for update in both)


def change(first: int, last: int, price: float = 100.0, size: float = 1.0) -> BookDelta:
    return BookDelta("X", first, last, 0, [(price, size)], [])


def test_changes_before_the_snapshot_wait_for_it():
    book = OrderBook()
    assert not book.apply(change(9, 10, 99.0))
    assert not book.apply(change(11, 12, 98.0))
    book.snapshot(10, [(97.0, 1.0)], [])
    assert book.top(5)[0] == [(98.0, 1.0), (97.0, 1.0)]


def test_a_snapshot_older_than_the_waiting_changes_is_refused():
    book = OrderBook()
    book.apply(change(20, 21))
    with pytest.raises(BookOutOfStep, match="begin at 20"):
        book.snapshot(10, [], [])
    book.snapshot(19, [], [])
    assert book.ready


def test_a_missing_change_forgets_the_book():
    book = OrderBook()
    book.snapshot(10, [(97.0, 1.0)], [])
    with pytest.raises(BookOutOfStep, match="11 to 14"):
        book.apply(change(15, 16))
    assert not book.ready
    assert book.top(1) == ([], [])


def test_an_old_change_does_nothing_and_size_zero_removes():
    book = OrderBook()
    book.snapshot(10, [(97.0, 1.0)], [])
    assert not book.apply(change(8, 10, 97.0, 5.0))
    assert book.apply(change(11, 11, 97.0, 0.0))
    assert book.top(1)[0] == []
