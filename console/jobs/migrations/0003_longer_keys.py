from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_jobs_waiting_for_approval"),
    ]

    operations = [
        migrations.AlterField(
            model_name="item",
            name="key",
            field=models.CharField(max_length=520),
        ),
        migrations.AlterField(
            model_name="item",
            name="label",
            field=models.CharField(blank=True, default="", max_length=520),
        ),
    ]
