"""What people fill in to run a strategy. Ranges are checked by the contract; forms turn words into values and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from marketdata.overview import timeframes_for
from marketdata.timeframes import TIMEFRAMES
from strategies import wording
from strategies.conditions import is_borrowed
from strategies.contract import InvalidParameter, Parameter
from strategies.wording import said

PARAMETER_PREFIX: Final = "p-"
INSTRUMENT_PREFIX: Final = "instrument"
MOST_CASH: Final = 1e12
# Exchange-like: what a large venue takes of a small customer, and half a spread of a liquid market.
# Who sells coins or shares short has borrowed them: a tenth a year is what margin desks ask for the common ones.
EXCHANGE: Final = {"fee": 0.001, "slippage": 0.0005, "borrow": 0.1}
ZERO: Final = {"fee": 0.0, "slippage": 0.0, "borrow": 0.0}
DAYS: Final = {"1m": 30, "3m": 91, "1y": 365}
SPANS: Final = (
    ("1m", _("1 month")),
    ("3m", _("3 months")),
    ("1y", _("1 year")),
    ("all", _("All we have")),
    ("dates", _("Dates")),
)
COSTS: Final = (("exchange", _("Exchange-like")), ("zero", _("Zero")), ("custom", _("Custom")))
BENCHMARKS: Final = (("buy-and-hold", _("Buy and hold the same")), ("none", _("None")))
Span = tuple[datetime, datetime]


class RunForm(forms.Form):
    """Asks for a run of one strategy; it has a field ``p-<name>`` for each parameter and an instrument for each leg."""

    timeframe = forms.ChoiceField(label=_("Timeframe"), choices=[(name, name) for name in TIMEFRAMES], initial="1h")
    span = forms.ChoiceField(label=_("Span"), choices=SPANS, initial="all", widget=forms.RadioSelect)
    start = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    cash = forms.FloatField(label=_("Capital"), min_value=1, max_value=MOST_CASH, initial=10_000)
    costs = forms.ChoiceField(label=_("Costs"), choices=COSTS, initial="exchange", widget=forms.RadioSelect)
    fee = forms.FloatField(label=_("Fee of a fill, %"), min_value=0, max_value=50, initial=0.1, required=False, step_size=0.001)
    slippage = forms.FloatField(
        label=_("Slippage of a fill, %"), min_value=0, max_value=50, initial=0.05, required=False, step_size=0.001
    )
    borrow = forms.FloatField(
        label=_("Borrowing for shorts, % a year"), min_value=0, max_value=1000, initial=10, required=False, step_size=0.01
    )
    benchmark = forms.ChoiceField(label=_("Compared with"), choices=BENCHMARKS, initial="buy-and-hold")

    def __init__(
        self, *args: Any, parameters: Sequence[Parameter], legs: int, instruments: Any, timeframe: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.parameters, self.legs = tuple(parameters), legs
        for name in self.instrument_names:
            self.fields[name] = forms.ModelChoiceField(
                label=_("Instrument"), queryset=instruments, to_field_name="ref", empty_label=None
            )
        for parameter in self.parameters:
            self.fields[PARAMETER_PREFIX + parameter.name] = parameter_field(parameter)
        for name in ("start", "end"):
            self.fields[name].widget.format = "%Y-%m-%d"  # type: ignore[attr-defined]  # whatever the language, as browsers want it
        for name in self.fields:
            self.fields[name].validators = [_readable(one) for one in self.fields[name].validators]
            self.fields[name].widget.use_required_attribute = lambda initial: False  # type: ignore[method-assign]
        if timeframe in TIMEFRAMES:
            self.fields["timeframe"].initial = timeframe

    @property
    def instrument_names(self) -> list[str]:
        return [INSTRUMENT_PREFIX if leg == 0 else f"{INSTRUMENT_PREFIX}-{leg + 1}" for leg in range(self.legs)]

    @property
    def instrument_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.instrument_names]

    @property
    def parameter_fields(self) -> list[forms.BoundField]:
        """The strategy's own fields, in the order it declares them."""
        return [self[PARAMETER_PREFIX + parameter.name] for parameter in self.parameters]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self.instrument_names:
            one, timeframe = cleaned.get(name), cleaned.get("timeframe")
            if one and timeframe and timeframe not in timeframes_for(one):
                offered = ", ".join(timeframes_for(one))
                self.add_error("timeframe", gettext("%(symbol)s has %(offered)s.") % {"symbol": one.symbol, "offered": offered})
        chosen = [cleaned[name].ref for name in self.instrument_names if cleaned.get(name)]
        if len(set(chosen)) < len(chosen):
            self.add_error(self.instrument_names[-1], gettext("Choose another instrument than the one before."))
        if cleaned.get("span") == "dates":
            for name in ("start", "end"):
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, gettext("Choose a date."))
            if cleaned.get("start") and cleaned.get("end") and cleaned["start"] >= cleaned["end"]:
                self.add_error("end", gettext("It must be after the first date."))
        if cleaned.get("costs") == "custom":
            for name in ("fee", "slippage"):
                if cleaned.get(name) is None and name not in self.errors:
                    self.add_error(name, gettext("Type a number; 0 is one."))
        for parameter in self.parameters:
            self._accept(parameter, cleaned)
        return cleaned

    def _accept(self, parameter: Parameter, cleaned: dict[str, Any]) -> None:
        name = PARAMETER_PREFIX + parameter.name
        if cleaned.get(name) is None:
            return
        try:
            parameter.accept(cleaned[name])
        except InvalidParameter as error:
            self.add_error(name, error.message)

    def tell(self, field: str, facts: dict[str, Any], message: str) -> None:
        """Put what a service refused beside the field it names (as ``RunRequest`` has them)."""
        head, _dot, rest = field.partition(".")
        if head == "parameters" or PARAMETER_PREFIX + field in self.fields:
            parameter = rest or field
            labels = {one.name: said(one.label) for one in self.parameters}
            if facts.get("below") in labels:
                message = gettext("It must be less than “%(other)s”.") % {"other": labels[facts["below"]]}
            place: str | None = PARAMETER_PREFIX + parameter
        else:
            place = {"instruments": INSTRUMENT_PREFIX, "costs": rest or "costs", "start": "span", "end": "span"}.get(head, head)
        if place == "start" and self.cleaned_data.get("span") != "dates":
            place = "span"
        self.add_error(place if place in self.fields else None, message)

    @property
    def values(self) -> dict[str, Any]:
        """The parameters by name."""
        return {one.name: self.cleaned_data[PARAMETER_PREFIX + one.name] for one in self.parameters}

    @property
    def chosen(self) -> list[Instrument]:
        return [self.cleaned_data[name] for name in self.instrument_names]

    @property
    def cost_values(self) -> dict[str, float]:
        match self.cleaned_data["costs"]:
            case "exchange":
                return EXCHANGE | ({} if any(is_borrowed(one.kind) for one in self.chosen) else {"borrow": 0.0})
            case "zero":
                return dict(ZERO)
        return {name: (self.cleaned_data[name] or 0.0) / 100 for name in EXCHANGE}

    def span_of(self, first: datetime, end: datetime) -> Span:
        """First and last moment of the run; ``first`` and ``end`` are those of the bars there are."""
        span = self.cleaned_data["span"]
        if span == "dates":
            return _midnight(self.cleaned_data["start"]), _midnight(self.cleaned_data["end"] + timedelta(days=1))
        if span == "all":
            return first, end
        return max(first, end - timedelta(days=DAYS[span])), end


