from typing import ClassVar

from django.db import migrations, models

from core.history.operations import KeepsHistory

# What nobody has looked at yet is looked at from its first event on; a delivery that was made already is not made again.
WEBHOOKS = """
UPDATE core_webhookendpoint e SET after_position = coalesce(
    (SELECT min(v.position) - 1 FROM core_domainevent v WHERE v.clinic_id = e.clinic_id AND v.xid > e.after_xid),
    (SELECT max(v.position) FROM core_domainevent v WHERE v.clinic_id = e.clinic_id), 0)
"""
# A receiver is sent everything once more: an export under way names transactions.
DATA_SYNC = """
UPDATE core_datasync SET run = NULL, run_began = NULL, run_full = false, run_upto = 0, run_feed = '', run_after = NULL,
    run_pages = 0, run_rows = 0
"""
TABLES = ("core_domainevent", "core_webhookendpoint", "core_datasync")  # of all clinics: the owner sees no row else


class Migration(migrations.Migration):

    accepted: ClassVar = {"ban-drop-column": "before the first release"}

    dependencies = [
        ('core', '0023_backups'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookendpoint',
            name='after_position',
            field=models.BigIntegerField(db_default=0, editable=False, help_text='Every event up to this one has been looked at for it.'),
        ),
        migrations.AddField(
            model_name='datasync',
            name='after_position',
            field=models.BigIntegerField(editable=False, help_text='The receiver knows every event up to this one. Empty: it knows nothing.', null=True),
        ),
        KeepsHistory(
            "webhookendpoint",
            secret=("secret", "old_secret"),
            without=("after_position", "after_xid", "failures", "failing_since", "rests_until"),
        ),
        KeepsHistory(
            "datasync",
            secret=("secret",),
            without=(
                "run", "run_began", "run_full", "run_upto", "run_feed", "run_after", "run_pages", "run_rows", "after_position",
                "after_xid", "failures", "last_tried_at", "last_cause", "last_success_at", "last_rows",
            ),
        ),
        migrations.RunSQL([*(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in TABLES), WEBHOOKS, DATA_SYNC,
                           *(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in TABLES)], migrations.RunSQL.noop),
        migrations.RemoveField(model_name='webhookendpoint', name='after_xid'),
        migrations.RemoveField(model_name='datasync', name='after_xid'),
        KeepsHistory(
            "webhookendpoint",
            secret=("secret", "old_secret"),
            without=("after_position", "failures", "failing_since", "rests_until"),
        ),
        KeepsHistory(
            "datasync",
            secret=("secret",),
            without=(
                "run", "run_began", "run_full", "run_upto", "run_feed", "run_after", "run_pages", "run_rows", "after_position",
                "failures", "last_tried_at", "last_cause", "last_success_at", "last_rows",
            ),
        ),
    ]
