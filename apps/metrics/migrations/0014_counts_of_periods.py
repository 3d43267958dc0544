from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('metrics', '0013_cut_readings'),
    ]

    operations = [
        migrations.AddField(
            model_name='figureperiod',
            name='count_totals',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='figureperiod',
            name='counts',
            field=models.JSONField(blank=True, null=True),
        ),
    ]
