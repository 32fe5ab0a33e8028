import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import console.accounts.encryption
import console.connections.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_users_teams_and_grants"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "slug",
                    models.SlugField(
                        max_length=40,
                        validators=[console.connections.models.validate_connection_slug],
                        verbose_name="short name",
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("region", models.CharField(default="cn-shanghai", max_length=40, verbose_name="region")),
                ("instance_id", models.CharField(blank=True, max_length=64, verbose_name="instance ID")),
                ("endpoint", models.CharField(blank=True, max_length=255, verbose_name="endpoint")),
                ("access_key_id", models.CharField(max_length=128, verbose_name="AccessKey ID")),
                (
                    "access_key_secret",
                    console.accounts.encryption.EncryptedTextField(verbose_name="AccessKey secret"),
                ),
                (
                    "security_token",
                    console.accounts.encryption.EncryptedTextField(
                        blank=True, default="", verbose_name="STS token"
                    ),
                ),
                (
                    "first_account",
                    models.CharField(blank=True, default="", editable=False, max_length=512),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="connections",
                        to="accounts.team",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="RecentAction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=40)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("count", models.PositiveIntegerField()),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Submission",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.CharField(max_length=64)),
                ("at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("result", models.CharField(blank=True, default="", max_length=400)),
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
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                fields=("team", "slug"), name="unique_connection_slug_per_team"
            ),
        ),
        migrations.AddIndex(
            model_name="recentaction",
            index=models.Index(fields=["team", "rule", "at"], name="recent_actions_of_team"),
        ),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                fields=("connection", "user", "token"), name="unique_submission_token"
            ),
        ),
    ]
