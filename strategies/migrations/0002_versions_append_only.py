from django.db import migrations

from clusterx.db.append_only import AppendOnly

PACKED = [
    ("strategies_snapshot", "payload"),
    *(("strategies_runresult", column) for column in ("series", "trades", "orders", "fills")),
]


class Migration(migrations.Migration):
    """A version is what was tested, so nobody edits it. What is packed already is not compressed once more."""

    dependencies = [("strategies", "0001_initial")]

    operations = [
        AppendOnly("strategies_version"),
        *(
            migrations.RunSQL(
                f"alter table {table} alter column {column} set storage external",
                f"alter table {table} alter column {column} set storage extended",
            )
            for table, column in PACKED
        ),
    ]
