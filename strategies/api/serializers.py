"""What the API of strategies and runs takes and gives. A run's stream sends the same shapes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clusterx.api.fields import ChoiceField, FloatField
from clusterx.api.inputs import PAGING, ByReference, Input
from marketdata.timeframes import TIMEFRAMES
from strategies.contract import Declared, EventStrategy, PortfolioStrategy
from strategies.models import Inspection, Run, UserStrategy, Version
from strategies.services.runs import MOST_SEED

MOST_LEGS = 8


@extend_schema_field(OpenApiTypes.ANY)
class AnyValue(serializers.ReadOnlyField):
    """A number or a word, as the parameter's kind says."""


@extend_schema_field(OpenApiTypes.OBJECT)
class Plain(serializers.ReadOnlyField):
    """An object as it is stored; docs/backtests.md says what is in it."""


# -- strategies ------------------------------------------------------------------------------------------------------


class ParameterOutput(serializers.Serializer[Any]):
    """From a ``contract.Parameter``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=["int", "float", "choice"])
    default = AnyValue()  # type: ignore[assignment]
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    step = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    help = serializers.CharField()


class StrategyOutput(serializers.Serializer[Any]):
    """From a ``contract.Declared``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    summary = serializers.CharField()
    rationale = serializers.CharField()
    style = serializers.SerializerMethodField()  # type: ignore[assignment]
    legs = serializers.SerializerMethodField()
    deployable = serializers.SerializerMethodField()
    parameters = ParameterOutput(many=True)

    def get_style(self, strategy: Declared) -> str:
        for kind in (PortfolioStrategy, EventStrategy):
            if isinstance(strategy, kind):
                return kind.__name__
        return "Strategy"

    def get_legs(self, strategy: Declared) -> int:
        return strategy.legs if isinstance(strategy, PortfolioStrategy) else 1

    def get_deployable(self, strategy: Declared) -> bool:
        from strategies.library import LIBRARY

        return strategy.name in LIBRARY


class ContentInput(Input):
    """A version: ``source`` of a strategy in Python, or ``rules`` of one made of rules."""

    source = serializers.CharField(  # type: ignore[assignment]
        required=False, default="", allow_blank=True, trim_whitespace=False
    )
    rules = serializers.DictField(required=False, default=None, allow_null=True)
    notes = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class OwnStrategyInput(ContentInput):
    name = serializers.CharField(max_length=80)
    kind = ChoiceField(choices=UserStrategy.Kind.values, default="code")


class RenameInput(Input):
    name = serializers.CharField(max_length=80)


