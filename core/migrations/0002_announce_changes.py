from django.db import migrations

from core.tenancy.operations import Announces, SharedAnnouncing


class Migration(migrations.Migration):

    dependencies = [
        ("core", "0001_initial"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        SharedAnnouncing(),
        Announces("clinic", clinic=["id"]),
        Announces("user", user=["id"]),
        Announces("membership", across_clinics=True, memberships=["user_id"]),
        Announces("sessions.session", session=["sha256(session_key)"]),
    ]
