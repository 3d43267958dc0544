from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_spans(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Delete what is stored without totals; the worker makes it again."""
    apps.get_model("metrics", "FigureSpan").objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0003_failed_start_series'),
    ]

    operations = [
        migrations.RunPython(forget_spans, migrations.RunPython.noop),
        migrations.AddField(
            model_name='figurespan',
            name='totals',
            field=models.JSONField(default=list, help_text='[agent id, tally] each, and with null for the id that of all: what the groups add up to.'),
        ),
    ]
