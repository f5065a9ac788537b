"""News of this app, sent after commit. Receivers carry it on; none of them decides anything."""

from django.dispatch import Signal

version_saved = Signal()
"""A version is there to be looked at: ``version_id: int``."""

version_changed = Signal()
"""More is known of a version: ``version_id: int``, and ``progress``, a mapping, while it is proved."""

run_queued = Signal()
"""A run waits for a worker: ``run_id: int``."""

run_changed = Signal()
"""A run is further than it was, or over: ``run_id: int``."""

run_done = Signal()
"""A run has come to its result: ``run_id: int``."""

study_queued = Signal()
"""A study is there to be begun, or to be gone on with: ``study_id: int``."""

chunk_queued = Signal()
"""Trials of a study wait for a worker: ``chunk_id: int``."""

study_changed = Signal()
"""A study is further than it was, or over: ``study_id: int``."""
