"""The pages of tokens: made by people who showed that it is they, shown once, revoked by those who may."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from console.access.models import ApiToken, AuditRecord, Membership, User
from console.api.document import document, operations
from console.connections.models import Connection
from tests.conftest import Organization
from tests.test_canary import tables

FORM = {"name": "nightly", "role": "viewer", "scope": "all", "days": "30"}
OWN, TEAM = "/acme/-/tokens/own/add/", "/acme/-/tokens/add/"


def key_in(answer: Any) -> str:
    found = re.search(r"fd_[0-9A-Za-z]{54}", answer.content.decode())
    assert found is not None
    return found.group()


def works(key: str) -> bool:
    answer = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code == 200


@pytest.mark.parametrize("url", [OWN, TEAM])
def test_a_token_is_shown_once_and_kept_nowhere(
    org: Organization, sign_in: Any, url: str, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    client = sign_in("owner")
    made = client.post(url, FORM)
    key = key_in(made)
    assert works(key)
    assert made["Cache-Control"].count("no-store")
    assert key not in "\n".join(tables())
    assert key not in str([session.get_decoded() for session in Session.objects.all()])
    assert key not in "\n".join(record.getMessage() for record in caplog.records)
    for page in ("/account/tokens/", "/acme/-/tokens/", "/acme/-/audit/", url):
        assert key not in client.get(page).content.decode()


def test_making_a_token_asks_for_somebody_who_showed_lately_that_it_is_they(
    org: Organization, sign_in: Any, settings: Any
) -> None:
    client = sign_in("owner")
    settings.REAUTHENTICATION_MINUTES = 0
    for url in (OWN, TEAM):
        for answer in (client.get(url), client.post(url, FORM)):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()


def test_everybody_makes_tokens_of_their_own_of_roles_within_theirs(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    page = client.get(OWN).content.decode()
    assert 'value="operator"' in page
    assert 'value="administrator"' not in page
    assert 'value="owner"' not in sign_in("owner").get(OWN).content.decode()
    assert client.post(OWN, {**FORM, "role": "administrator"}).status_code == 422
    assert works(key_in(client.post(OWN, {**FORM, "role": "operator"})))


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 41}, {"days": "0"}, {"days": "366"}, {"role": ""}, {"scope": "part"}],
)
def test_a_form_with_a_mistake_makes_nothing_and_keeps_what_was_typed(
    org: Organization, sign_in: Any, wrong: dict[str, str]
) -> None:
    answer = sign_in("owner").post(OWN, {**FORM, **wrong})
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()
    if "name" not in wrong:
        assert 'value="nightly"' in answer.content.decode()


def test_sending_the_form_again_makes_no_second_token(org: Organization, sign_in: Any) -> None:
    client = sign_in("owner")
    assert client.post(OWN, FORM).status_code == 200
    again = client.post(OWN, FORM)
    assert again.status_code == 422
    assert "Choose another" in again.content.decode()
    assert ApiToken.objects.count() == 1


def test_a_token_is_narrowed_to_what_was_ticked(org: Organization, sign_in: Any) -> None:
    form = {
        **FORM,
        "scope": "part",
        "connections": [str(org.connection.pk)],
        "products": "a1keyOne, a1keyTwo",
    }
    sign_in("owner").post(OWN, form)
    access_scope = ApiToken.objects.get().own_scope
    assert access_scope.connections == {org.connection.pk}
    assert access_scope.products == {"a1keyOne", "a1keyTwo"}
    theirs = {**FORM, "name": "b", "scope": "part", "connections": [str(org.other_connection.pk)]}
    assert sign_in("owner").post(OWN, theirs).status_code == 422


def test_a_limited_member_is_offered_only_connections_within_their_reach(
    org: Organization, sign_in: Any
) -> None:
    hidden = Connection.objects.create(
        team=org.team, slug="hidden-plant", name="Hidden plant", access_key_id="x", access_key_secret="y"
    )
    Membership.objects.filter(user=org.members["viewer"]).update(
        access_scope={"connections": [org.connection.pk]}
    )
    client = sign_in("viewer")
    page = client.get(OWN).content.decode()
    assert "Sandbox" in page
    assert "Hidden plant" not in page
    assert "hidden-plant" not in page
    # Nor can they try out which numbers are those of connections.
    answers = {
        client.post(OWN, {**FORM, "scope": "part", "connections": [str(pk)]})
        .content.decode()
        .count("not one of")
        for pk in (hidden.pk, hidden.pk + 1000, org.other_connection.pk)
    }
    assert answers == {1}
    assert not ApiToken.objects.exists()


def test_people_revoke_their_own_tokens_and_administrators_those_of_the_team(
    org: Organization, sign_in: Any
) -> None:
    mine = key_in(sign_in("viewer").post(OWN, FORM))
    ours = key_in(sign_in("administrator").post(TEAM, FORM))
    own, team = ApiToken.objects.order_by("pk")
    assert sign_in("operator").post(f"/account/tokens/{own.pk}/revoke/").status_code == 404
    assert sign_in("operator").post(f"/acme/-/tokens/{own.pk}/revoke/").status_code == 403
    assert sign_in("outsider").post(f"/globex/-/tokens/{own.pk}/revoke/").status_code == 404
    assert works(mine)
    assert sign_in("viewer").get(f"/account/tokens/{own.pk}/revoke/").status_code == 200
    assert works(mine), "asking is not doing"
    sign_in("viewer").post(f"/account/tokens/{own.pk}/revoke/")
    sign_in("administrator").post(f"/acme/-/tokens/{team.pk}/revoke/")
    assert not works(mine)
    assert not works(ours)
    assert "Revoked" in sign_in("administrator").get("/acme/-/tokens/").content.decode()


def test_a_teams_page_lists_its_tokens_and_no_others(org: Organization, sign_in: Any) -> None:
    sign_in("viewer").post(OWN, {**FORM, "name": "of-a-member"})
    sign_in("owner").post(TEAM, {**FORM, "name": "of-the-team"})
    sign_in("outsider").post("/globex/-/tokens/own/add/", {**FORM, "name": "of-globex"})
    page = sign_in("administrator").get("/acme/-/tokens/").content.decode()
    assert "of-a-member" in page
    assert "of-the-team" in page
    assert "of-globex" not in page
    assert "of-a-member" not in sign_in("owner").get("/account/tokens/").content.decode()
    Membership.objects.filter(user=org.members["viewer"]).delete()
    assert "of-a-member" not in sign_in("administrator").get("/acme/-/tokens/").content.decode()


def test_the_account_of_a_token_is_nobody_that_people_meet(org: Organization, sign_in: Any) -> None:
    sign_in("owner").post(TEAM, {**FORM, "name": "robot-arm"})
    account = User.objects.get(is_service=True)
    client = sign_in("owner")
    assert "robot-arm" not in client.get("/acme/-/members/").content.decode()
    member = account.memberships.get()
    assert client.get(f"/acme/-/members/{member.pk}/").status_code == 404
    browser = Client()
    browser.post("/accounts/login/", {"login": account.email, "password": "x"})
    assert "_auth_user_id" not in browser.session
    assert AuditRecord.objects.get(operation="token.make_for_team").target == "robot-arm"


def test_the_reference_tells_every_operation(org: Organization, sign_in: Any) -> None:
    page = sign_in("viewer").get("/account/api/").content.decode()
    for path, _method, operation in operations(document()):
        assert f'id="{operation["operationId"]}"' in page
        assert path in page
    assert "http://testserver/api/v1/token" in page
    assert " style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
