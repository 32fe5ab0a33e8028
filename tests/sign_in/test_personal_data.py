"""The download of what is stored about a user, and the deletion of an account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client

from console.accounts.models import ApiToken, Departure, Membership, User
from console.accounts.personal_data import list_personal_data
from console.audit.models import AuditRecord
from tests.conftest import PASSWORD, Organization
from tests.populated import PopulatedTeam
from tests.sign_in.helpers import (
    add_authenticator_app,
    client_signed_in_before,
    is_signed_in,
    submit_password,
)
from tests.stored_data import dump_tables

PAGE, DOWNLOAD, DELETE = "/account/data/", "/account/data/download/", "/account/delete/"


def download(client: Client) -> dict[str, list[dict[str, Any]]]:
    response = client.get(DOWNLOAD)
    assert response["Content-Disposition"] == 'attachment; filename="fleetdesk-personal-data.json"'
    data: dict[str, list[dict[str, Any]]] = json.loads(response.getvalue())
    return data


# -- download ----------------------------------------------------------------------------------------------------------


def test_the_download_contains_what_is_stored_about_the_user(org: Organization, sign_in: Any) -> None:
    add_authenticator_app(org.members["operator"])
    sign_in("operator").post("/account/profile/", {"name": "Olga", "theme": "dark"})
    data = download(sign_in("operator"))
    assert set(data) == {part.name for part in list_personal_data()}
    assert data["account"][0]["name"] == "Olga"
    assert [method["type"] for method in data["sign_in_methods"]] == ["totp"]
    assert [membership["role_slug"] for membership in data["memberships"]] == ["operator"]
    assert [record["operation"] for record in data["audit_records"]] == ["profile.edit", "profile.download"]


def test_the_download_contains_no_row_of_another_user_and_no_secret(
    populated: PopulatedTeam, sign_in: Any
) -> None:
    """The owner of the populated team has rows of nearly every kind."""
    owner = populated.org.members["owner"]
    text = sign_in("owner").get(DOWNLOAD).getvalue().decode()
    assert owner.password.partition("$")[2] not in text
    for digest in ApiToken.objects.values_list("digest", flat=True):
        assert digest not in text
    outsider = json.loads(sign_in("outsider").get(DOWNLOAD).getvalue())
    assert owner.email not in json.dumps(outsider)
    assert {row["team__name"] for row in outsider["memberships"]} == {populated.org.other_team.name}


def test_the_download_requires_a_recent_confirmation_and_leads_back_to_the_page(org: Organization) -> None:
    response = client_signed_in_before(org.members["operator"]).get(DOWNLOAD)
    assert response["Location"] == "/accounts/reauthenticate/?next=%2Faccount%2Fdata%2F"


# -- deletion ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def deleted(org: Organization, sign_in: Any) -> User:
    """The operator, who deleted the account from a browser, while another one was signed in too."""
    user = org.members["operator"]
    submit_password(Client(), user.email)
    add_authenticator_app(user)
    client = sign_in("operator")
    response = client.post(DELETE, {"typed": user.email}, follow=True)
    assert "Your account was deleted." in response.content.decode()
    assert not is_signed_in(client)
    return user


def test_a_deleted_account_cannot_sign_in_and_leaves_personal_data_only_where_it_must_stay(
    org: Organization, deleted: User
) -> None:
    assert not UserSession.objects.filter(user_id=deleted.pk).exists()
    assert not Authenticator.objects.filter(user_id=deleted.pk).exists()
    assert not Membership.objects.filter(user_id=deleted.pk).exists()
    browser = Client()
    submit_password(browser, deleted.email, PASSWORD)
    assert not is_signed_in(browser)
    # The browser's own attempt is the only other trace.
    tables = {row.partition(":")[0] for row in dump_tables() if deleted.email in row}
    assert tables == {"audit_auditrecord", "axes_accessattempt", "axes_accessfailurelog"}


def test_the_deletion_is_recorded_for_each_team(org: Organization, deleted: User) -> None:
    records = AuditRecord.objects.filter(team=org.team, actor=deleted.pk).order_by("pk")
    operations = [(record.operation, record.outcome, record.actor_label) for record in records]
    assert ("profile.delete", "done", deleted.email) in operations
    assert ("team.remove_member", "done", deleted.email) in operations


def test_an_address_can_be_invited_again_after_its_account_was_deleted(
    org: Organization, deleted: User, sign_in: Any
) -> None:
    assert Departure.objects.of_address(deleted.email).count() == 1
    invitation = {"email": deleted.email, "name": "", "role": "viewer", "scope": "all"}
    assert sign_in("owner").post("/acme/-/members/invite/", invitation).status_code in {
        200,
        302,
    }
    assert not Departure.objects.of_address(deleted.email).exists()


def test_the_tokens_of_a_deleted_account_are_revoked(populated: PopulatedTeam, sign_in: Any) -> None:
    user = populated.org.members["operator"]
    tokens = ApiToken.objects.filter(user=user)
    before = tokens.count()
    sign_in("operator").post(DELETE, {"typed": user.email})
    assert tokens.count() == before
    assert not tokens.filter(revoked_at=None).exists()


def test_an_account_is_deleted_only_with_its_address_typed_and_a_recent_confirmation(
    org: Organization, sign_in: Any
) -> None:
    user = org.members["operator"]
    assert sign_in("operator").post(DELETE, {"typed": "operator"}).status_code == 422
    late = client_signed_in_before(user).post(DELETE, {"typed": user.email})
    assert late["Location"].startswith("/accounts/reauthenticate/")
    assert User.objects.filter(pk=user.pk, email=user.email, is_active=True).exists()


def test_the_only_owner_of_a_team_cannot_delete_the_account(org: Organization, sign_in: Any) -> None:
    owner = org.members["owner"]
    for response in (
        sign_in("owner").get(DELETE, follow=True),
        sign_in("owner").post(DELETE, {"typed": owner.email}, follow=True),
    ):
        assert f"You are the only owner of {org.team.name}." in response.content.decode()
    assert Membership.objects.filter(user=owner).exists()


def test_a_user_without_a_team_can_delete_the_account(org: Organization, sign_in: Any) -> None:
    user = org.members["viewer"]
    Membership.objects.filter(user=user).delete()
    sign_in("viewer").post(DELETE, {"typed": user.email})
    assert not User.objects.filter(email=user.email).exists()
    assert AuditRecord.objects.filter(team=None, operation="profile.delete", outcome="done").exists()
