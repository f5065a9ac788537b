"""The assumption sheet in plain words: what a run took for granted, each line a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketdata.models import Instrument
from strategies.engine.model import Costs, Rules
from strategies.models import Run
from strategies.views.words import bars_text, moment_of, share_text, written
from strategies.wording import WARNINGS

Sheet = Mapping[str, Any]


def sentences(run: Run, currency: str) -> list[tuple[str, list[str]]]:
    """Headings with their sentences: data, fills, costs, money, what happened."""
    sheet: Sheet = run.assumptions or {}
    conditions: Sheet = run.conditions
    costs = Costs(**{**conditions["costs"], "slippage": _slippage(conditions["costs"])})
    rules = Rules(**conditions["rules"])
    return [
        (_("Data"), list(_data(run))),
        (_("Fills"), _fills(rules)),
        (_("Costs"), _costs(costs, sheet.get("costs_paid", {}), currency)),
        (_("Money"), _money(rules, conditions, currency)),
        (_("What was refused"), _refused(sheet)),
    ]


def costs_said(conditions: Sheet, currency: str) -> list[str]:
    """The costs that ``conditions`` ask for, before anything was paid."""
    return _costs(Costs(**{**conditions["costs"], "slippage": _slippage(conditions["costs"])}), {}, currency)


def warnings(run: Run) -> list[str]:
    """What a reader should know before believing the numbers, the worst first."""
    told = (run.assumptions or {}).get("warnings", ())
    return [str(WARNINGS[code]) for code in WARNINGS if code in told]


def _slippage(costs: Sheet) -> Any:
    from strategies.engine.model import Slippage

    return Slippage(**costs["slippage"]) if isinstance(costs.get("slippage"), Mapping) else Slippage()


def _data(run: Run) -> Any:
    for leg in run.legs.all():
        kept = leg.snapshot
        if kept is None:
            continue
        first, last = (moment_of(at.timestamp(), daily=run.timeframe == "1d") for at in (kept.first_time, kept.last_time))
        yield _("%(bars)s of %(timeframe)s of %(instrument)s, from %(first)s to %(last)s UTC.") % {
            "bars": bars_text(kept.bars), "timeframe": run.timeframe, "instrument": leg.instrument.ref,
            "first": first, "last": last,
        }  # fmt: skip
        if kept.holes:
            yield ngettext(
                "%(count)s bar is missing within the span; the strategy saw none there, and no order was filled.",
                "%(count)s bars are missing within the span; the strategy saw none there, and no order was filled.",
                kept.holes,
            ) % {"count": written(kept.holes, 0)}
        if kept.frozen:
            yield ngettext(
                "%(count)s bar is frozen: no volume, and four prices that repeat the close before.",
                "%(count)s bars are frozen: no volume, and four prices that repeat the close before.",
                kept.frozen,
            ) % {"count": written(kept.frozen, 0)}
        if leg.instrument.kind == Instrument.Kind.STOCK:
            yield _("Prices are adjusted for splits; dividends are left in them.")
        if leg.finer is not None:
            yield _("What came first within a bar was decided by bars of %(timeframe)s, which are kept too.") % {
                "timeframe": leg.finer.timeframe
            }
        yield _("The exact bars are kept as snapshot %(hash)s, so that the run can be repeated after candles are revised.") % {
            "hash": kept.sha256[:12]
        }


def _fills(rules: Rules) -> list[str]:
    told = [
        _("A decision made at a bar's close is filled at the next bar's open.")
        if rules.fill == "next-open"
        else _("A decision made at a bar's close is filled at that very close: kinder than any market is."),
        _("A limit order fills when the price touches it.")
        if rules.touch
        else _("A limit order fills only when the price goes through it; a touch is not enough."),
        _("When a bar reaches both a stop and a target, the stop is taken: the worse of the two.")
        if rules.intrabar == "pessimistic"
        else _("When a bar reaches both a stop and a target, the target is taken: the better of the two."),
    ]
    if rules.volume_share is not None:
        told.append(
            _("An order takes at most %(share)s of a bar's volume; the rest waits.") % {"share": share_text(rules.volume_share)}
        )
    else:
        told.append(_("Every order fits into the market, whatever its size."))
    return told


def _costs(costs: Costs, paid: Sheet, currency: str) -> list[str]:
    told = []
    if costs.maker == costs.taker:
        told.append(
            _("Every fill pays a fee of %(fee)s.") % {"fee": share_text(costs.taker, 4)}
            if costs.taker
            else _("Fills pay no fee.")
        )
    else:
        told.append(
            _("Fills pay %(taker)s when they take and %(maker)s when they wait in the book.")
            % {"taker": share_text(costs.taker, 4), "maker": share_text(costs.maker, 4)}
        )
    if costs.minimum:
        told.append(_("The smallest fee is %(money)s.") % {"money": f"{written(costs.minimum, 2)}\u00a0{currency}"})
    match costs.slippage.kind:
        case "none":
            told.append(_("Market orders are filled at the price itself: no slippage."))
        case "percentage":
            told.append(
                _("Market and stop orders slip by %(share)s of the price.") % {"share": share_text(costs.slippage.size, 4)}
            )
        case _other:
            told.append(
                _("Slippage follows the model “%(kind)s” with size %(size)s.")
                % {"kind": costs.slippage.kind, "size": f"{costs.slippage.size:g}"}
            )
    if costs.borrow:
        told.append(_("What is sold short costs %(share)s a year.") % {"share": share_text(costs.borrow)})
    if paid:
        told.append(
            _("Paid in this run: %(fees)s in fees, %(slippage)s by slippage.")
            % {name: f"{written(paid.get(name, 0.0), 2)}\u00a0{currency}" for name in ("fees", "slippage")}
        )
    return told


def _money(rules: Rules, conditions: Sheet, currency: str) -> list[str]:
    told = [_("The account starts with %(cash)s.") % {"cash": f"{written(conditions['cash'], 2)}\u00a0{currency}"}]
    if rules.leverage > 1:
        told.append(_("It may hold %(times)s times what it is worth.") % {"times": f"{rules.leverage:g}"})
    else:
        told.append(_("It holds no more than it is worth: no leverage."))
    told.append(
        _("A year has 365 days.") if conditions.get("calendar") == "crypto" else _("A year has 252 trading days."),
    )
    return told


def _refused(sheet: Sheet) -> list[str]:
    names = {
        "lot": _("smaller than the smallest quantity"),
        "price": _("a price that makes no sense"),
        "short-not-allowed": _("selling short is not possible here"),
        "minimum-notional": _("worth less than the market's minimum"),
        "buying-power": _("more than the account could pay"),
        "nothing-to-reduce": _("there was nothing to reduce"),
        "parent": _("the order they belonged to did not fill"),
        "bankrupt": _("the account was ruined"),
    }
    return [
        ngettext("%(count)s order: %(why)s.", "%(count)s orders: %(why)s.", count)
        % {"count": written(count, 0), "why": names.get(why, why)}
        for why, count in sheet.get("rejections", {}).items()
    ]
