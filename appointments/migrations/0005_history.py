from django.db import migrations

from core.history.operations import KeepsHistory


class Migration(migrations.Migration):

    dependencies = [
        ("appointments", "0004_claim_statistics"),
        ("core", "0007_history"),
    ]

    operations = [
        KeepsHistory("service"),
        KeepsHistory("serviceprovider"),
        KeepsHistory("schedule"),
        KeepsHistory("scheduleexception"),
        KeepsHistory("holiday"),
        KeepsHistory("appointment"),
        KeepsHistory("appointmentchange"),
    ]
