"""What people fill in. Ranges are checked by the services; forms turn words into values and values into fields."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from marketdata.timeframes import TIMEFRAMES
from strategies import contract, library, wording
from strategies.wording import said
from trading import selectors
from trading.brokers.registry import Field, Offer
from trading.models import Account
from trading.services.accounts import CURRENCIES, MAXIMUM_BALANCE, MINIMUM_BALANCE
from trading.services.paper_terms import Terms

PARAMETER_PREFIX = "p-"
CREDENTIAL_PREFIX = "c-"
MARKETS = {"spot": _("Spot"), "perpetual": _("Perpetual futures"), "future": _("Futures")}
SHORT = f"{PARAMETER_PREFIX}direction"
LONG_SHORT = "long-short"


class AccountForm(forms.Form):
    """Opens a paper account; ``cleaned_data`` are the keywords of ``create_account``."""

    name = forms.CharField(label=_("Name"), max_length=60)
    starting_balance = forms.DecimalField(
        label=_("Starting balance"),
        min_value=MINIMUM_BALANCE,
        max_value=MAXIMUM_BALANCE,
        decimal_places=2,
        initial=Decimal(10_000),
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES], initial="USDT")


class KeyForm(forms.Form):
    """What a broker asks for, as fields ``c-<name>``. What is secret is never written into a page, after an error neither."""

    def __init__(self, *args: Any, offered: Offer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        for one in offered.fields:
            self.fields[CREDENTIAL_PREFIX + one.name] = _credential(one)

    @property
    def credential_fields(self) -> list[forms.BoundField]:
        return [self[CREDENTIAL_PREFIX + one.name] for one in self.offered.fields]

    def credentials(self) -> dict[str, str]:
        return {one.name: self.cleaned_data.get(CREDENTIAL_PREFIX + one.name, "") for one in self.offered.fields}


class ConnectForm(KeyForm):
    """Connects an account at a broker."""

    name = forms.CharField(label=_("Name"), max_length=60)
    money = forms.ChoiceField(label=_("Money"), choices=[("paper", _("Play money")), ("live", _("Real money"))])
    market = forms.ChoiceField(label=_("Market"))
    currency = forms.ChoiceField(
        label=_("Currency"),
        required=False,
        choices=[("", _("What the account holds most of")), *((code, code) for code in CURRENCIES)],
        help_text=_("Strategies trade instruments that are quoted in it."),
    )
    knows_live = forms.BooleanField(label=_("I know that orders cost real money."), required=False)

    field_order = ("name", "money", "market", "currency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = self.offered.label
        self.fields["market"].choices = [(name, MARKETS.get(name, name)) for name in self.offered.markets]  # type: ignore[attr-defined]
        for name, one_only, value in (
            ("money", not self.offered.has_paper, "live"),
            ("market", len(self.offered.markets) == 1, self.offered.markets[0]),
            ("currency", not self.offered.has_currencies, ""),
        ):
            if one_only:
                self.fields[name].initial = value
                self.fields[name].widget = forms.HiddenInput()

    def choices(self) -> dict[str, Any]:
        """The keywords of ``connect_broker`` but ``owner``, ``fields`` and ``at``."""
        return {
            "name": self.cleaned_data["name"],
            "broker": self.offered.name,
            "market": self.cleaned_data["market"],
            "is_paper": self.cleaned_data["money"] == "paper",
            "currency": self.cleaned_data["currency"],
            "knows_live": self.cleaned_data["knows_live"],
        }


class TermsForm(forms.Form):
    """What the paper venue does to an account's orders; percentages of the notional, and of a bar's volume."""

    fee_rate = forms.DecimalField(label=_("Fee, %"), min_value=0, max_value=5, decimal_places=4)
    slippage_rate = forms.DecimalField(label=_("Slippage, %"), min_value=0, max_value=5, decimal_places=4)
    latency = forms.DecimalField(
        label=_("Latency, s"),
        min_value=0,
        max_value=60,
        decimal_places=3,
        help_text=_("How long an order is under way before it can be executed."),
    )
    volume_share = forms.DecimalField(
        label=_("Most of a bar's volume, %"),
        min_value=Decimal("0.01"),
        max_value=100,
        decimal_places=2,
        required=False,
        help_text=_("What one order takes at most; empty: all that it wants."),
    )

    @classmethod
    def showing(cls, terms: Terms) -> TermsForm:
        share = None if terms.volume_share is None else terms.volume_share * 100
        shown = {
            "fee_rate": terms.fee_rate * 100,
            "slippage_rate": terms.slippage_rate * 100,
            "latency": Decimal(str(terms.latency.total_seconds())),
            "volume_share": share,
        }
        return cls(initial={name: None if value is None else f"{value.normalize():f}" for name, value in shown.items()})

    def terms(self) -> Terms:
        given = self.cleaned_data
        share = given["volume_share"]
        return Terms(
            fee_rate=given["fee_rate"] / 100,
            slippage_rate=given["slippage_rate"] / 100,
            latency=timedelta(seconds=float(given["latency"])),
            volume_share=None if share is None else share / 100,
        )


class DeploymentForm(forms.Form):
    """Deploys one strategy; it has a field ``p-<name>`` for each parameter that the strategy declares."""

    instrument = forms.ModelChoiceField(label=_("Instrument"), queryset=Instrument.objects.none(), to_field_name="ref")
    timeframe = forms.ChoiceField(label=_("Timeframe"), choices=[(name, name) for name in TIMEFRAMES])
    allocation = forms.DecimalField(
        label=_("Share of equity at full exposure, %"),
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        decimal_places=2,
        initial=Decimal(20),
    )

    def __init__(self, *args: Any, account: Account, strategy: str, **kwargs: Any) -> None:
        """Raises UnknownStrategy."""
        super().__init__(*args, **kwargs)
        self.account = account
        self.strategy = library.get(strategy)
        instruments = selectors.deployable_instruments(account)
        self.fields["instrument"].queryset = instruments  # type: ignore[attr-defined]
        if self.initial.get("instrument"):  # chosen already: there is no nothing to go back to
            self.fields["instrument"].empty_label = None  # type: ignore[attr-defined]
        self.instruments = list(instruments)
        offered = {name for one in self.instruments for name in selectors.timeframes_for(one)} or TIMEFRAMES
        self.fields["timeframe"].choices = [(name, name) for name in TIMEFRAMES if name in offered]  # type: ignore[attr-defined]
        for parameter in self.strategy.parameters:
            self.fields[PARAMETER_PREFIX + parameter.name] = _field(parameter)
        if SHORT in self.fields and not any(map(selectors.short_allowed, self.instruments)):
            field = self.fields[SHORT]
            field.choices = [one for one in field.choices if one[0] != LONG_SHORT]  # type: ignore[attr-defined]

    def fits(self) -> dict[str, dict[str, Any]]:
        """What each instrument has, by its reference: for the script that offers no more than that."""
        return {
            one.ref: {"timeframes": selectors.timeframes_for(one), "short": selectors.short_allowed(one)}
            for one in self.instruments
        }

    @property
    def parameter_fields(self) -> list[forms.BoundField]:
        """The strategy's own fields, in the order it declares them."""
        return [self[PARAMETER_PREFIX + parameter.name] for parameter in self.strategy.parameters]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        instrument, timeframe = cleaned.get("instrument"), cleaned.get("timeframe")
        if instrument and timeframe and timeframe not in selectors.timeframes_for(instrument):
            offered = ", ".join(selectors.timeframes_for(instrument))
            self.add_error("timeframe", _("This instrument has %(offered)s.") % {"offered": offered})
        if instrument and cleaned.get(SHORT) == LONG_SHORT and not selectors.short_allowed(instrument):
            self.add_error(SHORT, _("This instrument cannot be sold short."))
        self._check_parameters()
        return cleaned

    def _check_parameters(self) -> None:
        """Ranges and the rules between parameters, in one round: a rule is looked at also where a range is not kept."""
        values: dict[str, contract.Value] = {}
        for parameter in self.strategy.parameters:
            name = PARAMETER_PREFIX + parameter.name
            value = self.cleaned_data.get(name)
            if value is None:
                value = _typed(parameter, self.data.get(name, ""))
            if value is None:
                return
            values[parameter.name] = value
        try:
            if any(name.startswith(PARAMETER_PREFIX) for name in self.errors):
                self.strategy.check(contract.Parameters(values))
            else:
                contract.validate(self.strategy, values)
        except contract.InvalidParameter as error:
            self.add_error(PARAMETER_PREFIX + error.facts["field"], self._told(error))

    def _told(self, error: contract.InvalidParameter) -> str:
        """The contract is pure and knows no languages; ranges are the fields' own, rules between parameters are told here."""
        labels = {parameter.name: said(parameter.label) for parameter in self.strategy.parameters}
        if error.facts.get("below") in labels:
            return gettext("It must be less than “%(other)s”.") % {"other": labels[error.facts["below"]]}
        return error.message

    @property
    def values(self) -> dict[str, Any]:
        """The parameters by name."""
        return {parameter.name: self.cleaned_data[PARAMETER_PREFIX + parameter.name] for parameter in self.strategy.parameters}

    def cleaned(self) -> dict[str, Any]:
        """The keywords of ``deploy`` but ``at`` and ``actor``; call it on a valid form."""
        return {
            "account_id": self.account.pk,
            "strategy": self.strategy.name,
            "values": self.values,
            "instrument_id": self.cleaned_data["instrument"].pk,
            "timeframe": self.cleaned_data["timeframe"],
            "allocation": self.cleaned_data["allocation"] / 100,
        }


