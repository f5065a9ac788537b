"""What people write and what they run: strategies and their versions, the bars of a run, runs and their results.

Numbers of a simulation are float64: they are analysed, never owed. What JSON columns hold is read through
``conditions.Conditions``, ``contract.read`` and ``metrics.result.Metrics``; what binary columns hold through ``arrays``.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from strategies import proof_wording
from strategies.library import CATALOGUE
from strategies.wording import said


class UserStrategy(models.Model):
    """A strategy that somebody writes. What it does is in its versions."""

    class Kind(models.TextChoices):
        CODE = "code", _("Python")
        RULES = "rules", _("Rules")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="strategies")
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.CODE)
    family = models.UUIDField(
        default=uuid.uuid4, help_text="Shared with the owner's own strategies it was forked from: their trials add up."
    )
    forked_from = models.ForeignKey("Version", on_delete=models.PROTECT, null=True, related_name="forks")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            # A name tells them apart; one that was put away gives its name back.
            models.UniqueConstraint(
                fields=["owner", "name"], condition=models.Q(archived_at__isnull=True), name="strategy_name_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "-id"], name="strategy_newest")]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """What a strategy was at one time. The database lets nobody change or delete one."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    strategy = models.ForeignKey(UserStrategy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField(blank=True, help_text="Python, for a strategy of kind code.")
    rules = models.JSONField(null=True, help_text="With its version, for a strategy of kind rules.")
    sha256 = models.CharField(max_length=64, help_text="Of the source, or of the rules as canonical JSON.")
    notes = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["strategy", "number"], name="version_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy.name} · {self.number}"

    @property
    def is_deployable(self) -> bool:
        """Whether it may trade and be listed. Whoever lets a version trade asks this, or ``obstacle`` for the reason."""
        return not self.obstacle

    @property
    def obstacle(self) -> str:
        """One sentence for people: why it may neither trade nor be listed. Empty: it may."""
        inspection = getattr(self, "inspection", None)
        if inspection is None or inspection.status == Inspection.Status.WAITING:
            return gettext("This version has not been read yet.")
        if inspection.status == Inspection.Status.FAILED:
            if inspection.line is None:
                return gettext("This version does not run: %(message)s") % {"message": inspection.message}
            return gettext("This version does not run: %(message)s (line %(line)s)") % {
                "message": inspection.message,
                "line": inspection.line,
            }
        if inspection.proved is None:
            return gettext("This version has not been proved yet.")
        if not inspection.proved:
            found = proof_wording.said((inspection.proof or {}).get("summary", ""))
            return gettext("This version did not pass its proof. %(found)s") % {"found": found}
        return ""


class Inspection(models.Model):
    """What was found out about a version after it was saved: what it declares, and whether it looks ahead."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")

    version = models.OneToOneField(Version, on_delete=models.PROTECT, related_name="inspection", primary_key=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    declaration = models.JSONField(null=True, help_text="Name, label, style and parameters, as the sandbox read them.")
    reason = models.CharField(max_length=40, blank=True, help_text="Why it is no strategy: a code of the sandbox.")
    message = models.CharField(max_length=1000, blank=True)
    line = models.PositiveIntegerField(null=True)
    column = models.PositiveIntegerField(null=True)
    proof = models.JSONField(null=True, help_text="The verdict of the look-ahead prover, with its version.")
    proved = models.BooleanField(null=True, help_text="Whether it may be deployed; unknown until it was proved.")
    warm_up = models.PositiveIntegerField(null=True, help_text="Bars until its answers no longer change with more history.")
    inspected_at = models.DateTimeField(null=True)
    again_at = models.DateTimeField(
        null=True, help_text="When another proof was asked for that is not over; until then the one before holds."
    )

    def __str__(self) -> str:
        return self.status

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be found out unless somebody asks."""
        if self.again_at is not None or self.status == self.Status.WAITING:
            return False
        return self.status == self.Status.FAILED or self.proved is not None


