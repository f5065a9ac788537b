"""What people fill in to ask for a study: market, span and costs as of a run, and what is searched and how."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from strategies import wording
from strategies.contract import Declared, InvalidParameter, Parameter
from strategies.forms import INSTRUMENT_PREFIX, RunForm, hint
from strategies.models import Study
from strategies.services.studies import MOST_TRIALS
from strategies.views import studies_ranges as ranges
from strategies.views.studies_words import OBJECTIVES
from strategies.views.words import written
from strategies.wording import said

WALKS: Final = Study.Kind.WALK_FORWARD.value
OPTIMISES: Final = "optimise"
KINDS: Final = ((OPTIMISES, _("Optimise")), (WALKS, _("Walk forward")))
METHODS: Final = (("grid", _("Grid")), ("random", _("Random")), ("bayesian", _("Bayesian")))
MODES: Final = (("rolling", _("Rolling")), ("anchored", _("Anchored")))
MOST_WINDOWS: Final = 50
MOST_RULES: Final = 20
LEAST_BARS: Final = 20  # of a window's training, and of its test
MOST: Final = 1e12
PARTS: Final = {"searched": "s-", "value": "at-", "first": "from-", "last": "to-", "step": "step-", "choices": "of-"}


class StudyForm(RunForm):
    """Asks for a study of ``declared``: fields ``s-``, ``at-``, ``from-``, ``to-``, ``step-``, ``of-<name>`` by parameter."""

    benchmark = None  # type: ignore[assignment]  # a study is compared with its own trials
    kind = forms.ChoiceField(label=_("What to do"), choices=KINDS, initial=OPTIMISES, widget=forms.RadioSelect)
    method = forms.ChoiceField(label=_("Method"), choices=METHODS, initial="grid", widget=forms.RadioSelect)
    trials = forms.IntegerField(
        label=_("Trials"), min_value=1, max_value=MOST_TRIALS, initial=200, required=False,
        help_text=_("At most; of a walk-forward, in each window."),
    )  # fmt: skip
    objective = forms.ChoiceField(label=_("What counts as good"), choices=tuple(OBJECTIVES.items()), initial="sharpe")
    patience = forms.IntegerField(
        label=_("Patience"), min_value=1, max_value=MOST_TRIALS, required=False,
        help_text=_("Stop after so many trials without a better one; empty: go on to the end."),
    )  # fmt: skip
    windows = forms.IntegerField(label=_("Windows"), min_value=1, max_value=MOST_WINDOWS, initial=5, required=False)
    mode = forms.ChoiceField(label=_("Training"), choices=MODES, initial="rolling", widget=forms.RadioSelect)
    test_share = forms.FloatField(
        label=_("Test share of a window, %"), min_value=1, max_value=90, initial=25, required=False, step_size=0.5
    )
    embargo = forms.IntegerField(
        label=_("Embargo, bars"), min_value=0, max_value=100_000, initial=0, required=False,
        help_text=_("Left out between training and test."),
    )  # fmt: skip
    constraints = forms.CharField(label=_("Rules between parameters"), required=False, max_length=4_000, widget=forms.Textarea)
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**32 - 1, initial=1, required=False)

    def __init__(self, *args: Any, declared: Declared, instruments: Any, starts: Mapping[str, ranges.Range], **kwargs: Any):
        super().__init__(*args, parameters=(), legs=1, instruments=instruments, **kwargs)
        self.declared = declared
        self.space: Any = None
        self.ranges: dict[str, ranges.Range] = {}
        self.count: int | None = 0
        for parameter in declared.parameters:
            for name, field in _fields(parameter, starts.get(parameter.name, {})).items():
                field.widget.use_required_attribute = lambda initial: False  # type: ignore[method-assign]
                self.fields[PARTS[name] + parameter.name] = field
        self.fields["constraints"].widget.attrs |= {"rows": 2, "spellcheck": "false"}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For each parameter: its label, hint and bound fields, in the order of the declaration."""
        return [
            {
                "name": one.name, "label": said(one.label), "hint": hint(one), "choice": one.kind == "choice",
                "fields": {part: self[head + one.name] for part, head in PARTS.items() if head + one.name in self.fields},
            }
            for one in self.declared.parameters
        ]  # fmt: skip

    @property
    def names(self) -> str:
        """The parameters as rules name them."""
        return ", ".join(one.name for one in self.declared.parameters)

    @property
    def walks(self) -> bool:
        return str(self["kind"].value()) == WALKS

    # -- checking -----------------------------------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("kind") == WALKS:
            for name in ("windows", "test_share"):
                if cleaned.get(name) is None and name not in self.errors:
                    self.add_error(name, gettext("Type a number."))
        if cleaned.get("method") in ("random", "bayesian") and cleaned.get("trials") is None and "trials" not in self.errors:
            self.add_error("trials", gettext("Type a number."))
        found = {one.name: self._range(one, cleaned) for one in self.declared.parameters}
        if None not in found.values():
            self._space(found, cleaned)  # type: ignore[arg-type]
        return cleaned

    def _range(self, parameter: Parameter, cleaned: dict[str, Any]) -> ranges.Range | None:
        """What was typed for one parameter; None where something is wrong with it, which its fields say."""
        searched = bool(cleaned.get(PARTS["searched"] + parameter.name))
        wanted = ("value",) if not searched else ("choices",) if parameter.kind == "choice" else ("first", "last", "step")
        given: dict[str, Any] = {part: cleaned.get(PARTS[part] + parameter.name) for part in wanted}
        good = True
        for part, value in given.items():
            place = PARTS[part] + parameter.name
            if place in self.errors:
                good = False
            elif value in (None, "", []):
                text = gettext("Tick one at least.") if part == "choices" else gettext("Type a number.")
                good = self._wrong(place, text)
            elif part in ("value", "first", "last"):
                good = self._accepted(parameter, place, value) and good
        if not good:
            return None
        if "first" in given and not self._spread(parameter.name, given["first"], given["last"], given["step"]):
            return None
        return {"searched": searched, **given}

    def _accepted(self, parameter: Parameter, place: str, value: Any) -> bool:
        try:
            parameter.accept(value)
        except InvalidParameter:
            bounds = {"low": _plain(parameter.minimum), "high": _plain(parameter.maximum)}
            return self._wrong(place, gettext("It must lie between %(low)s and %(high)s.") % bounds)
        return True

    def _spread(self, name: str, first: float, last: float, step: float) -> bool:
        if last <= first:
            return self._wrong(PARTS["last"] + name, gettext("It must be more than where the range begins."))
        if ranges.levels(first, last, step) > ranges.MOST_LEVELS:
            text = gettext("At most %(most)s values; take a larger step.") % {"most": written(ranges.MOST_LEVELS, 0)}
            return self._wrong(PARTS["step"] + name, text)
        return True

    def _wrong(self, place: str, text: str) -> bool:
        self.add_error(place, text)
        return False

    def _space(self, found: Mapping[str, ranges.Range], cleaned: dict[str, Any]) -> None:
        from strategies.robustness.samples import InvalidSpace

        if not any(one["searched"] for one in found.values()):
            self.add_error(None, gettext("Tick at least one parameter to search."))
            return
        if "constraints" in self.errors or not self._rules(found):
            return
        try:
            self.space, self.ranges = ranges.space_of(self.declared, found, self.rules), dict(found)
            self._counted(cleaned)
        except InvalidSpace as error:
            self.tell(str(error.facts.get("field", "")), error.facts, error.message)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules between parameters, a line each."""
        return tuple(line.strip() for line in str(self.cleaned_data.get("constraints") or "").splitlines() if line.strip())

    def _rules(self, found: Mapping[str, ranges.Range]) -> bool:
        from strategies.robustness import constraints
        from strategies.robustness.samples import InvalidSpace

        if len(self.rules) > MOST_RULES:
            return self._wrong("constraints", gettext("At most %(most)s rules.") % {"most": MOST_RULES})
        kinds: dict[str, constraints.Kind] = {
            one.name: "text" if one.kind == "choice" else "number" for one in self.declared.parameters
        }
        for rule in self.rules:
            try:
                constraints.parse(rule, kinds)
            except InvalidSpace:
                return self._wrong(
                    "constraints",
                    gettext("“%(rule)s” cannot be read. Write a comparison of %(names)s.")
                    % {"rule": rule[:60], "names": ", ".join(kinds)},
                )
        return True

    def _counted(self, cleaned: dict[str, Any]) -> None:
        """Count what would be tried, and say what is wrong with that number."""
        most = MOST_TRIALS // self.windows_asked
        self.count = ranges.allowed(self.space, most)
        if cleaned.get("method") == "grid":
            if self.count is None or self.count > most:
                text = gettext("More than %(most)s combinations: take larger steps, or search at random or Bayesian.")
                self._wrong("method", text % {"most": written(most, 0)})
        elif (cleaned.get("trials") or 0) > most:
            text = gettext("At most %(most)s trials in each of %(windows)s windows.") if self.windows_asked > 1 else gettext(
                "At most %(most)s trials."
            )  # fmt: skip
            self._wrong("trials", text % {"most": written(most, 0), "windows": self.windows_asked})
        if self.count == 0:
            self._wrong("constraints", gettext("The rules leave no combination of these ranges."))

    # -- what was asked -------------------------------------------------------------------------------------------------

    @property
    def windows_asked(self) -> int:
        return (self.cleaned_data.get("windows") or 1) if self.cleaned_data.get("kind") == WALKS else 1

    @property
    def trials_asked(self) -> int:
        """Trials in each window at most."""
        if self.cleaned_data.get("method") == "grid":
            return self.count or 1
        wanted = int(self.cleaned_data.get("trials") or 1)
        return min(wanted, self.count) if self.count and self.space is not None and _finite(self.space) else wanted

    @property
    def plan(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if cleaned["kind"] != WALKS:
            return {}
        return {
            "mode": cleaned["mode"], "windows": cleaned["windows"], "test_share": cleaned["test_share"] / 100,
            "embargo": cleaned["embargo"] or 0,
        }  # fmt: skip

    def check_bars(self, bars: float) -> None:
        """Say so where windows would be too short: ``bars`` is how many there are at most."""
        if self.cleaned_data.get("kind") != WALKS or self.errors:
            return
        share, windows = self.cleaned_data["test_share"] / 100, self.cleaned_data["windows"]
        test = int(bars * share / (1 - share + windows * share))
        least = min(test, bars - windows * test - (self.cleaned_data["embargo"] or 0))
        if least < LEAST_BARS:
            text = gettext("About %(bars)s bars are too few for so many windows: each needs %(least)s to train and to test.")
            self._wrong("windows", text % {"bars": written(math.floor(bars), 0), "least": LEAST_BARS})

    def how_many(self) -> str:
        """What would be tried, in words; empty where something is wrong with the ranges."""
        if self.space is None:
            return ""
        if self.count is None or self.count > MOST_TRIALS // self.windows_asked:
            told = gettext("%(count)s combinations before the rules") % {"count": written(self.space.combinations, 0)}
        else:
            told = ngettext("%(count)s combination", "%(count)s combinations", self.count) % {"count": written(self.count, 0)}
        if "method" in self.errors or "trials" in self.errors:
            return told
        total = self.trials_asked * self.windows_asked
        tried = ngettext("%(count)s trial", "%(count)s trials", total) % {"count": written(total, 0)}
        if self.windows_asked > 1:
            tried += " " + gettext("in %(windows)s windows") % {"windows": self.windows_asked}
        elif self.trials_asked == self.count:
            return told
        return f"{told} · {tried}"

    def tell(self, field: str, facts: dict[str, Any], message: str) -> None:
        """Put what a service refused beside the field it names (as ``StudyRequest`` has them)."""
        head, _dot, rest = field.partition(".")
        names = {
            "instruments": INSTRUMENT_PREFIX, "instrument": INSTRUMENT_PREFIX, "costs": rest or "costs", "start": "span",
            "end": "span", "budget": "trials", "plan": rest, "stopping": "patience",
        }  # fmt: skip
        place = names.get(head, head)
        for part in ("last", "choices", "value"):
            if PARTS[part] + field in self.fields:
                place = PARTS[part] + field
                break
        self.add_error(place if place in self.fields else None, message)


def _fields(parameter: Parameter, start: ranges.Range) -> dict[str, forms.Field]:
    """The form fields of one parameter, by what they say of its range."""
    label = said(parameter.label)
    made: dict[str, forms.Field] = {
        "searched": forms.BooleanField(label=label, required=False, initial=start.get("searched", False))
    }
    held = start.get("value", parameter.default)
    if parameter.kind == "choice":
        offered = wording.choices(parameter.choices)
        chosen = start.get("choices", [value for value, _label in offered])
        made["value"] = forms.ChoiceField(label=_("Held at"), choices=offered, initial=held, required=False)
        made["choices"] = forms.MultipleChoiceField(
            label=_("Try"), choices=offered, initial=chosen, required=False, widget=forms.CheckboxSelectMultiple
        )
        return made
    made["value"] = _number(parameter, _("Held at"), held)
    made["first"] = _number(parameter, _("From"), start.get("first", held))
    made["last"] = _number(parameter, _("To"), start.get("last", held))
    made["step"] = _number(parameter, _("Step"), start.get("step", parameter.step or 1), step=True)
    return made


def _number(parameter: Parameter, label: Any, initial: Any, *, step: bool = False) -> forms.Field:
    if parameter.kind == "int":
        whole = None if initial is None else int(initial)
        return forms.IntegerField(
            label=label, min_value=1 if step else -int(MOST), max_value=int(MOST), initial=whole, required=False
        )
    if isinstance(initial, float) and initial.is_integer():
        initial = int(initial)  # "5", not "5.0"
    field = forms.FloatField(label=label, min_value=1e-9 if step else -MOST, max_value=MOST, initial=initial, required=False)
    field.widget.attrs |= {"step": "any"}
    return field


def _plain(limit: float | None) -> str:
    return "…" if limit is None else f"{limit:g}"


def _finite(space: Any) -> bool:
    """Whether all points of the space are those of its grid, so that a search can run out of them."""
    return all(one.kind == "choice" or one.stepped for one in space.dimensions)
