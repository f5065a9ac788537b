"""Market data as it is stored: what can be traded, its candles, ticks and signals.

Prices and quantities of market data are float64: they are analysed, never owed (``docs/architecture.md``, Money).
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from clusterx.db.fields import HypertableTimeField
from marketdata.timeframes import TIMEFRAMES


class Venue(models.Model):
    """A place that publishes prices. What it publishes is never mixed with another venue's.

    A recording and a simulation are venues of their own, so that nobody takes their prices for live ones.
    """

    class Mode(models.TextChoices):
        LIVE = "live", _("Live")
        RECORDED = "recorded", _("Recorded")
        SIMULATED = "simulated", _("Simulated")
        SAMPLE = "sample", _("Sample")

    code = models.SlugField(max_length=24, unique=True)
    name = models.CharField(max_length=60)
    mode = models.CharField(max_length=12, choices=Mode.choices)
    provider = models.SlugField(max_length=24, blank=True, help_text=_("The adapter that connects to it; empty: none."))
    base_url = models.CharField(
        max_length=200,
        blank=True,
        help_text=_("Another server that speaks the venue's protocol; empty: the venue's own."),
    )
    clock_rate = models.FloatField(default=1.0, help_text=_("How much faster than ours the venue's clock runs."))
    is_enabled = models.BooleanField(
        _("connected"), default=False, help_text=_("Whether the stream process keeps a connection to it.")
    )

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.name


class Instrument(models.Model):
    """Something that can be traded at one venue, named ``venue:BASE-QUOTE`` or ``venue:TICKER``."""

    class Kind(models.TextChoices):
        SPOT = "spot", _("Spot")
        PERPETUAL = "perpetual", _("Perpetual")
        FUTURE = "future", _("Future")
        STOCK = "stock", _("Stock")
        INDEX = "index", _("Index")
        FOREX = "forex", _("Forex")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="instruments")
    symbol = models.CharField(max_length=32)
    ref = models.CharField(max_length=57, unique=True, editable=False, help_text=_("venue:symbol, kept by save()."))
    venue_symbol = models.CharField(max_length=32, blank=True, help_text=_("As the venue itself writes it."))
    name = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SPOT)
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    tick_size = models.DecimalField(max_digits=24, decimal_places=12)
    lot_size = models.DecimalField(max_digits=24, decimal_places=12)
    min_notional = models.DecimalField(max_digits=24, decimal_places=12, default=0)
    calendar = models.CharField(max_length=12, default="24/7", help_text=_("24/7 or an exchange calendar such as XNYS."))
    base_timeframe = models.CharField(
        max_length=3,
        choices=[(name, name) for name in TIMEFRAMES],
        default="1m",
        help_text=_("The finest bars the venue gives; longer ones are rolled up from them."),
    )
    has_ticks = models.BooleanField(default=True, help_text=_("Whether the venue publishes trades, quotes and a book."))
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["ref"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["venue", "symbol"], name="instrument_once_per_venue"),
            models.CheckConstraint(
                condition=models.Q(tick_size__gt=0, lot_size__gt=0, min_notional__gte=0),
                name="instrument_sizes_positive",  # rounding divides by them
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    def save(self, *args: object, **kwargs: object) -> None:
        self.ref = f"{self.venue.code}:{self.symbol}"
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class Candle(models.Model):
    """A closed bar, stamped with its opening time. The unfinished bar is never stored.

    Here and in the tables of ticks the instrument is no foreign key to the database: checking it for each row would halve the
    ingest, and instruments are switched off, never deleted.
    """

    class Source(models.IntegerChoices):
        VENUE = 1, _("venue")  # the venue's own bar
        TRADES = 2, _("trades")  # built here from the venue's trades
        ROLLUP = 3, _("roll-up")  # built here from shorter bars
        FILE = 4, _("file")  # loaded by a person

    pk = models.CompositePrimaryKey("instrument_id", "timeframe", "time")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    timeframe = models.CharField(max_length=3)
    time = HypertableTimeField(interval="30 days", compress_after="90 days", segment_by="instrument_id, timeframe")
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    trades = models.IntegerField(null=True)
    source = models.SmallIntegerField(choices=Source.choices)
    revision = models.SmallIntegerField(default=0, help_text=_("How often a late message or the venue changed it."))

    class Meta:
        constraints: ClassVar = [
            # The last wall against a malformed message: a candle that breaks this would poison every indicator.
            models.CheckConstraint(
                name="candle_consistent",
                condition=models.Q(
                    low__gt=0,
                    low__lte=models.F("open"),
                    high__gte=models.F("open"),
                    close__gte=models.F("low"),
                    close__lte=models.F("high"),
                    volume__gte=0,
                    high__lt=float("1e15"),
                    volume__lt=float("1e30"),
                ),
            ),
        ]


class Trade(models.Model):
    """One public trade. ``side`` is the aggressor's: +1 bought, -1 sold."""

    pk = models.CompositePrimaryKey("instrument_id", "time", "trade_id")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    time = HypertableTimeField(interval="1 day", drop_after="7 days")
    trade_id = models.BigIntegerField()
    price = models.FloatField()
    quantity = models.FloatField()
    side = models.SmallIntegerField()


