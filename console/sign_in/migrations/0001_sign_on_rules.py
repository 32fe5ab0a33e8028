import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_users_teams_and_grants"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignOnRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role_slug", models.CharField(max_length=40, verbose_name="role")),
                ("access_scope", models.JSONField(blank=True, default=dict)),
                ("granted_by", models.JSONField(blank=True, default=list)),
                ("position", models.PositiveIntegerField(default=0)),
                ("claim", models.CharField(blank=True, max_length=80, verbose_name="claim")),
                ("value", models.CharField(max_length=200, verbose_name="value")),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_on_rules",
                        to="accounts.team",
                    ),
                ),
            ],
            options={
                "ordering": ["position", "id"],
                "constraints": [
                    models.UniqueConstraint(fields=("team", "claim", "value"), name="unique_sign_on_rule")
                ],
            },
        ),
    ]
