"""The lists find and count by indexes what they show: a team has 300,000 conversations and 20,000 failed runs."""


import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0013_run_tags'),
        ('agents', '0005_endpoint_position'),
        ('core', '0006_process_name'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='invocation',
            index=models.Index(condition=models.Q(('status', 'failed'), ('status', 'interrupted'), _connector='OR'), fields=['error_code', '-requested_at'], name='invocation_failed_with'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(condition=models.Q(('purpose', 'measure_start')), fields=['owner'], name='session_of_measure_owner'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.OrderBy(django.db.models.functions.comparison.Coalesce('last_invoked_at', 'created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), models.F('purpose'), condition=models.Q(('purpose', 'conversation')), name='conversation_active'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.F('owner'), models.OrderBy(django.db.models.functions.comparison.Coalesce('last_invoked_at', 'created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), models.F('purpose'), condition=models.Q(('purpose', 'conversation')), name='conversation_of_owner_active'),
        ),
    ]
