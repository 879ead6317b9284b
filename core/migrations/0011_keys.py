import core.tenancy.ids
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from core.tenancy.operations import Announces, ClinicTable


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0010_second_factor'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClinicKey',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('data', 'Data'), ('search', 'Search')], editable=False, max_length=8, verbose_name='kind')),
                ('number', models.PositiveSmallIntegerField(editable=False, verbose_name='number')),
                ('wrapped', models.BinaryField()),
                ('state', models.CharField(choices=[('building', 'Being built'), ('active', 'In use'), ('retiring', 'Being replaced'), ('dropping', 'Being removed'), ('retired', 'Retired')], default='active', editable=False, max_length=10, verbose_name='state')),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='made')),
                ('retired_at', models.DateTimeField(editable=False, null=True, verbose_name='retired')),
                ('clinic', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.clinic', verbose_name='clinic')),
            ],
            options={
                'verbose_name': 'clinic key',
                'verbose_name_plural': 'clinic keys',
                'abstract': False,
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('clinic', 'kind', 'number'), name='core_clinickey_once'), models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('clinic', 'kind'), name='core_clinickey_one_active')],
            },
        ),
        ClinicTable("clinickey"),
        # The application adds a clinic's first keys and reads them. Who serves requests can't take a key away.
        migrations.RunSQL("REVOKE UPDATE ON core_clinickey FROM hms_app", "GRANT UPDATE ON core_clinickey TO hms_app"),
        Announces("clinickey"),
    ]
