"""The pages of API tokens: creation after confirmation, display once, and revocation by those who may."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from console.accounts.models import ApiToken, Membership, User
from console.api.document import document, operations
from console.audit.models import AuditRecord
from console.connections.models import Connection
from tests.conftest import Organization
from tests.stored_data import dump_tables

FORM = {"name": "nightly", "role": "viewer", "scope": "all", "days": "30"}
ADD_OWN, ADD_TEAM = "/acme/-/tokens/own/add/", "/acme/-/tokens/add/"


def read_key(response: Any) -> str:
    key = re.search(r"fd_[0-9A-Za-z]{54}", response.content.decode())
    assert key is not None
    return key.group()


def is_valid(key: str) -> bool:
    response = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {key}"})
    return response.status_code == 200


@pytest.mark.parametrize("url", [ADD_OWN, ADD_TEAM])
def test_a_token_is_shown_once_and_stored_nowhere(
    org: Organization, sign_in: Any, url: str, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    client = sign_in("owner")
    created = client.post(url, FORM)
    key = read_key(created)
    assert is_valid(key)
    assert f"export FLEETDESK_TOKEN={key}\n" in created.content.decode()  # the example can be pasted
    assert created["Cache-Control"].count("no-store")
    assert key not in "\n".join(dump_tables())
    assert key not in str([session.get_decoded() for session in Session.objects.all()])
    assert key not in "\n".join(record.getMessage() for record in caplog.records)
    for page in ("/account/tokens/", "/acme/-/tokens/", "/acme/-/audit/", url):
        assert key not in client.get(page).content.decode()


def test_creating_a_token_requires_a_recent_confirmation(
    org: Organization, sign_in: Any, settings: Any
) -> None:
    client = sign_in("owner")
    settings.REAUTHENTICATION_MINUTES = 0
    for url in (ADD_OWN, ADD_TEAM):
        assert client.get(url).status_code == 200
        response = client.post(url, FORM)
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()


def test_members_create_own_tokens_with_roles_within_their_own(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    page = client.get(ADD_OWN).content.decode()
    assert 'value="operator"' in page
    assert 'value="administrator"' not in page
    assert 'value="owner"' not in sign_in("owner").get(ADD_OWN).content.decode()
    assert client.post(ADD_OWN, {**FORM, "role": "administrator"}).status_code == 422
    assert is_valid(read_key(client.post(ADD_OWN, {**FORM, "role": "operator"})))


def test_the_form_does_not_offer_secrets_to_tokens(org: Organization, sign_in: Any) -> None:
    page = sign_in("owner").get(ADD_OWN).content.decode()
    assert "Full access to the platform, except secrets." in page
    assert "including secrets" not in page


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 41}, {"days": "0"}, {"days": "366"}, {"role": ""}, {"scope": "part"}],
)
def test_an_invalid_form_creates_nothing_and_keeps_the_input(
    org: Organization, sign_in: Any, wrong: dict[str, str]
) -> None:
    response = sign_in("owner").post(ADD_OWN, {**FORM, **wrong})
    assert response.status_code == 422
    assert not ApiToken.objects.exists()
    if "name" not in wrong:
        assert 'value="nightly"' in response.content.decode()


def test_sending_the_form_again_creates_no_second_token(org: Organization, sign_in: Any) -> None:
    client = sign_in("owner")
    assert client.post(ADD_OWN, FORM).status_code == 200
    second = client.post(ADD_OWN, FORM)
    assert second.status_code == 422
    assert "Choose another" in second.content.decode()
    assert ApiToken.objects.count() == 1


def test_a_token_has_the_selected_access_scope(org: Organization, sign_in: Any) -> None:
    form = {
        **FORM,
        "scope": "part",
        "connections": [str(org.connection.pk)],
        "products": "a1keyOne, a1keyTwo",
    }
    sign_in("owner").post(ADD_OWN, form)
    access_scope = ApiToken.objects.get().own_scope
    assert access_scope.connections == {org.connection.pk}
    assert access_scope.products == {"a1keyOne", "a1keyTwo"}
    foreign = {**FORM, "name": "b", "scope": "part", "connections": [str(org.other_connection.pk)]}
    assert sign_in("owner").post(ADD_OWN, foreign).status_code == 422


def test_a_limited_member_sees_only_connections_in_their_access_scope(
    org: Organization, sign_in: Any
) -> None:
    hidden = Connection.objects.create(
        team=org.team, slug="hidden-plant", name="Hidden plant", access_key_id="x", access_key_secret="y"
    )
    Membership.objects.filter(user=org.members["viewer"]).update(
        access_scope={"connections": [org.connection.pk]}
    )
    client = sign_in("viewer")
    page = client.get(ADD_OWN).content.decode()
    assert "Sandbox" in page
    assert "Hidden plant" not in page
    assert "hidden-plant" not in page
    # The response does not reveal which IDs are those of connections.
    responses = {
        client.post(ADD_OWN, {**FORM, "scope": "part", "connections": [str(pk)]})
        .content.decode()
        .count("not one of")
        for pk in (hidden.pk, hidden.pk + 1000, org.other_connection.pk)
    }
    assert responses == {1}
    assert not ApiToken.objects.exists()


def test_members_revoke_their_own_tokens_and_administrators_those_of_the_team(
    org: Organization, sign_in: Any
) -> None:
    mine = read_key(sign_in("viewer").post(ADD_OWN, FORM))
    ours = read_key(sign_in("administrator").post(ADD_TEAM, FORM))
    own, team = ApiToken.objects.order_by("pk")
    assert sign_in("operator").post(f"/account/tokens/{own.pk}/revoke/").status_code == 404
    assert sign_in("operator").post(f"/acme/-/tokens/{own.pk}/revoke/").status_code == 403
    assert sign_in("outsider").post(f"/globex/-/tokens/{own.pk}/revoke/").status_code == 404
    assert is_valid(mine)
    assert sign_in("viewer").get(f"/account/tokens/{own.pk}/revoke/").status_code == 200
    assert is_valid(mine), "the confirmation page revokes nothing"
    sign_in("viewer").post(f"/account/tokens/{own.pk}/revoke/")
    sign_in("administrator").post(f"/acme/-/tokens/{team.pk}/revoke/")
    assert not is_valid(mine)
    assert not is_valid(ours)
    assert "Revoked" in sign_in("administrator").get("/acme/-/tokens/").content.decode()


def test_a_teams_page_lists_its_tokens_and_no_others(org: Organization, sign_in: Any) -> None:
    sign_in("viewer").post(ADD_OWN, {**FORM, "name": "of-a-member"})
    sign_in("owner").post(ADD_TEAM, {**FORM, "name": "of-the-team"})
    sign_in("outsider").post("/globex/-/tokens/own/add/", {**FORM, "name": "of-globex"})
    page = sign_in("administrator").get("/acme/-/tokens/").content.decode()
    assert "of-a-member" in page
    assert "of-the-team" in page
    assert "of-globex" not in page
    assert "of-a-member" not in sign_in("owner").get("/account/tokens/").content.decode()
    Membership.objects.filter(user=org.members["viewer"]).delete()
    assert "of-a-member" not in sign_in("administrator").get("/acme/-/tokens/").content.decode()


def test_the_service_account_of_a_token_is_not_visible_and_cannot_sign_in(
    org: Organization, sign_in: Any
) -> None:
    sign_in("owner").post(ADD_TEAM, {**FORM, "name": "robot-arm"})
    account = User.objects.get(is_service=True)
    client = sign_in("owner")
    assert "robot-arm" not in client.get("/acme/-/members/").content.decode()
    member = account.memberships.get()
    assert client.get(f"/acme/-/members/{member.pk}/").status_code == 404
    browser = Client()
    browser.post("/accounts/login/", {"login": account.email, "password": "x"})
    assert "_auth_user_id" not in browser.session
    assert AuditRecord.objects.get(operation="token.make_for_team").target == "robot-arm"


def test_the_reference_lists_every_operation(org: Organization, sign_in: Any) -> None:
    page = sign_in("viewer").get("/account/api/").content.decode()
    for path, _method, operation in operations(document()):
        assert f'id="{operation["operationId"]}"' in page
        assert path in page
    assert "http://testserver/api/v1/token" in page
    assert " style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
