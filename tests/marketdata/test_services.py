"""Writes of market data: filling holes from the local venue, rolling up, setting up markets, watchlists."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from clusterx.accounts.models import User
from clusterx.events.models import Event
from marketdata.aggregation import Aggregator
from marketdata.bars import Bar
from marketdata.messages import Trade
from marketdata.models import Candle, Gap, Instrument, Venue, Watchlist
from marketdata.providers import ProviderError
from marketdata.providers.binance import BinanceProvider
from marketdata.services import backfill, markets, watchlists
from marketdata.store import BarStore, write_candles
from marketdata.timeframes import TIMEFRAMES, Timeframe
from marketdata.venue import SimulatedMarket, VenueServer
from tests.factories import InstrumentFactory, UserFactory, VenueFactory

pytestmark = pytest.mark.django_db

VENUE_NOW = 1_790_000_430  # half a minute into a bar
NOW = datetime.fromtimestamp(VENUE_NOW, UTC)
FIRST = VENUE_NOW // 86400 * 86400 - 86400  # midnight, a day before


class ServedVenue:
    """The local venue on a thread of its own, at a moment that stands still."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = VenueServer([SimulatedMarket(speed=1.0, lead=0.0, now=lambda: VENUE_NOW)], allow_faults=True)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="venue")

    def __enter__(self) -> ServedVenue:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    def _serve(self) -> None:
        async def serve() -> None:
            self._stopping = asyncio.Event()
            async with self.server:
                self._ready.set()
                await self._stopping.wait()

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(serve())

    @property
    def url(self) -> str:
        return self.server.base_url("simulated")

    def bars(self, timeframe: str, start: int, end: int) -> list[list[float]]:
        """What the market itself holds, without any protocol between."""
        market = self.server.markets["simulated"]
        bars = market.klines(market.symbols["BTCUSDT"], timeframe, start * 1000, end * 1000 - 1, 1000)
        return [[*row[:5], round(row[5], 5)] for row in bars.rows()]


@pytest.fixture(scope="module")
def served() -> Iterator[ServedVenue]:
    with ServedVenue() as served:
        yield served


@pytest.fixture
def bitcoin(served: ServedVenue) -> Instrument:
    venue = VenueFactory(code="simulated", mode=Venue.Mode.SIMULATED, base_url=served.url)
    return InstrumentFactory(venue=venue, base="BTC", venue_symbol="BTCUSDT")


def stored(instrument: Instrument, timeframe: str = "1m") -> list[list[float]]:
    return [list(row) for row in BarStore().read(instrument.pk, timeframe).rows()]


def keep(instrument: Instrument, rows: list[list[float]], timeframe: str = "1m") -> None:
    write_candles((instrument.pk, timeframe, Bar(int(row[0]), *row[1:])) for row in rows)


async def refuse(*_: object, **__: object) -> list[Bar]:
    raise ProviderError("no bars today")


# -- holes ------------------------------------------------------------------------------------------------------------


def test_holes_are_found_and_filled_with_the_venues_own_bars(served: ServedVenue, bitcoin: Instrument) -> None:
    whole = served.bars("1m", FIRST, FIRST + 60 * 60)
    keep(bitcoin, whole[:10] + whole[13:30] + whole[31:])
    assert backfill.find_gaps(at=NOW) == 2
    found = Gap.objects.order_by("start").values_list("timeframe", "start", "end", "status")
    assert [(name, start.timestamp() - FIRST, end.timestamp() - FIRST, status) for name, start, end, status in found] == [
        ("1m", 600, 780, "open"),
        ("1m", 1800, 1860, "open"),
    ]
    assert backfill.fill_gaps(at=NOW) == 2
    assert stored(bitcoin) == whole
    assert set(Gap.objects.values_list("status", "attempts", "closed_at")) == {("filled", 1, NOW)}


def test_a_venue_that_does_not_count_trades_leaves_their_number_unknown(served: ServedVenue, bitcoin: Instrument) -> None:
    whole = served.bars("1m", FIRST, FIRST + 60 * 5)
    keep(bitcoin, [whole[0], whole[-1]])
    backfill.find_gaps(at=NOW)
    backfill.fill_gaps(at=NOW)
    assert set(Candle.objects.values_list("trades", "source")) == {(None, Candle.Source.VENUE)}


