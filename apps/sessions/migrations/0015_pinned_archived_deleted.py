"""Sessions can be pinned, archived and deleted. What the indexes of the lists ask for grows by two columns."""


import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

SHOWN = models.Q(('archived_at', None), ('deleted_at', None), ('purpose', 'conversation'))
LAST_ACTIVE = (
    models.OrderBy(django.db.models.functions.comparison.Coalesce('last_invoked_at', 'created_at'), descending=True),
    models.OrderBy(models.F('id'), descending=True),
    models.F('purpose'),
    models.F('archived_at'),
    models.F('deleted_at'),
)


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0014_list_indexes'),
        ('agents', '0005_endpoint_position'),
        ('core', '0006_process_name'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name='session', name='conversation_active'),
        migrations.RemoveIndex(model_name='session', name='conversation_of_owner_active'),
        migrations.AddField(
            model_name='session',
            name='archived_at',
            field=models.DateTimeField(blank=True, help_text='Lists leave it out unless they are asked.', null=True),
        ),
        migrations.AddField(
            model_name='session',
            name='deleted_at',
            field=models.DateTimeField(blank=True, help_text='Nobody sees it any more; it can be brought back until it is purged.', null=True),
        ),
        migrations.AddField(
            model_name='session',
            name='is_pinned',
            field=models.BooleanField(db_default=False, help_text='Stands before the others beside every page.'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(*LAST_ACTIVE, condition=SHOWN, name='conversation_shown'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.F('owner'), *LAST_ACTIVE, condition=SHOWN, name='conversation_of_owner_shown'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(condition=models.Q(('is_pinned', True)), fields=['owner'], name='session_pinned'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(condition=models.Q(('archived_at__isnull', False)), fields=['owner', 'archived_at'], name='session_archived'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(condition=models.Q(('deleted_at__isnull', False)), fields=['deleted_at'], name='session_deleted'),
        ),
    ]
