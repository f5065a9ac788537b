"""Django's entry to the backend (``ENGINE = "clusterx.db"``)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleWrapper
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

from clusterx.db.fields import HypertableTimeField


class SchemaEditor(TimescaleSchemaEditor):
    """Creates hypertables only where the extension is, and leaves the primary key alone.

    The library drops the key, because a hypertable's unique indexes must contain the time column. Ours do:
    the key is composite, and the batch writer's upserts need it.
    """

    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        if not self.connection.has_timescale:
            return
        key = [column.column for column in model._meta.pk_fields]
        if field.column not in key:
            raise ImproperlyConfigured(f"{model.__name__}: the primary key {key} must contain {field.column}")
        self.execute(
            "SELECT create_hypertable(%s, %s, chunk_time_interval => %s::interval, migrate_data => %s)",
            [self.quote_name(model._meta.db_table), field.column, field.interval, should_migrate],
        )
        if isinstance(field, HypertableTimeField) and self.connection.has_timescale_policies:
            self._add_policies(model._meta.db_table, field)

    def _add_policies(self, table: str, field: HypertableTimeField) -> None:
        if field.compress_after:
            segment = f", timescaledb.compress_segmentby = '{field.segment_by}'" if field.segment_by else ""
            self.execute(f"ALTER TABLE {self.quote_name(table)} SET (timescaledb.compress{segment})")
            self.execute("SELECT add_compression_policy(%s, %s::interval)", [table, field.compress_after])
        if field.drop_after:
            self.execute("SELECT add_retention_policy(%s, %s::interval)", [table, field.drop_after])


class DatabaseWrapper(TimescaleWrapper):
    SchemaEditorClass = SchemaEditor

    def prepare_database(self) -> None:
        PostgresWrapper.prepare_database(self)
        with self.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
            if cursor.fetchone():
                cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        self.__dict__.pop("has_timescale", None)

    @cached_property
    def has_timescale(self) -> bool:
        with self.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
            return cursor.fetchone() is not None

    @cached_property
    def has_timescale_policies(self) -> bool:
        """Compression and retention belong to the edition under the Timescale licence."""
        with self.cursor() as cursor:
            cursor.execute("SELECT current_setting('timescaledb.license', true)")
            return bool(cursor.fetchone() == ("timescale",))
