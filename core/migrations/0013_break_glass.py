import core.tenancy.ids
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from core.history.operations import KeepsHistory
from core.tenancy.operations import Announces, ClinicTable

# The ending and the verdict are written once each; nothing else of a row is ever changed.
RIGHTS = [
    "REVOKE UPDATE ON core_breakglass FROM hms_app, hms_platform",
    "GRANT UPDATE (ended_at, verdict, reviewed_by_id, reviewed_at, review_note) ON core_breakglass TO hms_app",
]
ONCE = """
CREATE FUNCTION public.hms_break_glass_once() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF current_user = 'hms_maintenance' THEN RETURN NEW; END IF;  -- what anonymising takes out
    IF OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at
        OR OLD.verdict <> '' AND (NEW.verdict, NEW.reviewed_by_id, NEW.reviewed_at, NEW.review_note)
            IS DISTINCT FROM (OLD.verdict, OLD.reviewed_by_id, OLD.reviewed_at, OLD.review_note) THEN
        RAISE EXCEPTION 'the ending and the verdict of an emergency access are written once' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$body$
"""
TRIGGER = """
CREATE TRIGGER hms_break_glass_once BEFORE UPDATE ON core_breakglass
FOR EACH ROW EXECUTE FUNCTION public.hms_break_glass_once()
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0012_api_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='clinic',
            name='break_glass_minutes',
            field=models.PositiveSmallIntegerField(db_default=60, default=60, help_text='How long a restricted record stays open to somebody who said why: 15 to 240.', validators=[django.core.validators.MinValueValidator(15), django.core.validators.MaxValueValidator(240)], verbose_name='emergency access lasts (minutes)'),
        ),
        migrations.AlterField(
            model_name='outgoingmessage',
            name='kind',
            field=models.CharField(choices=[('code', 'One-time code'), ('new_password', 'Link to a new password'), ('notice', 'Notice about the account'), ('invitation', 'Invitation to a clinic'), ('break_glass', 'Emergency access to a restricted record')], max_length=20),
        ),
        migrations.CreateModel(
            name='BreakGlass',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('patient_id', models.UUIDField()),
                ('category', models.CharField(choices=[('emergency', 'Emergency'), ('colleague-absent', 'Treating colleague absent'), ('patient-asked', 'The patient asked'), ('safeguarding', 'Safeguarding'), ('other', 'Another reason')], max_length=20, verbose_name='category')),
                ('reason', models.TextField(max_length=500, verbose_name='reason')),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='opened')),
                ('expires_at', models.DateTimeField(verbose_name='open until')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('verdict', models.CharField(blank=True, choices=[('justified', 'Justified'), ('not-justified', 'Not justified')], max_length=16, verbose_name='verdict')),
                ('reviewed_at', models.DateTimeField(null=True, verbose_name='reviewed')),
                ('review_note', models.TextField(blank=True, max_length=500, verbose_name='note')),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
                ('reviewed_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reviewed by')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
            ],
            options={
                'verbose_name': 'emergency access',
                'verbose_name_plural': 'emergency accesses',
                'abstract': False,
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['clinic', 'patient_id', 'opened_at'], name='core_breakglass_of_patient'), models.Index(condition=models.Q(('verdict', '')), fields=['clinic', 'opened_at', 'id'], name='core_breakglass_queue'), models.Index(fields=['clinic', 'user', 'expires_at'], name='core_breakglass_by_user')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('clinic', 'user', 'patient_id'), name='core_breakglass_open_once'), models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('opened_at'))), name='core_breakglass_expires'), models.CheckConstraint(condition=models.Q(models.Q(('reviewed_at', None), ('reviewed_by', None), ('verdict', '')), models.Q(models.Q(('verdict', ''), _negated=True), ('reviewed_at__isnull', False), ('reviewed_by__isnull', False), models.Q(('reviewed_by', models.F('user')), _negated=True)), _connector='OR'), name='core_breakglass_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'not-justified'), _negated=True), models.Q(('review_note', ''), _negated=True), _connector='OR'), name='core_breakglass_says_why_not')],
            },
        ),
        ClinicTable("breakglass"),
        migrations.RunSQL(RIGHTS, "GRANT UPDATE ON core_breakglass TO hms_app, hms_platform"),
        migrations.RunSQL(
            [ONCE, TRIGGER],
            ["DROP TRIGGER hms_break_glass_once ON core_breakglass", "DROP FUNCTION public.hms_break_glass_once()"],
        ),
        Announces("breakglass", break_glass=["user_id"]),
        KeepsHistory("breakglass"),
    ]
