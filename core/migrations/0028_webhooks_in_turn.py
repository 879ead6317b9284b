from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # senders go on while the index is built

    dependencies = [
        ('core', '0027_worker_processes'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['clinic', 'endpoint', 'seq', 'id'], name='core_webhookdelivery_next'),
        ),
    ]
