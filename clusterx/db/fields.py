"""The column that a hypertable is cut by."""

from __future__ import annotations

from typing import Any

from timescale.db.models.fields import TimescaleDateTimeField


class HypertableTimeField(TimescaleDateTimeField):
    """A time column that makes its table a hypertable on TimescaleDB and is an ordinary column elsewhere.

    Parameters
    ----------
    interval : str
        Span of one chunk, as PostgreSQL writes it ("7 days").
    compress_after, segment_by : str, optional
        Age at which chunks are compressed, and the column that keeps a compressed chunk searchable. Both need the
        edition under the Timescale licence and are passed over under the Apache one.
    drop_after : str, optional
        Age at which chunks are dropped; the ``marketdata.prune`` task does the same elsewhere.
    """

    def __init__(
        self,
        *args: Any,
        interval: str,
        compress_after: str | None = None,
        segment_by: str | None = None,
        drop_after: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, interval=interval, **kwargs)
        self.compress_after = compress_after
        self.segment_by = segment_by
        self.drop_after = drop_after

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for option in ("compress_after", "segment_by", "drop_after"):
            if (value := getattr(self, option)) is not None:
                kwargs[option] = value
        return name, path, args, kwargs
