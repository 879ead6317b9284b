import core.security.fields
import core.tenancy.ids
import core.tenancy.models
import core.webhooks.models
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from core.history.operations import KeepsHistory
from core.tenancy.operations import ClinicTable


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0017_external_systems'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('url', models.CharField(help_text='https://…, where events are sent by POST.', max_length=500, verbose_name='address')),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), verbose_name='events')),
                ('secret', core.security.fields.EncryptedTextField(default='', editable=False)),
                ('old_secret', core.security.fields.EncryptedTextField(default='', editable=False)),
                ('old_secret_until', models.DateTimeField(editable=False, null=True)),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
                ('disabled_at', models.DateTimeField(editable=False, null=True, verbose_name='switched off by HMS')),
                ('disabled_why', models.CharField(blank=True, editable=False, max_length=100, verbose_name='why')),
                ('failures', models.PositiveIntegerField(default=0, editable=False, verbose_name='failures in a row')),
                ('failing_since', models.DateTimeField(editable=False, null=True, verbose_name='failing since')),
                ('rests_until', models.DateTimeField(editable=False, null=True, verbose_name='left alone until')),
                ('after_xid', models.BigIntegerField(db_default=models.Func(output_field=models.BigIntegerField(), template='(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint - 1'), editable=False, help_text='Every transaction up to this one has been looked through for events.')),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
            ],
            options={
                'verbose_name': 'webhook',
                'verbose_name_plural': 'webhooks',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('event_id', models.UUIDField(verbose_name='event’s id')),
                ('name', models.CharField(max_length=60, verbose_name='event')),
                ('about_id', models.UUIDField(verbose_name='about')),
                ('seq', models.BigIntegerField(editable=False)),
                ('happened_at', models.DateTimeField(verbose_name='happened')),
                ('is_replay', models.BooleanField(default=False, verbose_name='again')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Being sent'), ('succeeded', 'Taken'), ('failed', 'Given up')], default='waiting', max_length=10, verbose_name='state')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('status', models.PositiveSmallIntegerField(help_text='Of the last answer.', null=True, verbose_name='status')),
                ('cause', models.CharField(blank=True, max_length=60, verbose_name='cause')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created')),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='due')),
                ('expires_at', models.DateTimeField(default=core.webhooks.models.last_try, verbose_name='tried until')),
                ('tried_at', models.DateTimeField(null=True, verbose_name='last tried')),
                ('taken_at', models.DateTimeField(null=True, verbose_name='taken')),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
                ('endpoint', core.tenancy.models.ClinicForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='core.webhookendpoint', verbose_name='webhook')),
            ],
            options={
                'verbose_name': 'webhook delivery',
                'verbose_name_plural': 'webhook deliveries',
                'abstract': False,
                'base_manager_name': 'objects',
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE core_domainevent_seq_seq", "DROP SEQUENCE IF EXISTS core_domainevent_seq_seq"),
        migrations.CreateModel(
            name='DomainEvent',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60, verbose_name='event')),
                ('schema', models.PositiveSmallIntegerField(help_text="Of the event's fields.", verbose_name='version')),
                ('about', models.CharField(max_length=30, verbose_name='about')),
                ('about_id', models.UUIDField(verbose_name='id')),
                ('data', models.JSONField(default=dict, verbose_name='fields')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('xid', models.BigIntegerField(db_default=models.Func(output_field=models.BigIntegerField(), template='(pg_current_xact_id()::text)::bigint'), editable=False)),
                ('seq', models.BigIntegerField(db_default=models.Func(models.Value('core_domainevent_seq_seq'), function='nextval', output_field=models.BigIntegerField()), editable=False)),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'events',
                'abstract': False,
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['clinic', 'xid', 'seq'], name='core_domainevent_replay'), models.Index(fields=['clinic', 'at'], name='core_domainevent_by_time')],
            },
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.UniqueConstraint(fields=('clinic', 'name'), name='core_webhookendpoint_name'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['clinic', 'endpoint', 'created_at'], name='core_webhookdelivery_list'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['clinic', 'endpoint', 'about_id', 'seq'], name='core_webhookdelivery_open'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.UniqueConstraint(condition=models.Q(('is_replay', False)), fields=('clinic', 'endpoint', 'event_id'), name='core_webhookdelivery_once'),
        ),
        migrations.RunSQL("ALTER SEQUENCE core_domainevent_seq_seq OWNED BY core_domainevent.seq", migrations.RunSQL.noop),
        ClinicTable("webhookendpoint"),
        ClinicTable("webhookdelivery"),
        ClinicTable("domainevent", append_only=True),
        KeepsHistory(
            "webhookendpoint",
            secret=("secret", "old_secret"),
            without=("after_xid", "failures", "failing_since", "rests_until"),
        ),
    ]
