from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_runner_process'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40)),
                ('key', models.CharField(editable=False, max_length=120, unique=True)),
            ],
            options={
                'ordering': ['key'],
            },
        ),
    ]