class Snapshot(models.Model):
    """The exact bars of a run: candles may be revised later, and the run must still come out the same.

    ``payload`` is what ``arrays.unpack`` reads: time, open, high, low, close, volume. Kept once, whoever asks.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3)
    first_time = models.DateTimeField(help_text="Opening time of the first bar.")
    last_time = models.DateTimeField(help_text="Opening time of the last bar.")
    bars = models.PositiveIntegerField()
    holes = models.PositiveIntegerField(help_text="Bars that the timeframe or the calendar expects and that are not there.")
    frozen = models.PositiveIntegerField(help_text="Bars without volume whose four prices are the close before them.")
    silent = models.PositiveIntegerField(default=0, help_text="Bars without volume.")
    sha256 = models.CharField(max_length=64, help_text="Of the canonical bytes of the six columns.")
    payload = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "timeframe", "sha256"], name="snapshot_kept_once"),
            models.CheckConstraint(condition=models.Q(bars__gt=0), name="snapshot_has_bars"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument.ref} {self.timeframe} {self.sha256[:12]}"


class Job(models.Model):
    """What a person asked a worker to do with a strategy. The subject is a library strategy or a version."""

    # Each kind of job declares these: its own words for how far it is, and the name by which a version finds it.
    status: models.CharField[str, str]
    version: models.ForeignKey[Version | None, Version | None]

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    library = models.CharField(max_length=60, blank=True, help_text="The name of a library strategy; empty: a version.")
    timeframe = models.CharField(max_length=3)
    start = models.DateTimeField(help_text="The first bar opens at or after this.")
    end = models.DateTimeField(help_text="The last bar opens before this.")
    conditions = models.JSONField(help_text="Costs, rules, cash, markets, benchmark; read through strategies.conditions.")
    engine_version = models.PositiveIntegerField()
    code_hash = models.CharField(max_length=64, help_text="Of the strategy's code as it was asked.")
    reason = models.CharField(max_length=40, blank=True, help_text="Why it failed: a stable code.")
    message = models.CharField(max_length=1000, blank=True)
    line = models.PositiveIntegerField(null=True, help_text="In the user's file.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    FINAL: ClassVar = ("done", "failed", "cancelled")

    class Meta:
        abstract = True
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(library="", version__isnull=False)
                | (~models.Q(library="") & models.Q(version__isnull=True)),
                name="%(class)s_has_one_subject",
            ),
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="%(class)s_spans_time"),
        ]

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL

    @property
    def subject_label(self) -> str:
        """The strategy's name for people."""
        if self.version is not None:
            return str(self.version)
        return said(CATALOGUE[self.library].label) if self.library in CATALOGUE else self.library


class Run(Job):
    """A backtest: what was asked, how far it is, and what came out. The subject is a library strategy or a version."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Stage(models.TextChoices):
        WAITING = "waiting", _("Waiting for a worker")
        PREPARING = "preparing", _("Preparing the engine, once on this machine")
        LOADING = "loading", _("Loading bars")
        SIGNALS = "signals", _("Asking the strategy")
        SIMULATING = "simulating", _("Simulating orders")
        SENSITIVITY = "sensitivity", _("Trying worse assumptions")
        MEASURING = "measuring", _("Measuring")
        STORING = "storing", _("Storing")
        OVER = "over", _("Over")

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, null=True, related_name="runs")
    parameters = models.JSONField(help_text="With its version; read through strategies.contract.")
    seed = models.PositiveIntegerField(default=1)
    rerun_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="reruns")

    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.WAITING)
    progress = models.FloatField(default=0.0, help_text="Share of the work that is done, 0 to 1.")
    printed = models.TextField(blank=True, help_text="What the user's code printed.")
    timings = models.JSONField(default=dict, help_text="Seconds of each stage.")

    bars = models.PositiveIntegerField(null=True)
    headline = models.JSONField(null=True, help_text="The few numbers that lists show.")
    metrics = models.JSONField(null=True, help_text="All numbers; read through strategies.metrics.result.Metrics.")
    assumptions = models.JSONField(null=True, help_text="The assumption sheet.")
    orders_hash = models.CharField(max_length=64, blank=True)
    reproduced = models.BooleanField(null=True, help_text="Of a repetition: whether the same hash came out.")
    difference = models.CharField(max_length=500, blank=True, help_text="Of a repetition that came out otherwise: how.")

    share_token = models.CharField(max_length=48, unique=True, null=True)  # noqa: DJ001  (null is not shared, and unique)
    shared_at = models.DateTimeField(null=True)

    class Meta(Job.Meta):
        indexes: ClassVar = [
            models.Index(fields=["owner", "-id"], name="run_newest"),
            models.Index(fields=["owner", "library"], name="run_trials"),  # counted for every report
            models.Index(fields=["created_at"], condition=models.Q(status__in=("queued", "running")), name="run_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_label} · {self.timeframe} · {self.status}"

    @property
    def values(self) -> dict[str, Any]:
        """The parameters by name, as they were asked for."""
        return dict(self.parameters.get("values", {}))

    @property
    def instruments(self) -> list[Instrument]:
        """What it runs on, in the strategy's order."""
        return [leg.instrument for leg in self.legs.all()]

    @property
    def instrument(self) -> Instrument:
        """The first of them; most runs have one."""
        return self.instruments[0]


