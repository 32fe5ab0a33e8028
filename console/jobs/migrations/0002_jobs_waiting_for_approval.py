from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_jobs_and_items"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[
                    ("checking", "Checking"),
                    ("ready", "Ready to start"),
                    ("waiting", "Waiting for approval"),
                    ("rejected", "Cannot be started"),
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("canceling", "Canceling"),
                    ("succeeded", "Succeeded"),
                    ("partial", "Partly failed"),
                    ("failed", "Failed"),
                    ("canceled", "Canceled"),
                ],
                default="queued",
                max_length=10,
                verbose_name="state",
            ),
        ),
    ]
