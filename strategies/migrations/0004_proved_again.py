"""Another proof of a version may be asked for; the one before holds until it is over."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("strategies", "0003_studies")]

    operations: ClassVar = [
        migrations.AddField(
            "inspection",
            "again_at",
            models.DateTimeField(
                help_text="When another proof was asked for that is not over; until then the one before holds.", null=True
            ),
        ),
    ]
