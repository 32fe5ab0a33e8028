"""What is stored about a user's account, sign-in and rights, and what the audit trail says about them."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt, AccessFailureLog, AccessLog

from console.accounts.models import ApiToken, Departure, Membership, User
from console.accounts.personal_data import PersonalData
from console.audit.models import AuditRecord, ReadCount

PARTS = (
    PersonalData(
        "account",
        lambda user: User.objects.filter(pk=user.pk),
        ("email", "name", "time_zone", "language", "theme", "last_visited", "last_login", "date_joined"),
    ),
    PersonalData(
        "email_addresses",
        lambda user: EmailAddress.objects.filter(user=user).order_by("pk"),
        ("email", "verified", "primary"),
        ends_with_account=True,
    ),
    PersonalData(
        "sign_in_methods",
        lambda user: Authenticator.objects.filter(user=user).order_by("pk"),
        ("type", "data__name", "created_at", "last_used_at"),
        ends_with_account=True,
    ),
    PersonalData(
        "single_sign_on",
        lambda user: SocialAccount.objects.filter(user=user).order_by("pk"),
        ("provider", "extra_data", "date_joined", "last_login"),
        ends_with_account=True,
    ),
    PersonalData(
        "sessions",
        lambda user: UserSession.objects.filter(user=user).order_by("pk"),
        ("ip", "user_agent", "created_at", "last_seen_at"),
        ends_with_account=True,
    ),
    PersonalData(
        "sign_ins",
        lambda user: AccessLog.objects.filter(username=user.email).order_by("pk"),
        ("attempt_time", "ip_address", "user_agent"),
        ends_with_account=True,
    ),
    PersonalData(
        "failed_sign_ins",
        lambda user: AccessFailureLog.objects.filter(username=user.email).order_by("pk"),
        ("attempt_time", "ip_address", "user_agent"),
        ends_with_account=True,
    ),
    PersonalData(
        "counted_failures",
        lambda user: AccessAttempt.objects.filter(username=user.email).order_by("pk"),
        ("attempt_time", "ip_address", "user_agent", "failures_since_start"),
        ends_with_account=True,
    ),
    PersonalData(
        "memberships",
        lambda user: Membership.objects.filter(user=user).order_by("pk"),
        ("team__name", "role_slug", "access_scope", "source", "granted_at"),
    ),
    PersonalData(
        "teams_left",
        lambda user: Departure.objects.filter(user=user).order_by("pk"),
        ("team__name", "at"),
    ),
    PersonalData(
        "api_tokens",
        lambda user: ApiToken.objects.filter(user=user).order_by("pk"),
        (
            "team__name",
            "name",
            "hint",
            "role_slug",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "last_used_ip",
        ),
    ),
    PersonalData(
        "audit_records",
        lambda user: AuditRecord.objects.filter(actor=user).order_by("pk"),
        ("at", "team__name", "connection", "operation", "target", "outcome", "ip", "user_agent", "token"),
    ),
    PersonalData(
        "reads",
        lambda user: ReadCount.objects.filter(actor_label=user.email).order_by("pk"),
        ("day", "team__name", "connection", "operation", "count"),
    ),
)
