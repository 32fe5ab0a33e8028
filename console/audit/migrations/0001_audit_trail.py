import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import console.accounts.encryption


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_users_teams_and_grants"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("number", models.PositiveIntegerField(unique=True)),
                ("chain_count", models.PositiveIntegerField(default=0)),
                ("key", console.accounts.encryption.EncryptedTextField()),
                ("length", models.BigIntegerField(default=0)),
                ("state", models.CharField(blank=True, max_length=64)),
                ("base_length", models.BigIntegerField(default=0)),
                ("base_state", models.CharField(blank=True, max_length=64)),
                ("row_hmac", models.CharField(max_length=64)),
                (
                    "team",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="audit_chain",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AuditRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="time"
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                ("actor_label", models.CharField(max_length=255, verbose_name="user")),
                ("token", models.CharField(blank=True, max_length=100, verbose_name="API token")),
                ("ip", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("user_agent", models.CharField(blank=True, max_length=255)),
                ("connection", models.CharField(blank=True, max_length=80, verbose_name="connection")),
                ("job", models.BigIntegerField(null=True, verbose_name="job")),
                ("operation", models.CharField(max_length=64, verbose_name="operation")),
                ("target", models.CharField(blank=True, max_length=255, verbose_name="target")),
                ("parameters", models.JSONField(default=dict, verbose_name="parameters")),
                ("before", models.JSONField(null=True, verbose_name="before")),
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
                        default="open",
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=128)),
                ("message", models.CharField(blank=True, max_length=1000)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("opened_number", models.BigIntegerField(null=True)),
                ("opened_hmac", models.CharField(blank=True, max_length=64)),
                ("closed_number", models.BigIntegerField(null=True)),
                ("closed_hmac", models.CharField(blank=True, max_length=64)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "chain",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="records",
                        to="audit.auditchain",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(fields=["team", "-at", "-id"], name="audit_by_team"),
                    models.Index(fields=["team", "operation", "-at", "-id"], name="audit_by_operation"),
                    models.Index(fields=["team", "actor_label", "-at", "-id"], name="audit_by_person"),
                    models.Index(fields=["team", "target", "-at", "-id"], name="audit_by_target"),
                    models.Index(fields=["team", "token", "-at", "-id"], name="audit_by_token"),
                    models.Index(
                        condition=models.Q(("job__isnull", False)),
                        fields=["team", "job", "-at", "-id", "operation", "outcome"],
                        name="audit_by_job",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("chain", "opened_number"), name="unique_opened_number"),
                    models.UniqueConstraint(fields=("chain", "closed_number"), name="unique_closed_number"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReadCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("actor_label", models.CharField(max_length=255, verbose_name="user")),
                ("connection", models.CharField(max_length=80, verbose_name="connection")),
                ("operation", models.CharField(max_length=64, verbose_name="operation")),
                ("count", models.PositiveBigIntegerField(default=0, verbose_name="reads")),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.team"
                    ),
                ),
            ],
            options={
                "ordering": ["-day", "actor_label", "operation"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "day", "actor_label", "connection", "operation"),
                        name="unique_read_count",
                    )
                ],
            },
        ),
    ]
