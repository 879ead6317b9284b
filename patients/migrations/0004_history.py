from django.db import migrations

from core.history.operations import KeepsHistory


class Migration(migrations.Migration):

    dependencies = [
        ("patients", "0003_documents"),
        ("core", "0007_history"),
    ]

    operations = [
        KeepsHistory("patient"),
        KeepsHistory("patientaccount"),
        KeepsHistory("consent"),
        KeepsHistory("document"),
    ]
