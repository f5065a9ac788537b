from django.db import migrations

from clusterx.db.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_device_time_zone"), ("admin", "0003_logentry_add_action_flag_choices")]
    operations = [AppendOnly("django_admin_log")]
