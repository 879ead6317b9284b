from django.db import migrations

from core.tenancy.operations import Announces


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0019_message_templates'),
    ]

    operations = [
        Announces("webhookendpoint", only=["events", "is_active"]),
    ]
