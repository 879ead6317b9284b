import core.security.fields
import core.tenancy.ids
import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models

from core.history.operations import KeepsHistory


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0016_jobs'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExternalSystem',
            fields=[
                ('id', models.UUIDField(default=core.tenancy.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.SlugField(help_text='By which HMS asks for it.', max_length=40, unique=True, verbose_name='name')),
                ('kind', models.CharField(choices=[('lab', 'Laboratory'), ('imaging', 'Imaging'), ('pharmacy', 'Pharmacy'), ('insurer', 'Insurer'), ('payment', 'Payments'), ('sms', 'Text messages (SMS)'), ('whatsapp', 'WhatsApp'), ('fhir', 'FHIR server'), ('other', 'Other')], max_length=10, verbose_name='kind')),
                ('endpoints', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=500), help_text='One for each endpoint, with commas: https://lab-1.example.org/api,https://lab-2.example.org/api', verbose_name='addresses')),
                ('balance', models.CharField(choices=[('round_robin', 'In turn'), ('least_connections', 'Fewest open requests')], default='round_robin', max_length=20, verbose_name='distribution')),
                ('connect_seconds', models.PositiveSmallIntegerField(default=2, help_text='1 – 30', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(30)], verbose_name='to connect (seconds)')),
                ('answer_seconds', models.PositiveSmallIntegerField(default=10, help_text='1 – 120', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(120)], verbose_name='to answer (seconds)')),
                ('total_seconds', models.PositiveSmallIntegerField(default=30, help_text='1 – 300', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(300)], verbose_name='with all tries (seconds)')),
                ('attempts', models.PositiveSmallIntegerField(default=3, help_text='1 – 5', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)], verbose_name='tries')),
                ('health_path', models.CharField(blank=True, help_text='Such as /health. Empty: the address itself.', max_length=200, verbose_name='health path')),
                ('authorization', core.security.fields.EncryptedTextField(blank=True, default='', verbose_name='Authorization header')),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'external system',
                'verbose_name_plural': 'external systems',
                'ordering': ['name'],
            },
        ),
        KeepsHistory("externalsystem", secret=("authorization",)),
    ]
