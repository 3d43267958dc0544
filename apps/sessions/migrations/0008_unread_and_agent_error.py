from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0007_copy_tags'),
    ]

    operations = [
        migrations.AddField(
            model_name='invocation',
            name='unread_event_count',
            field=models.PositiveIntegerField(blank=True, help_text='How much of the answer its reader did not understand.', null=True),
        ),
        migrations.AddField(
            model_name='invocation',
            name='agent_error_type',
            field=models.CharField(blank=True, help_text='What the agent itself called its failure.', max_length=100, null=True),
        ),
    ]
