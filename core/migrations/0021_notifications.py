import core.tenancy.ids
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from core.tenancy.operations import Announces, RowLevelSecurity


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0020_data_sync'),
    ]

    operations = [
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40, verbose_name='kind')),
                ('about_id', models.UUIDField(null=True, verbose_name='about')),
                ('details', models.JSONField(default=dict, help_text='Ids, numbers, codes and dates.', verbose_name='details')),
                ('once', models.CharField(blank=True, max_length=60)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='told')),
                ('read_at', models.DateTimeField(null=True, verbose_name='read')),
                ('clinic', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='core.clinic', verbose_name='clinic')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
            ],
            options={
                'verbose_name': 'notification',
                'verbose_name_plural': 'notifications',
                'indexes': [models.Index(fields=['user', 'clinic', '-id'], name='core_notification_own'), models.Index(condition=models.Q(('read_at', None)), fields=['clinic', 'user'], name='core_notification_unread'), models.Index(fields=['created_at'], name='core_notification_age')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('read_at', None), models.Q(('once', ''), _negated=True)), fields=('clinic', 'user', 'kind', 'once'), name='core_notification_once')],
            },
        ),
        # Who acts in the clinic tells colleagues and reads only what was told to themselves; nothing but its being read ever changes.
        RowLevelSecurity("notification", scopes=("person", "clinic_adds"), append_only=True),
        migrations.RunSQL(
            "GRANT UPDATE (read_at) ON core_notification TO hms_app, hms_platform",
            "REVOKE UPDATE (read_at) ON core_notification FROM hms_app, hms_platform",
        ),
        Announces("notification", notifications=["user_id"]),
    ]
