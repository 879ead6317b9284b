from django.db import migrations, models

from core.tenancy.operations import Announces


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0013_break_glass'),
        ('patients', '0004_history'),
    ]

    operations = [
        migrations.AddField(
            model_name='patient',
            name='is_restricted',
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name='restricted'),
        ),
        migrations.AddField(
            model_name='patient',
            name='restriction_reason',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300, verbose_name='reason of the restriction, or of its end'),
        ),
        migrations.AddIndex(
            model_name='patient',
            index=models.Index(condition=models.Q(('is_restricted', True)), fields=['clinic', 'id'], name='patients_restricted'),
        ),
        Announces("patient", patient=["id"], restricted=["clinic_id", "is_restricted"]),
    ]
