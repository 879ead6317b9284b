from django.db import migrations

from core.events.operations import LiveTable


class Migration(migrations.Migration):

    dependencies = [
        ('appointments', '0006_reminders'),
        ('core', '0022_live_events'),
    ]

    operations = [
        LiveTable(
            "appointment",
            event="appointment.changed",
            fields={
                "appointment": "id",
                "patient": "patient_id",
                "service": "service_id",
                "provider": "provider_id",
                "location": "location_id",
                "status": "status",
                "source": "source",
            },
            before={"from_location": "location_id"},
        ),
    ]
