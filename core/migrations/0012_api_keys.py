import core.tenancy.ids
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from core.history.operations import KeepsHistory
from core.tenancy.operations import Announces, RowLevelSecurity


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0011_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('digest', models.CharField(max_length=64, verbose_name='key')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), verbose_name='what it may do')),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='made')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('last_used_at', models.DateTimeField(null=True, verbose_name='last used')),
                ('last_used_from', models.CharField(blank=True, max_length=64, verbose_name='from')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('clinic', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
                ('ended_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='ended by')),
                ('made_by', models.ForeignKey(db_index=False, help_text='Empty: an operator, by command.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ['-made_at'],
                'indexes': [models.Index(fields=['clinic', '-made_at'], name='core_apikey_of_clinic')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('clinic', 'name'), name='core_apikey_name_once_in_use')],
            },
        ),
        RowLevelSecurity("apikey", scopes=("clinic", "person_reads")),
        KeepsHistory("apikey", secret=("digest",), without=("last_used_at", "last_used_from")),
        Announces("apikey", across_clinics=True, api_key=["user_id"]),
    ]
