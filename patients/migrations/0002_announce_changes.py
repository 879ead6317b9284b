from django.db import migrations

from core.tenancy.operations import Announces


class Migration(migrations.Migration):

    dependencies = [
        ("patients", "0001_initial"),
        ("core", "0002_announce_changes"),
    ]

    operations = [
        Announces("patient", patient=["id"]),
        Announces("patientaccount", patient_accounts=["user_id"]),
        Announces("consent", consents=["patient_id"]),
    ]
