"""What is stored about a user with the calls from the explorer."""

from __future__ import annotations

from console.accounts.personal_data import PersonalData
from console.explorer.models import ExplorerCall

PARTS = (
    PersonalData(
        "explorer_calls",
        lambda user: ExplorerCall.objects.filter(user=user).order_by("pk"),
        ("at", "connection__team__name", "connection__name", "operation", "parameters", "outcome"),
        ends_with_account=True,
    ),
)
