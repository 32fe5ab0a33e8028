from django.db import migrations


class Migration(migrations.Migration):
    """Forms that were sent are kept in connections now, for all rooms; those of the last days need not come along."""

    dependencies = [("ota", "0001_initial"), ("connections", "0003_submissions")]

    operations = [migrations.DeleteModel(name="Submission")]
