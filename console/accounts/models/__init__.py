"""Users, teams and grants."""

from console.accounts.models.grants import ApiToken, Departure, Grant, Membership
from console.accounts.models.teams import (
    RESERVED_SLUGS,
    ApprovalSetting,
    CustomRole,
    Team,
    validate_team_slug,
)
from console.accounts.models.users import User, UserManager

__all__ = [
    "RESERVED_SLUGS",
    "ApiToken",
    "ApprovalSetting",
    "CustomRole",
    "Departure",
    "Grant",
    "Membership",
    "Team",
    "User",
    "UserManager",
    "validate_team_slug",
]
