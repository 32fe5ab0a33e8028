"""The page where owners say whom single sign-on brings into their team."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditRecord, CustomRole, Membership, SignOnRule
from tests.access.identity_provider import sign_on_through
from tests.conftest import PASSWORD, Organization

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


def kept() -> list[tuple[str, str, str]]:
    return list(SignOnRule.objects.values_list("claim", "value", "role_slug"))


@pytest.fixture
def rules(org: Organization) -> list[SignOnRule]:
    return [
        SignOnRule.objects.create(team=org.team, value=f"{name}.test", role_slug="viewer", position=place)
        for place, name in enumerate(("a", "b", "c"))
    ]


def test_an_owner_adds_rules_which_count_in_the_order_they_came(owner: Client, org: Organization) -> None:
    assert owner.post(f"{PAGE}add/", fields(value=" @Corp.TEST ")).status_code == 302
    owner.post(f"{PAGE}add/", fields(by="claim", claim="groups", value="Fleet-Ops", role="operator"))
    assert kept() == [("", "corp.test", "viewer"), ("groups", "Fleet-Ops", "operator")]
    record = AuditRecord.objects.for_team(org.team).filter(operation="sign_on.add_rule").latest("id")
    assert (record.target, record.parameters["role"], record.outcome) == (
        "groups Fleet-Ops",
        "operator",
        "done",
    )
    page = owner.get(PAGE).content.decode()
    assert page.index("E-mail address at corp.test") < page.index("groups: Fleet-Ops")


def test_a_rule_can_be_narrowed(owner: Client, org: Organization) -> None:
    owner.post(f"{PAGE}add/", fields(scope="part", connections=[org.connection.pk]))
    assert SignOnRule.objects.get().access_scope == {"connections": [org.connection.pk]}


def test_a_connection_of_another_team_is_no_reach(owner: Client, org: Organization) -> None:
    answer = owner.post(f"{PAGE}add/", fields(scope="part", connections=[org.other_connection.pk]))
    assert answer.status_code == 422
    assert kept() == []


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
def test_a_rule_that_cannot_be_is_refused_and_what_was_typed_stays(
    owner: Client, org: Organization, wrong: dict[str, Any]
) -> None:
    answer = owner.post(f"{PAGE}add/", fields(claim="kept-claim") | wrong)
    assert answer.status_code == 422
    assert kept() == []
    if "claim" not in wrong:
        assert "kept-claim" in answer.content.decode()


def test_there_is_one_rule_for_a_value(owner: Client, rules: list[SignOnRule]) -> None:
    for path in ("add/", f"{rules[1].pk}/"):
        answer = owner.post(PAGE + path, fields(value="A.test"))
        assert answer.status_code == 422
        assert "There is a rule for this already" in answer.content.decode()
    assert len(kept()) == 3


def test_a_role_of_the_teams_own_can_be_given_but_none_beyond_the_givers(
    owner: Client, org: Organization
) -> None:
    CustomRole.objects.create(team=org.team, slug="night", name="Night shift", levels={"devices": 1})
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={})
    CustomRole.objects.create(team=org.team, slug="beyond", name="Beyond", levels={"audit": 4})
    assert owner.post(f"{PAGE}add/", fields(role="night")).status_code == 302
    assert owner.post(f"{PAGE}add/", fields(role="theirs", value="b.test")).status_code == 422
    assert owner.post(f"{PAGE}add/", fields(role="beyond", value="b.test")).status_code == 422


def test_an_owner_changes_a_rule_and_the_trail_says_what_it_was(
    owner: Client, rules: list[SignOnRule]
) -> None:
    assert owner.post(f"{PAGE}{rules[0].pk}/", fields(value="z.test", role="operator")).status_code == 302
    assert kept()[0] == ("", "z.test", "operator")
    record = AuditRecord.objects.get(operation="sign_on.change_rule")
    assert (record.before["rule"], record.before["role"]) == ("@ a.test", "viewer")
    assert (record.parameters["rule"], record.parameters["role"]) == ("@ z.test", "operator")


def test_rules_are_moved_and_at_the_end_of_the_list_nothing_happens(
    owner: Client, rules: list[SignOnRule]
) -> None:
    a, b, c = rules

    def order() -> str:
        return "".join(value[0] for value in SignOnRule.objects.values_list("value", flat=True))

    for rule, to, then in ((c, "up", "acb"), (a, "up", "acb"), (b, "down", "acb"), (a, "down", "cab")):
        assert owner.post(f"{PAGE}{rule.pk}/move/", {"to": to}).status_code == 302
        assert order() == then


def test_a_deleted_rule_is_gone_and_recorded(owner: Client, rules: list[SignOnRule]) -> None:
    assert owner.get(f"{PAGE}{rules[0].pk}/delete/").status_code == 200
    assert len(kept()) == 3
    owner.post(f"{PAGE}{rules[0].pk}/delete/")
    assert [value for _, value, _ in kept()] == ["b.test", "c.test"]
    assert AuditRecord.objects.get(operation="sign_on.delete_rule").before["rule"] == "@ a.test"
    assert owner.post(f"{PAGE}{rules[0].pk}/delete/").status_code == 404


def test_another_teams_rule_is_not_found(owner: Client, org: Organization) -> None:
    theirs = SignOnRule.objects.create(team=org.other_team, value="corp.test", role_slug="viewer")
    for path in ("", "move/", "delete/"):
        assert owner.post(f"{PAGE}{theirs.pk}/{path}", fields()).status_code == 404
    assert "corp.test" not in owner.get(PAGE).content.decode()


def test_only_owners_see_or_change_the_rules(
    org: Organization, rules: list[SignOnRule], sign_in: SignIn
) -> None:
    for role in ("administrator", "viewer"):
        assert sign_in(role).get(PAGE).status_code == 403
        assert sign_in(role).post(f"{PAGE}{rules[0].pk}/delete/").status_code == 403
    assert len(kept()) == 3


def test_an_owner_who_was_lowered_meanwhile_changes_nothing(
    owner: Client, org: Organization, rules: list[SignOnRule]
) -> None:
    Membership.objects.filter(user=org.members["owner"]).update(role_slug="administrator")
    assert owner.post(f"{PAGE}add/", fields()).status_code == 403
    assert len(kept()) == 3


def test_changing_rules_asks_for_a_fresh_proof(
    org: Organization, rules: list[SignOnRule], sign_in: SignIn
) -> None:
    stale = sign_in("owner")
    session = stale.session
    session.pop("account_authentication_methods", None)  # signed in, and when that was is not known
    session.save()
    assert stale.get(PAGE).status_code == 200
    for path in ("add/", f"{rules[0].pk}/", f"{rules[0].pk}/move/", f"{rules[0].pk}/delete/"):
        answer = stale.post(PAGE + path, fields())
        assert (answer.status_code, answer["Location"][:24]) == (302, "/accounts/reauthenticate")
    assert len(kept()) == 3


def test_the_page_says_whether_rules_count_at_all(owner: Client, settings: Any) -> None:
    assert "No identity provider is set up" in owner.get(PAGE).content.decode()
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through("https://login.corp.test")
    assert "People sign in with Corp Login" in owner.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"email": "ada@b.test", "email_verified": True}, "E-mail address at b.test"),
        ({"email": "ada@z.test", "email_verified": True}, "No rule fits"),
        ({"email": "ada@b.test"}, "no verified e-mail address"),
        ({}, "no verified e-mail address"),
    ],
)
def test_rules_can_be_tried(
    owner: Client, rules: list[SignOnRule], claims: dict[str, Any], says: str
) -> None:
    assert says in owner.post(f"{PAGE}try/", {"claims": json.dumps(claims)}).content.decode()


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "[" * 9000])
def test_what_is_no_claims_is_said_at_the_field(owner: Client, text: str) -> None:
    assert owner.post(f"{PAGE}try/", {"claims": text}).status_code == 422


def test_what_is_tried_is_shown_as_text(owner: Client, rules: list[SignOnRule]) -> None:
    answer = owner.post(f"{PAGE}try/", {"claims": '{"x": "<script>alert(1)</script>"}'})
    assert "<script>alert" not in answer.content.decode()
