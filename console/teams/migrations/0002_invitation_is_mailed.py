from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether the link of an invitation was only sent to the address. Existing links may have been shown to the inviter."""

    dependencies = [("teams", "0001_invitations")]

    operations = [
        migrations.AddField(
            model_name="invitation", name="is_mailed", field=models.BooleanField(default=False)
        ),
    ]