class RunLeg(models.Model):
    """One instrument of a run and the bars it had."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="legs")
    place = models.PositiveSmallIntegerField()
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, null=True, related_name="legs")
    finer = models.ForeignKey(
        Snapshot, on_delete=models.PROTECT, null=True, related_name="+", help_text="Bars that said what happened within a bar."
    )

    class Meta:
        ordering: ClassVar = ["place"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "place"], name="leg_place_once")]

    def __str__(self) -> str:
        return f"{self.place}: {self.instrument.ref}"


class RunResult(models.Model):
    """The tables of a run that is done, packed by ``arrays``.

    ``series``: time, equity, benchmark (when there is one), position (n, k), regimes (int8, when known). ``trades``,
    ``orders``, ``fills``: the engine's structured arrays, each under the name ``rows``.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="result", primary_key=True)
    series = models.BinaryField()
    trades = models.BinaryField()
    orders = models.BinaryField()
    fills = models.BinaryField()
    sensitivity = models.JSONField(help_text="With its version: what worse assumptions make of it.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.run_id)


class Appraisal(models.Model):
    """The tests of robustness of a run that is done: ``appraisal.Appraisal`` as JSON, or why there is none."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="appraisal", primary_key=True)
    told = models.JSONField(null=True, help_text="The tests and what is missing, with their version.")
    reason = models.CharField(max_length=40, blank=True, help_text="Why there is nothing: a stable code.")
    seconds = models.FloatField(help_text="What they took.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.run_id}: {self.reason or 'appraised'}"


class TrialBatch(models.Model):
    """Trials of a search: how often this person tried this strategy is part of how far its best result can be believed."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    library = models.CharField(max_length=60, blank=True)
    family = models.UUIDField(null=True, help_text="Of a user's strategy.")
    what = models.CharField(max_length=40, help_text="Which search: grid, random, bayesian, walk-forward…")
    count = models.PositiveIntegerField()
    sharpe_mean = models.FloatField(null=True)
    sharpe_variance = models.FloatField(null=True, help_text="Of the trials' Sharpe ratios a bar.")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(library="", family__isnull=False) | (~models.Q(library="") & models.Q(family__isnull=True)),
                name="trials_have_one_subject",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "library", "family"], name="trials_counted")]

    def __str__(self) -> str:
        return f"{self.what} × {self.count}"


class Study(Job):
    """A search of parameters, or a walk-forward: what was asked, how far it is, and what came out.

    What is searched is read through ``robustness.space.Space``, its state through ``robustness.search.Search``.
    """

    class Kind(models.TextChoices):
        GRID = "grid", _("Grid")
        RANDOM = "random", _("Random")
        BAYESIAN = "bayesian", _("Bayesian")
        WALK_FORWARD = "walk-forward", _("Walk-forward")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="studies")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, null=True, related_name="studies")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, null=True, related_name="studies")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    method = models.CharField(max_length=8, help_text="How parameters are searched: of a walk-forward, in each window.")
    space = models.JSONField(help_text="Dimensions, constraints and what is held, with its version.")
    plan = models.JSONField(null=True, help_text="How a walk-forward cuts the span, with its version.")
    objective = models.CharField(max_length=10)
    budget = models.PositiveIntegerField(help_text="Trials at most: of a walk-forward, in each window.")
    stopping = models.JSONField(help_text="When to end early: fields of robustness.search.Stopping.")
    seed = models.PositiveBigIntegerField(default=1)

    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    trials_done = models.PositiveIntegerField(default=0)
    trials_total = models.PositiveIntegerField(default=0, help_text="At most; 0 until a worker has begun.")
    state = models.JSONField(null=True, help_text="With its version: windows, and the search of each.")
    counted = models.OneToOneField("TrialBatch", on_delete=models.PROTECT, null=True, related_name="study")

    best = models.JSONField(
        null=True, help_text="Values, score, final equity and drawdown, with its version; so far, while it runs."
    )
    evidence = models.JSONField(null=True, help_text="PSR, DSR and PBO with the trials of this person, with its version.")
    report = models.JSONField(null=True, help_text="Heat maps and stability, or windows and efficiency, with its version.")
    curve = models.BinaryField(null=True, help_text="Packed: time and equity, of the best or out of sample, and starts.")

    class Meta(Job.Meta):
        indexes: ClassVar = [
            models.Index(fields=["owner", "-id"], name="study_newest"),
            # looked through each minute for what a crash left behind
            models.Index(fields=["created_at"], condition=models.Q(status__in=("queued", "running")), name="study_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_label} · {self.kind} · {self.status}"

    @property
    def progress(self) -> float:
        """Share of the trials that are done; 1 when it is done, however early it stopped."""
        if self.status == self.Status.DONE:
            return 1.0
        return self.trials_done / self.trials_total if self.trials_total else 0.0


class StudyChunk(models.Model):
    """Trials of a study that one worker does at once: a row for many, so that a thousand trials are a few rows.

    ``numbers`` are those of its search, in the order of the rows of ``results``: packed score, final, drawdown, fills (k,) and
    returns (k, days) float32.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="chunks")
    window = models.PositiveSmallIntegerField(default=0, help_text="Of a walk-forward; else 0.")
    numbers = models.JSONField()
    results = models.BinaryField(null=True)
    asked_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            # what is still to be done, of a study that goes on and of all of them
            models.Index(fields=["study"], condition=models.Q(done_at__isnull=True), name="chunk_to_do"),
        ]

    def __str__(self) -> str:
        return f"{self.study_id}: {len(self.numbers)} trials"