class Limit(float):
    """A limit of a field as its refusals write it: digits grouped, and no decimals that say nothing."""

    def __str__(self) -> str:
        return number_format(Decimal(f"{float(self):.15g}"), force_grouping=True)


def _readable(validator: Any) -> Any:
    if isinstance(validator, MinValueValidator | MaxValueValidator):
        return type(validator)(Limit(validator.limit_value), validator.message)
    return validator


def parameter_field(parameter: Parameter) -> forms.Field:
    """The form field of a declared parameter."""
    common: dict[str, Any] = {"label": said(parameter.label), "initial": parameter.default, "help_text": hint(parameter)}
    match parameter.kind:
        case "choice":
            return forms.ChoiceField(choices=wording.choices(parameter.choices), **common)
        case "int":
            low, high = (None if limit is None else int(limit) for limit in (parameter.minimum, parameter.maximum))
            return forms.IntegerField(min_value=low, max_value=high, **common)
    # Steps are for searches: between two of them a number is as good, and a browser would refuse it.
    field = forms.FloatField(min_value=parameter.minimum, max_value=parameter.maximum, **common)
    field.widget.attrs["step"] = "any"
    return field


def hint(parameter: Parameter) -> str:
    """What it means, and its range."""
    if parameter.minimum is None or parameter.maximum is None:
        return said(parameter.help)
    return f"{said(parameter.help)} {parameter.minimum:g}–{parameter.maximum:g}".strip()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class StrategyForm(forms.Form):
    """Names a strategy."""

    name = forms.CharField(label=_("Name"), max_length=80)
