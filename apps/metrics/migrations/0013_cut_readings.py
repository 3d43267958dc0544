from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metrics", "0012_days_of_costs"),
    ]

    operations = [
        migrations.AddField(
            model_name="agenttrace",
            name="is_cut",
            field=models.BooleanField(
                blank=True,
                help_text="The last reading was cut; false where one was once.",
                null=True,
            ),
        ),
    ]
