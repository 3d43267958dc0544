from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def mark_sessions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Say of the sessions of all series so far what they are for."""
    runs = apps.get_model("metrics", "StartSeriesRun").objects.order_by()
    sessions = apps.get_model("agent_sessions", "Session").objects
    sessions.filter(pk__in=runs.values("invocation__session")).update(purpose="measure_start")


class Migration(migrations.Migration):

    dependencies = [
        ('agent_sessions', '0003_session_purpose'),
        ('metrics', '0002_figures_and_start_series'),
    ]

    operations = [
        migrations.AlterField(
            model_name='startseries',
            name='state',
            field=models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled'), ('failed', 'Failed'), ('interrupted', 'Interrupted')], default='queued', max_length=12),
        ),
        migrations.RunPython(mark_sessions, migrations.RunPython.noop),
    ]
