import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import console.accounts.encryption


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_users_teams_and_grants"),
        ("connections", "0001_connections_and_submissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Chunk",
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
                        choices=[("held", "Held"), ("active", "Active"), ("done", "Done")],
                        default="active",
                        max_length=6,
                    ),
                ),
                ("step", models.CharField(max_length=24)),
                ("data", models.JSONField(default=dict)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("delay_reason", models.CharField(blank=True, default="", max_length=16)),
                ("lease", models.CharField(blank=True, default="", max_length=32)),
                ("leased_until", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("woken_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                (
                    "state",
                    models.CharField(
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
                ("subject", models.CharField(blank=True, default="", max_length=128)),
                ("scope_key", models.TextField(blank=True, default="")),
                ("account", models.TextField(blank=True, default="")),
                ("params", models.JSONField(default=dict)),
                ("file_name", models.CharField(blank=True, default="", max_length=120)),
                ("file_size", models.PositiveIntegerField(default=0)),
                ("file_digest", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("error", models.JSONField(null=True)),
                ("counts", models.JSONField(default=dict)),
                ("total", models.PositiveIntegerField(default=0)),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("advanced_at", models.DateTimeField(null=True)),
                ("done_at_start", models.PositiveIntegerField(default=0)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="jobs",
                        to="connections.connection",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="children",
                        to="jobs.job",
                    ),
                ),
                (
                    "started_by",
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
            name="Item",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("key", models.CharField(max_length=520)),
                ("label", models.CharField(blank=True, default="", max_length=520)),
                ("data", models.JSONField(null=True)),
                (
                    "outcome",
                    models.CharField(
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
                ("reason", models.CharField(blank=True, default="", max_length=300)),
                (
                    "chunk",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="jobs.chunk",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="jobs.job",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "level",
                    models.CharField(
                        choices=[("info", "Note"), ("warning", "Warning"), ("error", "Error")],
                        default="info",
                        max_length=7,
                    ),
                ),
                ("sentence", models.JSONField()),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="jobs.job",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="chunk",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="chunks", to="jobs.job"
            ),
        ),
        migrations.CreateModel(
            name="Part",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="jobs.job",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="Sample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("counts", models.JSONField()),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="samples",
                        to="jobs.job",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Secret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=200)),
                ("value", console.accounts.encryption.EncryptedTextField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secrets",
                        to="jobs.job",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["connection", "-id"], name="jobs_of_connection"),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at__isnull", True), models.Q(("subject", ""), _negated=True)),
                fields=("connection", "kind", "subject"),
                name="one_unfinished_job_per_subject",
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(fields=["job", "number"], name="items_in_order"),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(fields=["chunk", "outcome"], name="items_of_chunk"),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(fields=["job", "key"], name="items_by_key"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["job", "-id"], name="events_of_job"),
        ),
        migrations.AddIndex(
            model_name="chunk",
            index=models.Index(
                condition=models.Q(("state", "active")), fields=["next_at"], name="chunks_to_wake"
            ),
        ),
        migrations.AddConstraint(
            model_name="chunk",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="unique_chunk_number"),
        ),
        migrations.AddConstraint(
            model_name="part",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="unique_part_number"),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(fields=["job", "at"], name="samples_in_order"),
        ),
        migrations.AddConstraint(
            model_name="secret",
            constraint=models.UniqueConstraint(fields=("job", "key"), name="unique_secret_key"),
        ),
    ]
