import core.security.fields
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('patients', '0006_anonymised'),
        ('core', '0015_protected_fields'),
    ]

    operations = [
        migrations.AlterField(
            model_name='patient',
            name='address_line1',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=200, verbose_name='address'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='address_line2',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=200, verbose_name='address, second line'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='city',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=100, verbose_name='city'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='email',
            field=core.security.fields.ProtectableEmailField(blank=True, max_length=254, verbose_name='e-mail'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='emergency_name',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=200, verbose_name='emergency contact'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='emergency_phone',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=20, verbose_name='emergency phone'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='emergency_relationship',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=60, verbose_name='emergency relationship'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='gender',
            field=core.security.fields.ProtectableCharField(blank=True, help_text="In the person's own words.", max_length=60, verbose_name='gender'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='insurance_provider',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=120, verbose_name='insurer'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='notes',
            field=core.security.fields.ProtectableTextField(blank=True, max_length=4000, verbose_name='notes'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='phone_alt',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=20, verbose_name='other phone'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='postal_code',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=20, verbose_name='postal code'),
        ),
        migrations.AlterField(
            model_name='patient',
            name='region',
            field=core.security.fields.ProtectableCharField(blank=True, max_length=100, verbose_name='region'),
        ),
    ]