@pytest.mark.parametrize(
    ("volume", "said", "kept"),
    [("2.5", 31, 31), ("2.5", 0, None), ("0.0", 0, 0), ("0.0", "7", 7), ("2.5", 2**31 - 1, 2**31 - 1)],
)
def test_a_venues_count_of_trades_is_kept_when_it_tells_one(volume: str, said: int | str, kept: int | None) -> None:
    row = [60_000, "1", "2", "0.5", "1.5", volume, 119_999, "0", said, "0", "0", "0"]
    assert BinanceProvider._bar(row).trades == kept
    k = {"t": 60_000, "i": "1m", "o": "1", "h": "2", "l": "0.5", "c": "1.5", "v": volume, "n": int(said), "x": True}
    provider = BinanceProvider()
    provider.now_ms = lambda: 120_000
    assert provider.normalise({"e": "kline", "s": "BTCUSDT", "k": k}).bar.trades == kept
    del k["n"]
    assert provider.normalise({"e": "kline", "s": "BTCUSDT", "k": k}).bar.trades is None


@pytest.mark.parametrize("trades", [-1, 2**31, "many", None])
def test_a_count_that_cannot_be_makes_no_bar(trades: object) -> None:
    with pytest.raises(ProviderError, match="a bar makes no sense"):
        BinanceProvider._bar([60_000, "1", "2", "0.5", "1.5", "1", 119_999, "0", trades, "0", "0", "0"])


def test_filling_again_changes_nothing(served: ServedVenue, bitcoin: Instrument) -> None:
    whole = served.bars("1m", FIRST, FIRST + 60 * 20)
    keep(bitcoin, whole[:5] + whole[9:])
    backfill.find_gaps(at=NOW)
    backfill.fill_gaps(at=NOW)
    before = [list(Candle.objects.order_by("time").values()), list(Gap.objects.values())]
    later = NOW + timedelta(minutes=5)
    assert backfill.find_gaps(at=later) == 0
    assert backfill.fill_gaps(at=later) == 0
    assert backfill.fill_gap(gap_id=Gap.objects.get().pk, at=later) is False
    assert [list(Candle.objects.order_by("time").values()), list(Gap.objects.values())] == before


def test_a_hole_in_longer_bars_is_a_hole_too(served: ServedVenue, bitcoin: Instrument) -> None:
    whole = served.bars("1h", FIRST - 86400, FIRST)
    keep(bitcoin, whole[:3] + whole[5:], "1h")
    assert backfill.find_gaps(at=NOW) == 1
    backfill.fill_gaps(at=NOW)
    assert stored(bitcoin, "1h") == whole


def test_a_long_hole_is_asked_for_by_pages(served: ServedVenue, bitcoin: Instrument) -> None:
    start, end = FIRST - 86400, FIRST
    pages: list[int] = []
    bars = backfill.fetch(bitcoin, TIMEFRAMES["1m"], start=start, end=end, page_done=lambda page: pages.append(len(page)))
    assert pages == [1000, 440]
    assert [bar.time for bar in bars] == list(range(start, end, 60))


def test_the_unfinished_bar_by_the_venues_clock_is_not_taken_for_a_closed_one(bitcoin: Instrument) -> None:
    """Its clock is years from ours here, and hours behind in a replay that catches up."""
    running = VENUE_NOW // 60 * 60
    bars = backfill.fetch(bitcoin, TIMEFRAMES["1m"], start=running - 120, end=running + 600)
    assert [bar.time for bar in bars] == [running - 120, running - 60]


def test_a_hole_that_the_venue_has_no_bars_for_is_given_up(bitcoin: Instrument) -> None:
    opened = FIRST - 400 * 86400  # before the venue began
    keep(bitcoin, [[opened, 1, 1, 1, 1, 1], [opened + 300, 1, 1, 1, 1, 1]])
    backfill.find_gaps(at=NOW)
    for attempt in range(1, backfill.MOST_ATTEMPTS + 1):
        assert Gap.objects.get().status == Gap.Status.OPEN
        backfill.fill_gaps(at=NOW)
        assert Gap.objects.get().attempts == attempt
    gap = Gap.objects.get()
    assert (gap.status, gap.closed_at) == (Gap.Status.EMPTY, NOW)
    assert backfill.find_gaps(at=NOW) == 0
    assert len(stored(bitcoin)) == 2