class Unrendered(forms.TextInput):
    """A line of which the page never holds what was typed; shown while it is typed, so that one sees what was pasted."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class UnrenderedText(forms.Textarea):
    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def _credential(one: Field) -> forms.Field:
    # No password manager is to offer a person's password of this site, or to keep the key as one.
    quiet = {
        "autocomplete": "off",
        "autocapitalize": "off",
        "spellcheck": "false",
        "data-1p-ignore": "",
        "data-lpignore": "true",
    }
    if not one.is_secret:
        widget: forms.Widget = forms.TextInput(attrs=quiet)
    elif one.is_long:
        widget = UnrenderedText(attrs=quiet | {"rows": 5})
    elif one.name == "key":
        widget = Unrendered(attrs=quiet)
    else:
        widget = forms.PasswordInput(attrs=quiet | {"autocomplete": "new-password"})
    return forms.CharField(label=one.label, required=one.is_required, widget=widget)  # type: ignore[arg-type]


def _field(parameter: contract.Parameter) -> forms.Field:
    common: dict[str, Any] = {
        "label": said(parameter.label),
        "initial": parameter.default,
        "help_text": said(parameter.help),
    }
    match parameter.kind:
        case "choice":
            return forms.ChoiceField(choices=wording.choices(parameter.choices), **common)
        case "int":
            return forms.IntegerField(min_value=_whole(parameter.minimum), max_value=_whole(parameter.maximum), **common)
        case "float":
            return forms.FloatField(
                min_value=parameter.minimum, max_value=parameter.maximum, step_size=parameter.step, **common
            )


def _typed(parameter: contract.Parameter, text: str) -> contract.Value | None:
    """What was typed into a field that did not take it; None where it is no number."""
    if parameter.kind == "choice":
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(limit: float | None) -> int | None:
    return None if limit is None else int(limit)
