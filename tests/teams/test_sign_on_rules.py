"""The page where owners edit the single sign-on rules of their team."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.accounts.models import CustomRole, Membership
from console.audit.models import AuditRecord
from console.sign_in.models import SignOnRule
from tests.conftest import PASSWORD, Organization
from tests.identity_provider import provider_settings

PAGE = "/acme/-/sign-on/"
SignIn = Callable[[str], Client]


@pytest.fixture
def owner(org: Organization) -> Client:
    """An owner who has just signed in with their password."""
    client = Client()
    client.post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    return client


def fields(**changed: Any) -> dict[str, Any]:
    return {"by": "domain", "value": "corp.test", "role": "viewer", "scope": "all"} | changed


def stored_rules() -> list[tuple[str, str, str]]:
    return list(SignOnRule.objects.values_list("claim", "value", "role_slug"))


@pytest.fixture
def rules(org: Organization) -> list[SignOnRule]:
    return [
        SignOnRule.objects.create(team=org.team, value=f"{name}.test", role_slug="viewer", position=place)
        for place, name in enumerate(("a", "b", "c"))
    ]


def test_an_owner_adds_rules_which_apply_in_the_order_of_creation(owner: Client, org: Organization) -> None:
    assert owner.post(f"{PAGE}add/", fields(value=" @Corp.TEST ")).status_code == 302
    owner.post(f"{PAGE}add/", fields(by="claim", claim="groups", value="Fleet-Ops", role="operator"))
    assert stored_rules() == [("", "corp.test", "viewer"), ("groups", "Fleet-Ops", "operator")]
    record = AuditRecord.objects.for_team(org.team).filter(operation="sign_on.add_rule").latest("id")
    assert (record.target, record.parameters["role"], record.outcome) == (
        "groups Fleet-Ops",
        "operator",
        "done",
    )
    page = owner.get(PAGE).content.decode()
    assert page.index("Email domain: corp.test") < page.index("groups: Fleet-Ops")


def test_a_rule_can_have_a_limited_access_scope(owner: Client, org: Organization) -> None:
    owner.post(f"{PAGE}add/", fields(scope="part", connections=[org.connection.pk]))
    assert SignOnRule.objects.get().access_scope == {"connections": [org.connection.pk]}


def test_a_connection_of_another_team_cannot_be_in_the_access_scope(owner: Client, org: Organization) -> None:
    response = owner.post(f"{PAGE}add/", fields(scope="part", connections=[org.other_connection.pk]))
    assert response.status_code == 422
    assert stored_rules() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": ""},
        {"value": "no domain"},
        {"value": "ada@corp.test"},
        {"by": "claim", "claim": ""},
        {"by": "else"},
        {"role": "owner"},
        {"role": "made-up"},
        {"value": "a\x00.test"},
        {"by": "claim", "claim": "a\x00", "value": "x"},
    ],
)
def test_an_invalid_rule_is_refused_and_the_input_is_kept(
    owner: Client, org: Organization, wrong: dict[str, Any]
) -> None:
    response = owner.post(f"{PAGE}add/", fields(claim="kept-claim") | wrong)
    assert response.status_code == 422
    assert stored_rules() == []
    if "claim" not in wrong:
        assert "kept-claim" in response.content.decode()


@pytest.mark.parametrize("confirmed", [[], [("b.test", "acme")], [("corp.test", "globex")]])
def test_a_rule_for_a_domain_that_is_not_confirmed_for_the_team_is_refused(
    owner: Client, rules: list[SignOnRule], settings: Any, confirmed: list[tuple[str, str]]
) -> None:
    settings.SIGN_ON_DOMAINS = confirmed
    for path in ("add/", f"{rules[1].pk}/"):
        response = owner.post(PAGE + path, fields())
        assert response.status_code == 422
        assert "is not confirmed for your team" in response.content.decode()
    claim = owner.post(f"{PAGE}add/", fields(by="claim", claim="groups", value="x"))
    assert claim.status_code == (302 if ("b.test", "acme") in confirmed else 422)


def test_a_duplicate_rule_is_refused(owner: Client, rules: list[SignOnRule]) -> None:
    for path in ("add/", f"{rules[1].pk}/"):
        response = owner.post(PAGE + path, fields(value="A.test"))
        assert response.status_code == 422
        assert "A rule for this value already exists" in response.content.decode()
    assert len(stored_rules()) == 3


def test_a_rule_can_assign_custom_roles_but_none_beyond_the_owners_permissions(
    owner: Client, org: Organization
) -> None:
    CustomRole.objects.create(team=org.team, slug="night", name="Night shift", levels={"devices": 1})
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={})
    CustomRole.objects.create(team=org.team, slug="beyond", name="Beyond", levels={"audit": 4})
    assert owner.post(f"{PAGE}add/", fields(role="night")).status_code == 302
    assert owner.post(f"{PAGE}add/", fields(role="theirs", value="b.test")).status_code == 422
    assert owner.post(f"{PAGE}add/", fields(role="beyond", value="b.test")).status_code == 422


def test_an_owner_changes_a_rule_and_the_old_values_are_recorded(
    owner: Client, rules: list[SignOnRule]
) -> None:
    assert owner.post(f"{PAGE}{rules[0].pk}/", fields(value="z.test", role="operator")).status_code == 302
    assert stored_rules()[0] == ("", "z.test", "operator")
    record = AuditRecord.objects.get(operation="sign_on.change_rule")
    assert (record.before["rule"], record.before["role"]) == ("@ a.test", "viewer")
    assert (record.parameters["rule"], record.parameters["role"]) == ("@ z.test", "operator")


def test_rules_are_moved_up_and_down_within_the_list(owner: Client, rules: list[SignOnRule]) -> None:
    a, b, c = rules

    def order() -> str:
        return "".join(value[0] for value in SignOnRule.objects.values_list("value", flat=True))

    for rule, direction, expected in (
        (c, "up", "acb"),
        (a, "up", "acb"),
        (b, "down", "acb"),
        (a, "down", "cab"),
    ):
        assert owner.post(f"{PAGE}{rule.pk}/move/", {"to": direction}).status_code == 302
        assert order() == expected


def test_an_owner_deletes_a_rule_and_the_deletion_is_recorded(owner: Client, rules: list[SignOnRule]) -> None:
    assert owner.get(f"{PAGE}{rules[0].pk}/delete/").status_code == 200
    assert len(stored_rules()) == 3
    owner.post(f"{PAGE}{rules[0].pk}/delete/")
    assert [value for _, value, _ in stored_rules()] == ["b.test", "c.test"]
    assert AuditRecord.objects.get(operation="sign_on.delete_rule").before["rule"] == "@ a.test"
    assert owner.post(f"{PAGE}{rules[0].pk}/delete/").status_code == 404


def test_another_teams_rule_is_not_found(owner: Client, org: Organization) -> None:
    foreign_rule = SignOnRule.objects.create(team=org.other_team, value="corp.test", role_slug="viewer")
    for path in ("", "move/", "delete/"):
        assert owner.post(f"{PAGE}{foreign_rule.pk}/{path}", fields()).status_code == 404
    assert "Email domain: corp.test" not in owner.get(PAGE).content.decode()


def test_only_owners_see_or_change_the_rules(
    org: Organization, rules: list[SignOnRule], sign_in: SignIn
) -> None:
    for role in ("administrator", "viewer"):
        assert sign_in(role).get(PAGE).status_code == 403
        assert sign_in(role).post(f"{PAGE}{rules[0].pk}/delete/").status_code == 403
    assert len(stored_rules()) == 3


def test_a_former_owner_cannot_change_rules(
    owner: Client, org: Organization, rules: list[SignOnRule]
) -> None:
    Membership.objects.filter(user=org.members["owner"]).update(role_slug="administrator")
    assert owner.post(f"{PAGE}add/", fields()).status_code == 403
    assert len(stored_rules()) == 3


def test_changing_rules_requires_a_recent_confirmation(
    org: Organization, rules: list[SignOnRule], sign_in: SignIn
) -> None:
    client = sign_in("owner")
    session = client.session
    session.pop("account_authentication_methods", None)  # signed in at an unknown time
    session.save()
    assert client.get(PAGE).status_code == 200
    for path in ("add/", f"{rules[0].pk}/", f"{rules[0].pk}/move/", f"{rules[0].pk}/delete/"):
        response = client.post(PAGE + path, fields())
        assert (response.status_code, response["Location"][:24]) == (302, "/accounts/reauthenticate")
    assert len(stored_rules()) == 3


def test_the_page_says_whether_a_provider_is_configured(owner: Client, settings: Any) -> None:
    assert "No identity provider is configured" in owner.get(PAGE).content.decode()
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings("https://login.corp.test")
    assert "Users sign in with Corp Login" in owner.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("claims", "result"),
    [
        ({"email": "ada@b.test", "email_verified": True}, "Email domain: b.test"),
        ({"email": "ada@z.test", "email_verified": True}, "No rule matches"),
        ({"email": "ada@b.test"}, "no verified email address"),
        ({}, "no verified email address"),
    ],
)
def test_rules_can_be_tested_with_claims(
    owner: Client, rules: list[SignOnRule], claims: dict[str, Any], result: str
) -> None:
    assert result in owner.post(f"{PAGE}try/", {"claims": json.dumps(claims)}).content.decode()


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "[" * 9000])
def test_invalid_claims_are_refused(owner: Client, text: str) -> None:
    assert owner.post(f"{PAGE}try/", {"claims": text}).status_code == 422


def test_the_place_of_an_error_in_the_claims_is_named(owner: Client) -> None:
    response = owner.post(f"{PAGE}try/", {"claims": '{"email":\n oops}'})
    assert "The error is in line 2, column 2." in response.content.decode()


def test_tested_claims_are_escaped(owner: Client, rules: list[SignOnRule]) -> None:
    response = owner.post(f"{PAGE}try/", {"claims": '{"x": "<script>alert(1)</script>"}'})
    assert "<script>alert" not in response.content.decode()
