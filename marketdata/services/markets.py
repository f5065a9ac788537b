"""Venues and instruments: setting them up, switching venues on and off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from clusterx.accounts.models import User
from clusterx.events import log
from marketdata.bars import Bars
from marketdata.models import Instrument, Venue
from marketdata.providers import sample
from marketdata.store import write_bars

LOCAL = {"recorded", "replay", "simulated"}
FEEDS = {"recorded": {"recorded", "replay"}, "simulated": {"simulated"}, "binance": {"binance"}, "off": set()}


@dataclass(frozen=True)
class VenueSetUp:
    code: str
    name: str
    mode: str
    provider: str
    clock_rate: float
    symbols: tuple[str, ...]
    base_timeframe: str = "1m"
    has_ticks: bool = True


# base, quote, tick, lot, name
PAIRS = {
    "BTC-USDT": ("0.01", "0.00001", "Bitcoin"),
    "ETH-USDT": ("0.01", "0.0001", "Ether"),
    "SOL-USDT": ("0.01", "0.001", "Solana"),
    "XRP-USDT": ("0.0001", "1", "XRP"),
    "DOGE-USDT": ("0.00001", "1", "Dogecoin"),
    "ADA-USDT": ("0.0001", "1", "Cardano"),
    "BNB-USDT": ("0.01", "0.001", "BNB"),
    "LTC-USDT": ("0.01", "0.001", "Litecoin"),
}
SAMPLE = "Sample stocks"
VENUES = (
    VenueSetUp("recorded", "Binance, recorded", Venue.Mode.RECORDED, "binance", 1.0, ("BTC-USDT",)),
    VenueSetUp(
        "replay", "Binance bars, replayed", Venue.Mode.RECORDED, "binance", 60.0,
        ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "DOGE-USDT"), "5m", False,
    ),
    VenueSetUp(
        "simulated", "Simulated exchange", Venue.Mode.SIMULATED, "binance", 10.0,
        ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT"),
    ),
    VenueSetUp("binance", "Binance", Venue.Mode.LIVE, "binance", 1.0, tuple(PAIRS)),
)  # fmt: skip


@dataclass(frozen=True)
class VenueSwitched:
    """Staff connected the platform to a venue or let go of it."""

    venue: str
    enabled: bool


log.register_payload("venue.switched")(VenueSwitched)


def venue_names() -> list[str]:
    """What the venues that ship with the platform are called, for translators."""
    return [*(plan.name for plan in VENUES), SAMPLE]


def feed_venues(feed: str) -> set[str]:
    """The venues that a FEED connects to; ``auto`` takes recordings where they are."""
    if feed == "auto":
        feed = "recorded" if (settings.RECORDED_DATA / "MANIFEST.tsv").exists() else "simulated"
    return FEEDS[feed]


@transaction.atomic
def set_up_markets(*, feed: str) -> None:
    """Make the venues and instruments that ship with the platform. A second call changes nothing but addresses.

    A venue is switched on by its feed when it is made; from then on people's choice stands, except that local venues follow
    the feed, because only one that is served can be connected to.
    """
    connected = feed_venues(feed)
    for plan in VENUES:
        local = plan.code in LOCAL
        fixed: dict[str, str | bool] = {"base_url": f"{settings.LOCAL_VENUE_URL}/{plan.code}" if local else ""}
        if local or plan.code in connected:
            fixed["is_enabled"] = plan.code in connected
        fresh = {"name": plan.name, "mode": plan.mode, "provider": plan.provider, "clock_rate": plan.clock_rate}
        venue, _ = Venue.objects.update_or_create(code=plan.code, defaults=fixed, create_defaults=fresh | fixed)
        for symbol in plan.symbols:
            tick, lot, name = PAIRS[symbol]
            base, quote = symbol.split("-")
            Instrument.objects.get_or_create(
                venue=venue,
                symbol=symbol,
                defaults={
                    "venue_symbol": base + quote, "name": name, "base": base, "quote": quote,
                    "tick_size": Decimal(tick), "lot_size": Decimal(lot), "min_notional": Decimal(5),
                    "base_timeframe": plan.base_timeframe, "has_ticks": plan.has_ticks,
                },
            )  # fmt: skip


@transaction.atomic
def set_up_samples() -> int:
    """Real daily stock bars, so that there is history to look at on any machine; return how many bars are new.

    Loaded once: stocks that are there already are left alone.
    """
    venue, _ = Venue.objects.get_or_create(
        code="sample", defaults={"name": SAMPLE, "mode": Venue.Mode.SAMPLE, "is_enabled": False}
    )
    loaded = 0
    known = set(venue.instruments.values_list("symbol", flat=True))
    for stock in () if len(known) >= len(sample.NAMES) else sample.stocks():
        if stock.ticker in known:
            continue
        instrument = Instrument.objects.create(
            venue=venue, symbol=stock.ticker, venue_symbol=stock.ticker, name=sample.NAMES.get(stock.ticker, ""),
            kind=Instrument.Kind.STOCK, base=stock.ticker, quote="USD", tick_size=Decimal("0.01"),
            lot_size=Decimal(1), min_notional=Decimal(1), calendar="XNYS", base_timeframe="1d", has_ticks=False,
        )  # fmt: skip
        loaded += write_bars(instrument.pk, "1d", Bars.of(stock.bars), source=sample.FILE_SOURCE)
    return loaded


def ensure_venue(*, code: str, name: str) -> Venue:
    """The live venue called ``code``; one that no stream connects to is made, for accounts to refer to."""
    venue, _ = Venue.objects.get_or_create(code=code, defaults={"name": name, "mode": Venue.Mode.LIVE})
    return venue


@transaction.atomic
def switch_venue(*, venue_id: int, enabled: bool, actor: User, at: datetime) -> Venue:
    """Connect the stream to a venue, or let go of it. The stream follows within seconds; a second call changes nothing."""
    venue = Venue.objects.select_for_update().get(pk=venue_id)
    if venue.is_enabled != enabled:
        venue.is_enabled = enabled
        venue.save(update_fields=["is_enabled"])
        payload = VenueSwitched(venue.code, enabled)
        log.append(stream="markets", type="venue.switched", payload=payload, actor=actor, at=at)
    return venue
