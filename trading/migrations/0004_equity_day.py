from django.db import migrations, models

# Until now the day was ours, and began with the last equity recorded up to 00:00 UTC.
FILL = """
update trading_equitysnapshot s set
  day = ((s.at - interval '1 microsecond') at time zone 'UTC')::date,
  day_start_equity = coalesce(
    (select before.equity from trading_equitysnapshot before where before.account_id = s.account_id
       and before.at <= date_trunc('day', s.at - interval '1 microsecond', 'UTC') order by before.at desc limit 1),
    (select starting_balance from trading_account where id = s.account_id)
  )
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_fills_append_only")]

    operations = [
        migrations.AddField("equitysnapshot", "day", models.DateField(null=True)),
        migrations.AddField(
            "equitysnapshot", "day_start_equity", models.DecimalField(decimal_places=10, max_digits=28, null=True)
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("equitysnapshot", "day", models.DateField(help_text="What the account's clock showed.")),
        migrations.AlterField(
            "equitysnapshot",
            "day_start_equity",
            models.DecimalField(
                decimal_places=10,
                max_digits=28,
                help_text="The last equity recorded while its clock showed another day; carried from one to the next.",
            ),
        ),
    ]
