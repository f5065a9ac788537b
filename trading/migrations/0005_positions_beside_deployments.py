import django.db.models.deletion
from django.db import migrations, models

KEPT = "deployment_id, account_id, instrument_id, quantity, cost, average_price, realised_pnl, fees, opened_at, updated_at"


class Migration(migrations.Migration):
    """A position had its deployment's key for its own, so none could be without one. Its table is made anew."""

    dependencies = [("marketdata", "0001_initial"), ("trading", "0004_equity_day")]

    operations = [
        migrations.RemoveConstraint("Position", "position_flat_costs_nothing"),
        migrations.RenameModel("Position", "PositionBefore"),
        migrations.CreateModel(
            name="Position",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=12, default=0, max_digits=28)),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=10,
                        default=0,
                        help_text="Signed money that the open quantity cost: exact, where an average is rounded.",
                        max_digits=28,
                    ),
                ),
                (
                    "average_price",
                    models.DecimalField(
                        decimal_places=12, default=0, help_text="Cost by quantity, for people to read.", max_digits=28
                    ),
                ),
                ("realised_pnl", models.DecimalField(decimal_places=10, default=0, max_digits=28)),
                ("fees", models.DecimalField(decimal_places=10, default=0, max_digits=28)),
                ("opened_at", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="positions", to="trading.account"
                    ),
                ),
                (
                    "deployment",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="position",
                        to="trading.deployment",
                    ),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="marketdata.instrument"
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            f"insert into trading_position ({KEPT}) select {KEPT} from trading_positionbefore", migrations.RunSQL.noop
        ),
        migrations.DeleteModel("PositionBefore"),
    ]
