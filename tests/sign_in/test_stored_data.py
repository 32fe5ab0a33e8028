"""The page that tells users what the console stores about them."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import models

from console.accounts.models import User
from console.accounts.personal_data import list_personal_data
from console.explorer.history import MAX_CALLS
from console.sign_in.cleanup import LOG_RETENTION_DAYS
from tests.conftest import Organization

PAGE = "/account/data/"
# Where the page tells about each model that names a user, by the heading of its card.
HEADINGS = {
    "account.EmailAddress": "Account",
    "accounts.User": "Account",
    "mfa.Authenticator": "Sign-in methods",
    "socialaccount.SocialAccount": "Sign-in methods",
    "usersessions.UserSession": "Sessions and sign-in attempts",
    "axes.AccessAttempt": "Sessions and sign-in attempts",
    "axes.AccessFailureLog": "Sessions and sign-in attempts",
    "axes.AccessLog": "Sessions and sign-in attempts",
    "accounts.Membership": "Memberships and API tokens",
    "accounts.Departure": "Memberships and API tokens",
    "accounts.ApiToken": "Memberships and API tokens",
    "teams.Invitation": "Memberships and API tokens",
    "audit.AuditRecord": "Audit trail",
    "audit.ReadCount": "Audit trail",
    "jobs.Job": "Jobs and approvals",
    "approvals.ApprovalRequest": "Jobs and approvals",
    "connections.Submission": "Jobs and approvals",
    "explorer.ExplorerCall": "Call history",
}
# Fields that name a user by their email address, without a reference to their account.
LABELS = {"actor_label", "email", "username", "requester_label"}


def names_user(model: type[models.Model]) -> bool:
    return any(
        field.concrete and (field.related_model is User or field.name in LABELS)
        for field in model._meta.get_fields()
    )


def test_the_page_tells_about_every_model_that_names_a_user(sign_in: Any) -> None:
    assert {model._meta.label for model in apps.get_models() if names_user(model)} == set(HEADINGS)
    page = sign_in("viewer").get(PAGE).content.decode()
    for heading in HEADINGS.values():
        assert f'<h2 class="card-title">{heading}</h2>' in page


def test_the_page_states_the_periods_of_the_settings_and_of_the_users_teams(
    org: Organization, sign_in: Any, settings: Any
) -> None:
    settings.SESSION_ABSOLUTE_HOURS, settings.SESSION_IDLE_MINUTES = 11, 17
    settings.JOBS_KEEP_DAYS, settings.AUDIT_KEEP_DAYS = 45, 0
    org.team.audit_keep_days = 400
    org.team.save()
    page = " ".join(sign_in("viewer").get(PAGE).content.decode().split())
    assert "at the latest 11 h after sign-in. They end after 17 min without use." in page
    assert f"Attempts: {LOG_RETENTION_DAYS} days." in page
    assert "Jobs and requests: 45 days after their end." in page
    assert "Acme Energy: 400 days" in page
    assert "Records without a team, or of a deleted team: forever" in page
    assert f"The latest {MAX_CALLS} calls on each connection." in page
    assert org.other_team.name not in page


@pytest.mark.parametrize("days", [0, 1])
def test_the_page_states_that_jobs_are_kept_forever_or_for_a_day(
    sign_in: Any, settings: Any, days: int
) -> None:
    settings.JOBS_KEEP_DAYS = days
    page = " ".join(sign_in("viewer").get(PAGE).content.decode().split())
    assert (
        "Jobs and requests: forever." if days == 0 else "Jobs and requests: 1 day after their end."
    ) in page


def test_the_profile_links_to_the_page(sign_in: Any) -> None:
    assert f'href="{PAGE}"' in sign_in("viewer").get("/account/profile/").content.decode()


def test_the_download_has_rows_of_every_model_that_names_a_user(org: Organization) -> None:
    found = [part.find(org.members["viewer"]) for part in list_personal_data()]
    assert {rows.model._meta.label for rows in found} == set(HEADINGS)
