"""How often somebody has tried a strategy: the more often, the less its best result means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean, pvariance

from clusterx.accounts.models import User
from strategies.models import TrialBatch
from strategies.selectors import Tried, tried


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
