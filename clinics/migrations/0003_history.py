from django.db import migrations

from core.history.operations import KeepsHistory


class Migration(migrations.Migration):

    dependencies = [
        ("clinics", "0002_announce_changes"),
        ("core", "0007_history"),
    ]

    operations = [
        KeepsHistory("clinicsettings"),
        KeepsHistory("location"),
        KeepsHistory("department"),
        KeepsHistory("room"),
        KeepsHistory("provider"),
    ]
