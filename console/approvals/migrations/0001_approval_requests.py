import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import console.accounts.encryption


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_users_teams_and_grants"),
        ("connections", "0001_connections_and_submissions"),
        ("jobs", "0001_jobs_and_items"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=40, verbose_name="rule")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("waiting", "Waiting"),
                            ("approved", "Approved, running"),
                            ("refused", "Rejected"),
                            ("expired", "Expired"),
                            ("withdrawn", "Withdrawn"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("unknown", "Unknown"),
                        ],
                        default="draft",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("requester_label", models.CharField(max_length=255, verbose_name="requested by")),
                ("calls", console.accounts.encryption.EncryptedTextField()),
                ("digest", models.CharField(max_length=64)),
                ("operation", models.CharField(max_length=64, verbose_name="operation")),
                ("target", models.CharField(blank=True, max_length=255, verbose_name="target")),
                ("subject_id", models.CharField(blank=True, max_length=255)),
                ("products", models.JSONField(default=list)),
                ("devices", models.PositiveIntegerField(null=True, verbose_name="devices")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("asked_at", models.DateTimeField(null=True, verbose_name="requested")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="expires")),
                ("decider_label", models.CharField(blank=True, max_length=255, verbose_name="decided by")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                ("decision", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("failure", models.JSONField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="connections.connection",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="jobs.job",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.team"
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="accounts.apitoken",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ApprovalCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("sending", "Sending"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("unknown", "Unknown"),
                            ("canceled", "Not sent"),
                        ],
                        default="pending",
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=128, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=1000, verbose_name="message")),
                ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request ID")),
                ("batch_id", models.CharField(blank=True, max_length=64)),
                (
                    "approval",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="outcomes",
                        to="approvals.approvalrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(fields=["team", "state", "-id"], name="approvals_of_team"),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")),
                fields=("connection", "digest"),
                name="one_waiting_request_per_calls",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalcall",
            constraint=models.UniqueConstraint(fields=("approval", "number"), name="unique_call_number"),
        ),
    ]
