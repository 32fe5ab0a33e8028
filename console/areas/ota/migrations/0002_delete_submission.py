from django.db import migrations


class Migration(migrations.Migration):
    """Submissions are stored in the connections app now, for all areas. Existing rows are not copied."""

    dependencies = [("ota", "0001_initial"), ("connections", "0003_submissions")]

    operations = [migrations.DeleteModel(name="Submission")]
