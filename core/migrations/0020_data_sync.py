import core.security.fields
import core.tenancy.ids
import django.db.models.deletion
from django.db import migrations, models

from core.history.operations import KeepsHistory
from core.tenancy.operations import Announces, ClinicTable


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0019_message_templates'),
    ]

    operations = [
        migrations.CreateModel(
            name='DataSync',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('url', models.CharField(help_text='https://…, where changes are sent by POST every night.', max_length=500, verbose_name='address')),
                ('secret', core.security.fields.EncryptedTextField(default='', editable=False)),
                ('is_active', models.BooleanField(default=False, verbose_name='in use')),
                ('after_xid', models.BigIntegerField(editable=False, help_text='The receiver knows every transaction up to this one. Empty: it knows nothing.', null=True)),
                ('last_tried_at', models.DateTimeField(editable=False, null=True, verbose_name='last tried')),
                ('last_success_at', models.DateTimeField(editable=False, null=True, verbose_name='last success')),
                ('last_rows', models.PositiveIntegerField(default=0, editable=False, verbose_name='rows sent')),
                ('last_cause', models.CharField(blank=True, editable=False, max_length=100, verbose_name='last cause of failure')),
                ('failures', models.PositiveIntegerField(default=0, editable=False, verbose_name='failures in a row')),
                ('run', models.UUIDField(editable=False, null=True, verbose_name='export under way')),
                ('run_began', models.DateTimeField(editable=False, null=True, verbose_name='begun')),
                ('run_full', models.BooleanField(default=False, editable=False, verbose_name='everything')),
                ('run_upto', models.BigIntegerField(default=0, editable=False)),
                ('run_feed', models.CharField(blank=True, editable=False, max_length=30)),
                ('run_after', models.UUIDField(editable=False, null=True)),
                ('run_pages', models.PositiveIntegerField(default=0, editable=False, verbose_name='pages taken')),
                ('run_rows', models.PositiveIntegerField(default=0, editable=False, verbose_name='rows taken')),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
            ],
            options={
                'verbose_name': 'data sync',
                'verbose_name_plural': 'data sync',
                'abstract': False,
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('clinic',), name='core_datasync_one')],
            },
        ),
        ClinicTable("datasync"),
        KeepsHistory(
            "datasync",
            secret=("secret",),
            without=(
                "run", "run_began", "run_full", "run_upto", "run_feed", "run_after", "run_pages", "run_rows", "after_xid", "failures",
                "last_tried_at", "last_cause", "last_success_at", "last_rows",
            ),
        ),
        Announces("webhookendpoint", only=["events", "is_active"]),
    ]
