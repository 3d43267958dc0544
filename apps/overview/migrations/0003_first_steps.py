import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('overview', '0002_rating'),
    ]

    operations = [
        migrations.CreateModel(
            name='FirstSteps',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('closed_at', models.DateTimeField()),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='first_steps', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'first steps',
            },
        ),
    ]
