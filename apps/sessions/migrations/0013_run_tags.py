"""Runs get tags of their own. That a run has them is no column of its table, which SQLite would copy all the same."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0012_search'),
        ('core', '0003_tag'),
    ]

    operations = [
        migrations.CreateModel(
            name='InvocationTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('invocation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='agent_sessions.invocation')),
                ('tag', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='core.tag')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('invocation', 'tag'), name='tag_unique_per_invocation')],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name='invocation',
                    name='tags',
                    field=models.ManyToManyField(related_name='invocations', through='agent_sessions.InvocationTag', to='core.tag'),
                ),
            ],
        ),
    ]
