from django.db import migrations, models

from core.events.operations import NumbersEvents


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0021_notifications'),
    ]

    operations = [
        migrations.AddField(
            model_name='domainevent',
            name='position',
            field=models.BigIntegerField(editable=False, null=True, verbose_name='position'),
        ),
        migrations.AddIndex(
            model_name='domainevent',
            index=models.Index(condition=models.Q(('position__isnull', False)), fields=['clinic', 'position'], name='core_domainevent_live'),
        ),
        NumbersEvents(),
    ]