def test_a_silent_venue_costs_no_attempt_and_keeps_no_other_waiting(served: ServedVenue, bitcoin: Instrument) -> None:
    whole = served.bars("1m", FIRST, FIRST + 60 * 20)
    nobody = VenueFactory(code="nobody", base_url="http://127.0.0.1:9/nobody")
    silent = InstrumentFactory(venue=nobody, venue_symbol="BTCUSDT")
    strange = InstrumentFactory(venue=VenueFactory(code="strange", provider="no-such-adapter"))
    for instrument in (bitcoin, silent, strange):
        keep(instrument, [row for place, row in enumerate(whole) if place not in (3, 7, 11)])
    assert backfill.find_gaps(at=NOW) == 9
    assert backfill.fill_gaps(at=NOW) == 3
    assert stored(bitcoin) == whole
    left = Gap.objects.exclude(instrument=bitcoin)
    assert set(left.values_list("status", "attempts")) == {("open", 0)}
    with pytest.raises(ProviderError, match=silent.ref):
        backfill.fill_gap(gap_id=left.filter(instrument=silent)[0].pk, at=NOW)


def test_holes_of_venues_that_were_switched_off_do_not_take_the_places_of_others(
    served: ServedVenue, bitcoin: Instrument
) -> None:
    whole = served.bars("1m", FIRST, FIRST + 60 * 20)
    keep(bitcoin, whole[:3] + whole[4:])
    backfill.find_gaps(at=NOW)
    off = InstrumentFactory(venue=VenueFactory(code="off"))
    keep(off, whole[::2])
    backfill.find_gaps(at=NOW + timedelta(minutes=1))
    Venue.objects.filter(code="off").update(is_enabled=False)
    assert backfill.fill_gaps(at=NOW, most=5) == 1


def test_instruments_with_trading_hours_have_no_holes(served: ServedVenue, bitcoin: Instrument) -> None:
    stock = InstrumentFactory(calendar="XNYS", venue=bitcoin.venue)
    keep(stock, served.bars("1m", FIRST, FIRST + 600)[::3])
    assert backfill.find_gaps(at=NOW) == 0


