"""What is stored about a user with the forms that create an object."""

from __future__ import annotations

from console.accounts.personal_data import PersonalData
from console.connections.models import Submission

PARTS = (
    PersonalData(
        "submitted_forms",
        lambda user: Submission.objects.filter(user=user).order_by("pk"),
        ("at", "connection__team__name", "connection__name", "result"),
        ends_with_account=True,
    ),
)
