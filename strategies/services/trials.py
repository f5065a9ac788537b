"""How often somebody has tried a strategy: the more often, the less its best result means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean, pvariance
from uuid import UUID

from django.db.models import Sum

from clusterx.accounts.models import User
from strategies.models import Run, TrialBatch, UserStrategy

Tried = Run | UserStrategy | str


def count_trials(owner: User, subject: Tried) -> int:
    """Runs that came to a result, repetitions left out, and all trials of searches, by this person on this strategy.

    ``subject`` is a run, a strategy of a user's (with those it was forked from) or the name of a library strategy.
    """
    library, family = tried(subject)
    runs = Run.objects.filter(owner=owner, status=Run.Status.DONE, rerun_of=None, library=library)
    if family is not None:
        runs = runs.filter(version__strategy__family=family)
    searched = TrialBatch.objects.filter(owner=owner, library=library, family=family).aggregate(total=Sum("count"))["total"]
    return runs.count() + (searched or 0)


def record_trials(
    *, owner: User, subject: Tried, what: str, sharpes: Sequence[float], count: int | None = None, at: datetime
) -> TrialBatch:
    """Write down the trials of a search: their Sharpe ratios (NaN where there is none), or how many there were."""
    library, family = tried(subject)
    known = [sharpe for sharpe in sharpes if math.isfinite(sharpe)]
    return TrialBatch.objects.create(
        owner=owner,
        library=library,
        family=family,
        what=what,
        count=len(sharpes) if count is None else count,
        sharpe_mean=fmean(known) if known else None,
        sharpe_variance=pvariance(known) if known else None,
        created_at=at,
    )


def tried(subject: Tried) -> tuple[str, UUID | None]:
    """The name in the library, or the family of a user's strategy."""
    if isinstance(subject, str):
        return subject, None
    if isinstance(subject, UserStrategy):
        return "", subject.family
    return (subject.library, None) if subject.version is None else ("", subject.version.strategy.family)