def test_a_download_stops_before_the_bar_that_runs_and_goes_on_where_it_stopped(
    served: ServedVenue, bitcoin: Instrument, capsys: pytest.CaptureFixture[str]
) -> None:
    day = f"{NOW:%Y-%m-%d}"
    whole = served.bars("5m", FIRST + 86400, VENUE_NOW // 300 * 300)
    keep(bitcoin, whole[:4], "5m")
    for _ in range(2):
        call_command("download", bitcoin.ref, "--timeframe", "5m", "--start", day)
    assert stored(bitcoin, "5m") == whole
    assert f"{len(whole) - 4} bars new" in capsys.readouterr().out


def test_a_download_from_a_venue_that_is_down_says_what_must_run_and_one_that_broke_off_goes_on(
    served: ServedVenue, bitcoin: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("download", bitcoin.ref, "--timeframe", "5m", "--start", f"{NOW:%Y-%m-%d}")
    monkeypatch.setattr(BinanceProvider, "bars", refuse)
    with pytest.raises(CommandError, match=f"stopped at {NOW:%Y-%m-%d} .* Run it again to go on"):
        call_command(*asked)
    Venue.objects.update(base_url="http://127.0.0.1:9/simulated")
    with pytest.raises(CommandError, match=r"does not answer at http://127\.0\.0\.1:9/simulated: .*`make run`") as refused:
        call_command(*asked)
    assert "again" not in str(refused.value)


# -- longer bars --------------------------------------------------------------------------------------------------------


def traded(minutes: int, seed: int = 3) -> list[Trade]:
    """Two to five trades in every minute."""
    dice = random.Random(seed)
    trades: list[Trade] = []
    for minute in range(minutes):
        for part in range(dice.randint(2, 5)):
            size = Decimal(dice.randint(1, 10**6)).scaleb(-5)
            at = (FIRST + minute * 60) * 1000 + part * 9000
            trades.append(Trade("BTCUSDT", len(trades) + 1, at, round(60_000 + dice.gauss(0, 50), 2), size, 1))
    return trades


def aggregated(trades: list[Trade]) -> dict[tuple[str, int], Bar]:
    aggregator = Aggregator(TIMEFRAMES["1m"], TIMEFRAMES.values())
    aggregator.connected(FIRST)
    closed = [item for trade in trades for item in aggregator.add(trade)]
    closed += aggregator.tick(FIRST + 86400 + 60)
    assert all(item.complete for item in closed if item.bar.time < FIRST + 86400)
    return {(item.timeframe, item.bar.time): item.bar for item in closed}


def test_candles_are_rolled_up_to_the_bars_that_the_aggregator_makes() -> None:
    instrument = InstrumentFactory()
    made = aggregated(traded(1440))
    minutes = [bar for (name, time), bar in made.items() if name == "1m" and time < FIRST + 86400]
    write_candles((instrument.pk, "1m", bar) for bar in minutes)
    base = TIMEFRAMES["1m"]
    for timeframe in list(TIMEFRAMES.values())[1:]:
        wanted = {time: bar for (name, time), bar in made.items() if name == timeframe.name and time < FIRST + 86400}
        start = datetime.fromtimestamp(FIRST, UTC)
        assert backfill.roll_up_candles(instrument_id=instrument.pk, base=base, timeframe=timeframe, start=start) == len(wanted)
        columns = ("time", "open", "high", "low", "close", "volume", "trades", "source", "revision")
        rows = Candle.objects.filter(timeframe=timeframe.name).order_by("time").values_list(*columns)
        assert [(int(row[0].timestamp()), *row[1:]) for row in rows] == [tuple(bar) for bar in wanted.values()]
        # The stream writes the same bars: no amendment, and nobody is told.
        assert write_candles((instrument.pk, timeframe.name, bar) for bar in wanted.values()) == []


def test_only_missing_bars_with_all_their_parts_are_rolled_up() -> None:
    instrument = InstrumentFactory()
    rows = [[FIRST + 60 * n, 10.0, 12.0, 9.0, 11.0, 1.0] for n in range(15)]
    keep(instrument, rows[:7] + rows[8:])
    theirs = [FIRST, 1.0, 2.0, 1.0, 2.0, 7.0]
    keep(instrument, [theirs], "5m")

    def rolled() -> int:
        return backfill.roll_up_candles(
            instrument_id=instrument.pk, base=Timeframe.of("1m"), timeframe=Timeframe.of("5m"),
            start=datetime.fromtimestamp(FIRST + 11 * 60, UTC) - timedelta(minutes=11),
        )  # fmt: skip

    assert (rolled(), rolled()) == (1, 0)
    assert stored(instrument, "5m") == [theirs, [FIRST + 600, 10.0, 12.0, 9.0, 11.0, 5.0]]
    assert Candle.objects.get(timeframe="5m", time=datetime.fromtimestamp(FIRST + 600, UTC)).trades is None


# -- markets ------------------------------------------------------------------------------------------------------------


def enabled() -> set[str]:
    return set(Venue.objects.filter(is_enabled=True).values_list("code", flat=True))


@pytest.mark.parametrize(
    ("feed", "connected"),
    [
        ("recorded", {"recorded", "replay"}),
        ("simulated", {"simulated"}),
        ("binance", {"binance"}),
        ("off", set()),
    ],
)
def test_markets_are_set_up_once_and_follow_the_feed(feed: str, connected: set[str]) -> None:
    markets.set_up_markets(feed=feed)
    before = [list(Venue.objects.order_by("pk").values()), list(Instrument.objects.order_by("pk").values())]
    assert enabled() == connected
    assert set(Venue.objects.values_list("code", flat=True)) == {plan.code for plan in markets.VENUES}
    assert Instrument.objects.count() == sum(len(plan.symbols) for plan in markets.VENUES)
    markets.set_up_markets(feed=feed)
    assert [list(Venue.objects.order_by("pk").values()), list(Instrument.objects.order_by("pk").values())] == before


def test_without_recordings_auto_is_the_simulation(settings: LazySettings, tmp_path) -> None:
    settings.RECORDED_DATA = tmp_path
    markets.set_up_markets(feed="auto")
    assert enabled() == {"simulated"}
    (tmp_path / "MANIFEST.tsv").touch()
    markets.set_up_markets(feed="auto")
    assert enabled() == {"recorded", "replay"}


def test_what_staff_changed_stays_and_only_local_venues_follow_a_new_feed(settings: LazySettings) -> None:
    markets.set_up_markets(feed="binance")
    staff = UserFactory(is_staff=True)
    binance = Venue.objects.get(code="binance")
    markets.switch_venue(venue_id=binance.pk, enabled=True, actor=staff, at=NOW)
    Instrument.objects.filter(ref="binance:BTC-USDT").update(tick_size=Decimal("0.1"), is_active=False)
    settings.LOCAL_VENUE_URL = "http://127.0.0.1:9999"
    markets.set_up_markets(feed="simulated")
    assert enabled() == {"binance", "simulated"}
    kept = Instrument.objects.get(ref="binance:BTC-USDT")
    assert (kept.tick_size, kept.is_active) == (Decimal("0.1"), False)
    assert Venue.objects.get(code="simulated").base_url == "http://127.0.0.1:9999/simulated"
    assert Venue.objects.get(code="binance").base_url == ""


def test_switching_a_venue_twice_is_one_event() -> None:
    venue, staff = VenueFactory(is_enabled=False), UserFactory(is_staff=True)
    for _ in range(2):
        assert markets.switch_venue(venue_id=venue.pk, enabled=True, actor=staff, at=NOW).is_enabled
    (event,) = Event.objects.filter(type="venue.switched")
    assert (event.actor_id, event.payload["venue"], event.payload["enabled"]) == (staff.pk, venue.code, True)


def test_sample_stocks_are_loaded_once() -> None:
    loaded = markets.set_up_samples()
    stocks = Instrument.objects.filter(venue__code="sample")
    assert stocks.count() == 5
    assert loaded == Candle.objects.count() > 10_000
    assert markets.set_up_samples() == 0
    assert {(stock.calendar, stock.base_timeframe, stock.venue.is_enabled) for stock in stocks} == {("XNYS", "1d", False)}


# -- watchlists -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def person() -> User:
    return UserFactory()


def refs(watchlist: Watchlist) -> list[str]:
    return [item.instrument.ref for item in watchlist.items.all()]


def test_a_watchlist_keeps_the_order_in_which_it_was_given(person: User) -> None:
    one, two, three = (InstrumentFactory().ref for _ in range(3))
    made = watchlists.create(owner=person, name="Majors", refs=[three, one, three, two])
    assert refs(made) == [three, one, two]
    for _ in range(2):
        changed = watchlists.change(watchlist_id=made.pk, name="Favourites", refs=[two, three, one])
        assert (changed.name, refs(changed)) == ("Favourites", [two, three, one])
    assert refs(watchlists.change(watchlist_id=made.pk, name="Majors")) == [two, three, one]
    assert refs(watchlists.change(watchlist_id=made.pk, refs=[])) == []


def test_a_name_is_taken_once_for_each_person(person: User) -> None:
    mine = watchlists.create(owner=person, name="Majors")
    other = watchlists.create(owner=person, name="Minors")
    watchlists.create(owner=UserFactory(), name="Majors")
    with pytest.raises(watchlists.NameTaken, match="Majors"):
        watchlists.create(owner=person, name="Majors")
    with pytest.raises(watchlists.NameTaken):
        watchlists.change(watchlist_id=other.pk, name="Majors")
    assert watchlists.change(watchlist_id=mine.pk, name="Majors").name == "Majors"
    assert [one.name for one in watchlists.of(person)] == ["Majors", "Minors"]


def test_an_unknown_instrument_changes_nothing(person: User) -> None:
    known, off = InstrumentFactory(), InstrumentFactory(is_active=False)
    made = watchlists.create(owner=person, name="Majors", refs=[known.ref])
    for wrong in ("nowhere:NONE", off.ref):
        with pytest.raises(watchlists.UnknownInstrument, match=wrong):
            watchlists.change(watchlist_id=made.pk, name="Other", refs=[wrong])
        with pytest.raises(watchlists.UnknownInstrument):
            watchlists.create(owner=person, name="Third", refs=[known.ref, wrong])
    (kept,) = watchlists.of(person)
    assert (kept.name, refs(kept)) == ("Majors", [known.ref])


def test_an_instrument_that_was_switched_off_stays_on_lists_and_others_can_join_it(person: User) -> None:
    gone, fresh = InstrumentFactory(), InstrumentFactory()
    made = watchlists.create(owner=person, name="Majors", refs=[gone.ref])
    Instrument.objects.filter(pk=gone.pk).update(is_active=False)
    assert refs(watchlists.change(watchlist_id=made.pk, refs=[gone.ref, fresh.ref])) == [gone.ref, fresh.ref]


def test_lists_and_what_is_on_them_are_limited(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlists, "MOST_LISTS", 2)
    monkeypatch.setattr(watchlists, "MOST_INSTRUMENTS", 2)
    three = [InstrumentFactory().ref for _ in range(3)]
    made = watchlists.create(owner=person, name="A", refs=three[:2])
    with pytest.raises(watchlists.TooMany, match="2 instruments"):
        watchlists.change(watchlist_id=made.pk, refs=three)
    watchlists.create(owner=person, name="B")
    with pytest.raises(watchlists.TooMany, match="2 watchlists"):
        watchlists.create(owner=person, name="C")
    assert watchlists.create(owner=UserFactory(), name="C").name == "C"
