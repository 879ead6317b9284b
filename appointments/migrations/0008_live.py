from django.db import migrations

from core.events.operations import LiveTable


class Migration(migrations.Migration):

    dependencies = [
        ('appointments', '0007_queue'),
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
        LiveTable(
            "ticket",
            event="ticket.changed",
            fields={
                "ticket": "id",
                "location": "location_id",
                "series": "series_id",
                "appointment": "appointment_id",
                "provider": "provider_id",
                "room": "room_id",
                "status": "status",
                "source": "source",
            },
        ),
    ]
