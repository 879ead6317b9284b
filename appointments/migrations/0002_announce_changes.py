from django.db import migrations

from core.tenancy.operations import Announces


class Migration(migrations.Migration):

    dependencies = [
        ("appointments", "0001_initial"),
        ("core", "0002_announce_changes"),
    ]

    operations = [
        Announces("service"),
        Announces("serviceprovider"),
        Announces("schedule", schedules=["provider_id"]),
        Announces("scheduleexception", schedule_exceptions=["provider_id"]),
        Announces("holiday"),
        Announces("appointment", appointment=["id"], appointments=["clinic_id", "local_day"], visits=["patient_id"]),
        Announces("appointmentchange", history=["appointment_id"]),
        Announces("claim", claims=["clinic_id", "days(starts_at, ends_at)"]),
    ]
