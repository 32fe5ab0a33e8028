"""Users, teams, grants and the audit trail."""

from console.access.models.audit import AuditChain, AuditQuerySet, AuditRecord, ReadCount
from console.access.models.grants import ApiToken, Departure, Grant, Membership
from console.access.models.invitations import INVITATION_DAYS, Invitation
from console.access.models.sign_on_rules import SignOnRule
from console.access.models.teams import RESERVED_SLUGS, ApprovalSetting, CustomRole, Team, validate_team_slug
from console.access.models.users import User, UserManager

__all__ = [
    "INVITATION_DAYS",
    "RESERVED_SLUGS",
    "ApiToken",
    "ApprovalSetting",
    "AuditChain",
    "AuditQuerySet",
    "AuditRecord",
    "CustomRole",
    "Departure",
    "Grant",
    "Invitation",
    "Membership",
    "ReadCount",
    "SignOnRule",
    "Team",
    "User",
    "UserManager",
    "validate_team_slug",
]
