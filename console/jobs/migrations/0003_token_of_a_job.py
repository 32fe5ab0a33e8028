import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_grants_tokens_and_audit_chains"),
        ("jobs", "0002_clock_of_the_database"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="token",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="access.apitoken",
            ),
        ),
    ]
