from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_approval_requests"),
    ]

    operations = [
        migrations.AddField(
            model_name="approvalrequest",
            name="covers_job",
            field=models.BooleanField(default=False),
        ),
    ]
