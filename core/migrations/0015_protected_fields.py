import django.contrib.postgres.fields
from django.db import migrations, models

from core.history.functions import DROP_PROTECT, KEEP, PROTECT


class Migration(migrations.Migration):

    dependencies = [
        ('core', "0014_access_log_seals"),
    ]

    operations = [
        migrations.AddField(
            model_name='clinic',
            name='protected_fields',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, db_default=[], default=list, help_text='Encrypted in the database for this clinic, beside those that always are.', verbose_name='protected fields'),
        ),
        migrations.AlterField(
            model_name='change',
            name='operation',
            field=models.CharField(choices=[('insert', 'Added'), ('update', 'Changed'), ('delete', 'Deleted'), ('erase', 'History erased'), ('protect', 'Older values encrypted')], max_length=8, verbose_name='what'),
        ),
        # KEEP as it is now: a value that is sealed, or opened, because of the clinic's marks is no change.
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
        migrations.RunSQL(PROTECT, DROP_PROTECT),
    ]
