from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_longer_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="item",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("succeeded", "Succeeded"),
                    ("partial", "Partial"),
                    ("unchanged", "Unchanged"),
                    ("invalid", "Invalid"),
                    ("failed", "Failed"),
                    ("unknown", "Unknown"),
                    ("canceled", "Canceled"),
                    ("skipped", "Skipped"),
                ],
                default="pending",
                max_length=9,
            ),
        ),
    ]
