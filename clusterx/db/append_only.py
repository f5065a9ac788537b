"""Tables that only grow: the database refuses update, delete and truncate, whoever asks."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

# A test database is emptied between tests; no other may be. The name is checked by the server itself, so that no setting of
# a session can open a real one.
GUARD = """
create or replace function clusterx_append_only() returns trigger language plpgsql as $$
begin
    if current_database() like 'test\\_%' and current_setting('clusterx.append_only', true) = 'off' then
        if tg_op = 'TRUNCATE' then return null; end if;
        return case tg_op when 'DELETE' then old else new end;
    end if;
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$
"""


class AppendOnly(Operation):
    """A migration operation that guards ``table`` by triggers."""

    reversible = True
    reduces_to_sql = True

    def __init__(self, table: str) -> None:
        self.table = table

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models do not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = schema_editor.quote_name(self.table)
        schema_editor.execute(GUARD, params=None)
        schema_editor.execute(
            f"create trigger append_only_rows before update or delete on {table}"
            " for each row execute function clusterx_append_only()"
        )
        schema_editor.execute(
            f"create trigger append_only_truncate before truncate on {table}"
            " for each statement execute function clusterx_append_only()"
        )
        for trigger in ("append_only_rows", "append_only_truncate"):
            # "always": a session that plays a replica (session_replication_role) runs them too.
            schema_editor.execute(f"alter table {table} enable always trigger {trigger}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = schema_editor.quote_name(self.table)
        schema_editor.execute(f"drop trigger append_only_rows on {table}")
        schema_editor.execute(f"drop trigger append_only_truncate on {table}")

    def describe(self) -> str:
        return f"Make {self.table} append-only"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.table], {}
