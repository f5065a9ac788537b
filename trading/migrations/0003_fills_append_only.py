from django.db import migrations

from clusterx.db.append_only import AppendOnly


class Migration(migrations.Migration):
    """A fill is a fact: positions and cash are rebuilt from it, so nobody edits it."""

    dependencies = [("trading", "0002_position_cost")]

    operations = [AppendOnly("trading_fill")]