class Quote(models.Model):
    """The best bid and ask, sampled once a second at most."""

    pk = models.CompositePrimaryKey("instrument_id", "time")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    time = HypertableTimeField(interval="1 day", drop_after="7 days")
    bid = models.FloatField()
    bid_size = models.FloatField()
    ask = models.FloatField()
    ask_size = models.FloatField()


class BookSnapshot(models.Model):
    """The first levels of an order book, sampled every ten seconds; best price first."""

    pk = models.CompositePrimaryKey("instrument_id", "time")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    time = HypertableTimeField(interval="1 day", drop_after="7 days")
    sequence = models.BigIntegerField()
    bid_prices = ArrayField(models.FloatField())
    bid_sizes = ArrayField(models.FloatField())
    ask_prices = ArrayField(models.FloatField())
    ask_sizes = ArrayField(models.FloatField())


class LatestPrice(models.Model):
    """What an instrument last traded at: the one row that lists, marks and valuations read."""

    instrument = models.OneToOneField(Instrument, on_delete=models.CASCADE, primary_key=True, related_name="latest")
    price = models.FloatField()
    bid = models.FloatField(null=True)
    ask = models.FloatField(null=True)
    time = models.DateTimeField(help_text=_("The venue's time."))
    received_at = models.DateTimeField(help_text=_("Ours: ages are told by this."))


class Gap(models.Model):
    """A stretch of missing candles: found, and then filled or known to be empty at the venue."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        FILLED = "filled", pgettext_lazy("gap", "Filled")
        EMPTY = "empty", _("The venue has none")

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="gaps")
    timeframe = models.CharField(max_length=3)
    start = models.DateTimeField(help_text=_("Opening time of the first missing bar."))
    end = models.DateTimeField(help_text=_("Opening time of the first bar that is there again."))
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "timeframe", "start"], name="gap_found_once"),
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="gap_has_length"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "found_at"], name="gap_to_fill"),  # the backfill task's queue
        ]


class Signal(models.Model):
    """Something an indicator detected on a closed bar: a cross, a trend start, a break of structure."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="signals")
    timeframe = models.CharField(max_length=3)
    time = models.DateTimeField(help_text=_("Opening time of the bar it was known on."))
    indicator = models.CharField(max_length=80, help_text=_('As in "macd(12,26,9)".'))
    kind = models.CharField(max_length=40)
    direction = models.CharField(max_length=4, choices=[("up", _("up")), ("down", _("down"))])
    label = models.CharField(max_length=80)
    price = models.FloatField()

    class Meta:
        constraints: ClassVar = [
            # Detecting twice stores once.
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "time", "indicator", "kind"], name="signal_detected_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["instrument", "timeframe", "-time"], name="signal_newest"),  # drawn on the chart
        ]


class Watchlist(models.Model):
    """A person's list of instruments."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watchlists")
    name = models.CharField(_("name"), max_length=60)
    instruments = models.ManyToManyField(Instrument, through="WatchlistItem", related_name="+")

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="watchlist_name_once"),  # a name tells them apart
        ]

    def __str__(self) -> str:
        return self.name


class WatchlistItem(models.Model):
    watchlist = models.ForeignKey(Watchlist, on_delete=models.CASCADE, related_name="items")
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["watchlist", "instrument"], name="watchlist_instrument_once"),
        ]
