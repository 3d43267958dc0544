"""Tags get rows of their own. The column of their names gets another name in Python only: its name in the database
stays, processes of the release before read and write it.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0005_queue_and_hosts'),
        ('core', '0003_tag'),
    ]

    operations = [
        migrations.AlterField(
            model_name='session',
            name='tags',
            field=models.JSONField(blank=True, db_column='tags', default=list),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RenameField('session', 'tags', 'former_tags')]
        ),
        migrations.CreateModel(
            name='SessionTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='agent_sessions.session')),
                ('tag', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='core.tag')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('session', 'tag'), name='tag_unique_per_session')],
            },
        ),
        migrations.AddField(
            model_name='session',
            name='tags',
            field=models.ManyToManyField(related_name='sessions', through='agent_sessions.SessionTag', to='core.tag'),
        ),
    ]
