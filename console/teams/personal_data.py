"""What is stored about a user with the invitations."""

from __future__ import annotations

from console.accounts.personal_data import PersonalData
from console.teams.models import Invitation

PARTS = (
    PersonalData(
        "invitations_received",
        lambda user: Invitation.objects.filter(email=user.email).order_by("pk"),
        ("team__name", "name", "role_slug", "created_at", "expires_at"),
        ends_with_account=True,
    ),
    PersonalData(
        "invitations_sent",
        lambda user: Invitation.objects.filter(invited_by=user).order_by("pk"),
        ("team__name", "email", "role_slug", "created_at", "expires_at"),
    ),
)
