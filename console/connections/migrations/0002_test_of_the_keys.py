from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0001_connections_and_submissions"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="test_error",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=128, verbose_name="error of the test"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="tested_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="tested"),
        ),
    ]