class ForkInput(Input):
    name = serializers.CharField(max_length=80)
    version = ByReference(
        slug_field="public_id", queryset=Version.objects.none(), required=False, allow_null=True, default=None
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (strategy := self.context.get("strategy")) is not None:
            self.fields["version"].queryset = strategy.versions.all()  # type: ignore[attr-defined]


class OwnStrategyOutput(serializers.Serializer[Any]):
    """From a row of ``selectors.strategies_of``."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=UserStrategy.Kind.choices)
    newest_version = serializers.IntegerField(source="newest", allow_null=True)
    runs_done = serializers.SerializerMethodField()
    last_run_at = serializers.DateTimeField(allow_null=True)
    forked_from = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    def get_runs_done(self, strategy: Any) -> int:
        return strategy.runs_done or 0

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_forked_from(self, strategy: UserStrategy) -> Any:
        return strategy.forked_from.public_id if strategy.forked_from is not None else None


class InspectionOutput(serializers.Serializer[Any]):
    """What was found out about a version."""

    status = serializers.CharField(help_text=f"one of {', '.join(Inspection.Status.values)}")
    declaration = Plain()
    reason = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    column = serializers.IntegerField(allow_null=True)
    proof = Plain()
    proved = serializers.BooleanField(allow_null=True)
    warm_up = serializers.IntegerField(allow_null=True)
    inspected_at = serializers.DateTimeField(allow_null=True)


class VersionOutput(serializers.Serializer[Any]):
    """A version as lists show it."""

    id = serializers.UUIDField(source="public_id")
    strategy = serializers.UUIDField(source="strategy.public_id")
    number = serializers.IntegerField()
    sha256 = serializers.CharField()
    notes = serializers.CharField()
    created_at = serializers.DateTimeField()
    inspection = InspectionOutput(allow_null=True)
    deployable = serializers.BooleanField(source="is_deployable", help_text="Whether it may trade and be listed.")
    obstacle = serializers.CharField(help_text="Why it may not, in one sentence; else empty.")


class WholeVersionOutput(VersionOutput):
    """A version with what it holds."""

    source = serializers.CharField()  # type: ignore[assignment]
    rules = Plain()


# -- runs ------------------------------------------------------------------------------------------------------------


class SubjectInput(Input):
    """What is run or searched, when, and under which conditions. A strategy of the library or a version of one's own."""

    strategy = serializers.CharField(max_length=60, required=False, default="", allow_blank=True, help_text="A library name.")
    version = ByReference(
        slug_field="public_id", queryset=Version.objects.none(), required=False, allow_null=True, default=None
    )
    timeframe = ChoiceField(choices=list(TIMEFRAMES))
    start = serializers.DateTimeField(required=False, allow_null=True, default=None)
    end = serializers.DateTimeField(required=False, allow_null=True, default=None)
    cash = FloatField(default=10_000.0)
    costs = serializers.DictField(required=False, default=dict, help_text="fee, slippage, or fields of the engine's Costs.")
    rules = serializers.DictField(required=False, default=dict, help_text="fill, leverage, … of the engine's Rules.")
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED, default=1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            # Somebody else's version does not exist for this person.
            own = Version.objects.filter(strategy__owner=request.user).select_related("strategy", "inspection")
            self.fields["version"].queryset = own  # type: ignore[attr-defined]


class RunInput(SubjectInput):
    """What to run; ranges are checked by the engine and the strategy, and errors name the field by its path."""

    parameters = serializers.DictField(required=False, default=dict)
    instruments = serializers.ListField(child=serializers.CharField(max_length=57), min_length=1, max_length=MOST_LEGS)
    benchmark = ChoiceField(choices=["buy-and-hold", "none"], default="buy-and-hold")
    detail = serializers.BooleanField(
        default=True, help_text="Finer bars, where there are, say what came first within a bar that holds a stop and a target."
    )


class RunFilter(Input):
    """How the list of runs is narrowed."""

    beside = PAGING

    strategy = serializers.CharField(required=False, max_length=60, help_text="A library name.")
    own_strategy = serializers.UUIDField(required=False)
    version = serializers.UUIDField(required=False)
    status = ChoiceField(choices=Run.Status.values, required=False)
    instrument = serializers.CharField(required=False, max_length=57)


class ProgressOutput(serializers.Serializer[Any]):
    """How far a run is: the rows of lists, and what its stream sends."""

    id = serializers.UUIDField(source="public_id")
    status = serializers.CharField(help_text=f"one of {', '.join(Run.Status.values)}")
    stage = serializers.CharField(help_text=f"one of {', '.join(Run.Stage.values)}")
    progress = serializers.FloatField()
    bars = serializers.IntegerField(allow_null=True)
    bars_per_second = serializers.SerializerMethodField()
    seconds = serializers.SerializerMethodField()
    reason = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    headline = Plain()
    orders_hash = serializers.CharField()

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_seconds(self, run: Run) -> float | None:
        if run.started_at is None or run.finished_at is None:
            return None
        return round((run.finished_at - run.started_at).total_seconds(), 3)

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_bars_per_second(self, run: Run) -> float | None:
        spent = sum(run.timings.get(stage, 0.0) for stage in ("signals", "simulating"))
        return round(run.bars / spent) if run.bars and spent else None


class RunOutput(ProgressOutput):
    """A run as lists show it."""

    strategy = serializers.CharField(source="library", help_text="A library name; empty: a version.")
    version = serializers.SerializerMethodField()
    label = serializers.CharField(source="subject_label")  # type: ignore[assignment]
    parameters = serializers.DictField(source="values")
    instruments = serializers.SerializerMethodField()
    timeframe = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    seed = serializers.IntegerField()
    engine_version = serializers.IntegerField()
    code_hash = serializers.CharField()
    conditions = Plain()
    rerun_of = serializers.SerializerMethodField()
    reproduced = serializers.BooleanField(allow_null=True)
    difference = serializers.CharField()
    shared = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_version(self, run: Run) -> Any:
        return run.version.public_id if run.version is not None else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_instruments(self, run: Run) -> list[str]:
        return [instrument.ref for instrument in run.instruments]

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_rerun_of(self, run: Run) -> Any:
        return run.rerun_of.public_id if run.rerun_of is not None else None

    def get_shared(self, run: Run) -> bool:
        return run.share_token is not None


class WholeRunOutput(RunOutput):
    """A run with all of its numbers."""

    metrics = Plain()
    assumptions = Plain()
    printed = serializers.CharField()
    timings = Plain()


class SharedRunOutput(serializers.Serializer[Any]):
    """What somebody sees who has the secret address: the result and what it assumes, not the code, not the owner."""

    id = serializers.UUIDField(source="public_id")
    label = serializers.CharField(source="subject_label")  # type: ignore[assignment]
    parameters = serializers.DictField(source="values")
    instruments = serializers.SerializerMethodField()
    timeframe = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    bars = serializers.IntegerField()
    headline = Plain()
    metrics = Plain()
    assumptions = Plain()
    conditions = Plain()
    orders_hash = serializers.CharField()
    finished_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_instruments(self, run: Run) -> list[str]:
        return [instrument.ref for instrument in run.instruments]


class ShareOutput(serializers.Serializer[Any]):
    token = serializers.CharField(source="share_token")
    shared_at = serializers.DateTimeField()


class PointsInput(Input):
    points = serializers.IntegerField(min_value=10, max_value=10_000, default=2_000)


class ResultOutput(serializers.Serializer[Any]):
    """Curves for charts and what worse assumptions make of the run."""

    points = serializers.DictField(
        help_text="Columns of equal length: time (seconds since 1970), equity, benchmark, drawdown, position, regime."
    )
    sensitivity = serializers.ListField(child=serializers.DictField())


class RobustnessOutput(serializers.Serializer[Any]):
    """Whether a result may be luck. docs/backtests.md says what each test holds."""

    trials = serializers.IntegerField(help_text="Tries of this person on this strategy so far, this run included.")
    evidence = Plain(help_text="Null where the days have no Sharpe ratio.")
    status = serializers.ChoiceField(choices=["waiting", "done", "failed"], help_text="Of the tests.")
    reason = serializers.CharField(help_text="Why the tests failed: a stable code.")
    appraisal = Plain(help_text="The tests, and why others were not made; null until they are done.")


class TradesInput(Input):
    page = serializers.IntegerField(min_value=1, max_value=100_000, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=1_000, default=100)


class TradeOutput(serializers.Serializer[Any]):
    """A trade, from flat to flat or through zero. Times are seconds since 1970, money is in the quote currency."""

    number = serializers.IntegerField()
    instrument = serializers.CharField()
    side = serializers.CharField(help_text="long or short")
    entry_time = serializers.IntegerField()
    exit_time = serializers.IntegerField()
    entry_bar = serializers.IntegerField()
    exit_bar = serializers.IntegerField()
    quantity = serializers.FloatField()
    entry_price = serializers.FloatField()
    exit_price = serializers.FloatField()
    pnl = serializers.FloatField()
    fees = serializers.FloatField()
    slippage = serializers.FloatField()
    mae = serializers.FloatField()
    mfe = serializers.FloatField()
    entry_reason = serializers.CharField()
    exit_reason = serializers.CharField()
    ambiguous = serializers.BooleanField()
    open = serializers.BooleanField()


class TradePage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    count = serializers.IntegerField()
    results = TradeOutput(many=True)
