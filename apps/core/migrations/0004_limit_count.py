from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_tag'),
    ]

    operations = [
        migrations.CreateModel(
            name='LimitCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(editable=False, max_length=64, unique=True)),
                ('count', models.PositiveIntegerField()),
                ('until_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'ordering': ['-until_at'],
            },
        ),
    ]
