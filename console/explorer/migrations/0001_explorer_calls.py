import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("connections", "0001_connections_and_submissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExplorerCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="time")),
                ("operation", models.CharField(max_length=64, verbose_name="operation")),
                ("parameters", models.JSONField(default=dict, verbose_name="parameters")),
                ("omitted_parameters", models.JSONField(default=list)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("open", "No response yet"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("refused", "Denied"),
                            ("unknown", "Unknown: no response was received"),
                        ],
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=128, verbose_name="code")),
                ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request ID")),
                ("milliseconds", models.PositiveIntegerField(null=True, verbose_name="duration")),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="connections.connection",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["user", "connection", "-id"], name="explorer_by_user")],
            },
        ),
    ]
