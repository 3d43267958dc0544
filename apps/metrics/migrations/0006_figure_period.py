"""FigureSpan is FigurePeriod from now on, in Python only.

The names in the database stay: processes of the release before read and write the table. The rights to it, which are
named after the model, keep their rows and with them whoever was given one.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def _name_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor, old: str, new: str) -> None:
    rights = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    for right in rights.filter(content_type__app_label="metrics", codename__endswith=f"_{old.replace(' ', '')}"):
        right.codename = right.codename.removesuffix(old.replace(" ", "")) + new.replace(" ", "")
        right.name = right.name.removesuffix(old) + new
        right.save(update_fields=["codename", "name"])


def to_period(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _name_rights(apps, schema_editor, "figure span", "figure period")


def to_span(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _name_rights(apps, schema_editor, "figure period", "figure span")


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('metrics', '0005_startseries_not_ended_count'),
    ]

    operations = [
        migrations.AlterModelTable(
            name='figurespan',
            table='metrics_figurespan',
        ),
        migrations.RenameModel(
            old_name='FigureSpan',
            new_name='FigurePeriod',
        ),
        migrations.RunPython(to_period, to_span),
        migrations.AlterField(
            model_name='figureperiod',
            name='invocation_count',
            field=models.PositiveIntegerField(help_text='All invocations of the period; where it differs from the present number, the row is out of date.'),
        ),
        migrations.AlterField(
            model_name='figureperiod',
            name='start_at',
            field=models.DateTimeField(help_text='An invocation belongs to the period by requested_at.'),
        ),
    ]
