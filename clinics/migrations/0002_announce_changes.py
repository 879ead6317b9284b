from django.db import migrations

from core.tenancy.operations import Announces


class Migration(migrations.Migration):

    dependencies = [
        ("clinics", "0001_initial"),
        ("core", "0002_announce_changes"),
    ]

    operations = [
        Announces("clinicsettings"),
        Announces("location"),
        Announces("department"),
        Announces("room"),
        Announces("provider"),
    ]
