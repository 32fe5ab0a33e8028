"""Signing in through an OpenID provider: who gets in, into what, and what is believed."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command
from django.test import Client

from console.access.models import AuditRecord, Membership, SignOnRule, Team, User
from tests.access.identity_provider import (
    CLIENT_SECRET,
    IdentityProvider,
    _running,
    approve,
    leave,
    provider,
    sign_on,
    sign_on_through,
)
from tests.access.people import STEP, code, enter, give_app
from tests.conftest import PASSWORD, Organization

__all__ = ["_running", "provider"]  # fixtures

LOGIN, START, CALLBACK = "/accounts/login/", "/accounts/sign-on/", "/accounts/sign-on/callback/"


@pytest.fixture
def rule(org: Organization) -> SignOnRule:
    """Who has an address at corp.test is a viewer of the team."""
    return SignOnRule.objects.create(team=org.team, value="corp.test", role_slug="viewer")


def is_in(client: Client) -> bool:
    return client.get("/account/profile/").status_code == 200


def membership_of(email: str) -> Membership | None:
    return Membership.objects.filter(user__email=email).first()


def not_let_in(answer: Any) -> bool:
    return answer.status_code == 403 and "No team lets you in" in answer.content.decode()


# -- who gets in -----------------------------------------------------------------------------------------------------


def test_the_first_sign_in_makes_the_account_and_the_membership_of_the_rule(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    answer = sign_on(client, provider.person("ada", email="Ada@Corp.test"))
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(client)
    user = User.objects.get(email="ada@corp.test")
    assert (user.name, user.has_usable_password()) == ("Ada L.", False)
    membership = user.memberships.get()
    assert (membership.team, membership.role_slug, membership.source) == (org.team, "viewer", "sign-on")
    trail = list(AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", "outcome"))
    assert trail == [
        ("team.add_member", "done"),
        ("session.link_sign_on", "done"),
        ("session.sign_in", "done"),
    ]


def test_signing_in_twice_changes_nothing_more(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.person("ada")
    sign_on(Client(), sub)
    before = (User.objects.count(), Membership.objects.count(), SocialAccount.objects.count())
    sign_on(Client(), sub)
    assert (User.objects.count(), Membership.objects.count(), SocialAccount.objects.count()) == before
    assert AuditRecord.objects.filter(operation="team.add_member").count() == 1


def test_a_known_person_with_another_address_later_is_the_same_person(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.person("ada"))
    sign_on(Client(), provider.person("ada", email="ada.l@corp.test"))
    assert User.objects.filter(email__endswith="@corp.test").count() == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "eve@other.test"},
        {"email": "eve@corp.test.other.test"},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "no"},
        {"email": None},
        {"email": ["eve@corp.test"]},
        {"email": "@corp.test"},
        {"email": f"{'x' * 250}@corp.test"},
    ],
)
def test_whom_no_rule_brings_in_gets_one_and_the_same_page_and_leaves_no_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, claims: dict[str, Any]
) -> None:
    people = User.objects.count()
    client = Client()
    assert not_let_in(sign_on(client, provider.person("eve", **claims)))
    assert not is_in(client)
    assert (User.objects.count(), SocialAccount.objects.count()) == (people, 0)


def test_the_page_is_the_same_for_an_address_with_an_account_that_is_in_no_team(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    User.objects.create_user("alone@other.test", PASSWORD)
    known = sign_on(Client(), provider.person("alone", email="alone@other.test"))
    unknown = sign_on(Client(), provider.person("eve", email="eve@other.test"))
    assert not_let_in(known)
    plain = [
        re.sub(r'(csrf\w*"|"X-CSRFToken"\S*) \S+', "", page.content.decode()) for page in (known, unknown)
    ]
    assert re.sub(r'value="[^"]*"', "", plain[0]) == re.sub(r'value="[^"]*"', "", plain[1])


def test_an_account_of_the_same_address_is_linked_and_its_membership_stays(
    provider: IdentityProvider, org: Organization
) -> None:
    client = Client()
    sign_on(client, provider.person("op", email="operator@acme.test"))
    assert is_in(client)
    assert SocialAccount.objects.get().user == org.members["operator"]
    assert org.members["operator"].memberships.get().role_slug == "operator"


def test_a_password_chosen_before_the_address_was_proved_ends_with_the_link_and_so_do_its_sessions(
    provider: IdentityProvider, org: Organization, sign_in: Any
) -> None:
    elsewhere = sign_in("operator")
    assert is_in(elsewhere)
    sign_on(Client(), provider.person("op", email="operator@acme.test"))
    assert not is_in(elsewhere)
    late = Client()
    late.post(LOGIN, {"login": "operator@acme.test", "password": PASSWORD})
    assert not is_in(late)


def test_an_address_given_to_somebody_else_does_not_open_the_account_of_who_had_it(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.person("ada", email="ada@corp.test"))
    client = Client()
    assert not_let_in(sign_on(client, provider.person("another", email="ada@corp.test")))
    assert not is_in(client)


def test_an_operator_of_the_installation_can_unlink_an_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_on(Client(), provider.person("ada", email="ada@corp.test"))
    for said in ("Unlinked ada@corp.test.", "ada@corp.test was not linked."):
        call_command("forget_sign_on", "Ada@corp.test")
        assert capsys.readouterr().out.strip() == said
    client = Client()
    sign_on(client, provider.person("another", email="ada@corp.test"))
    assert is_in(client)
    with pytest.raises(CommandError, match="no account"):
        call_command("forget_sign_on", "nobody@corp.test")


def test_a_switched_off_account_does_not_get_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.person("ada")
    sign_on(Client(), sub)
    User.objects.filter(email="ada@corp.test").update(is_active=False)
    client = Client()
    assert sign_on(client, sub)["Location"] == "/accounts/inactive/"
    assert not is_in(client)


def test_a_service_account_is_never_signed_in_to(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    service = User.objects.create_user("robot@corp.test", None, is_service=True)
    Membership.objects.create(team=org.team, user=service, role_slug="operator")
    client = Client()
    assert not_let_in(sign_on(client, provider.person("robot")))
    assert not is_in(client)
    assert not SocialAccount.objects.exists()


# -- rules -----------------------------------------------------------------------------------------------------------


def test_a_claim_that_is_a_list_fits_by_one_of_its_values(
    provider: IdentityProvider, org: Organization
) -> None:
    SignOnRule.objects.create(team=org.team, claim="groups", value="fleet-ops", role_slug="operator")
    sign_on(Client(), provider.person("ada", groups=["all", "fleet-ops"]))
    assert membership_of("ada@corp.test").role_slug == "operator"
    assert not_let_in(sign_on(Client(), provider.person("bob", groups="fleet-ops-not")))


def test_a_claim_inside_another_is_found_by_a_dot(provider: IdentityProvider, org: Organization) -> None:
    SignOnRule.objects.create(team=org.team, claim="realm_access.roles", value="ops", role_slug="operator")
    sign_on(Client(), provider.person("ada", realm_access={"roles": ["ops"]}))
    assert membership_of("ada@corp.test").role_slug == "operator"


def test_a_claim_rule_needs_a_verified_address_too(provider: IdentityProvider, org: Organization) -> None:
    SignOnRule.objects.create(team=org.team, claim="groups", value="fleet-ops", role_slug="operator")
    assert not_let_in(sign_on(Client(), provider.person("ada", groups=["fleet-ops"], email_verified=False)))


def test_the_first_rule_that_fits_counts(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    SignOnRule.objects.filter(pk=rule.pk).update(position=1)
    SignOnRule.objects.create(team=org.team, claim="groups", value="ops", role_slug="operator", position=0)
    sign_on(Client(), provider.person("ada", groups=["ops"]))
    sign_on(Client(), provider.person("bob"))
    assert membership_of("ada@corp.test").role_slug == "operator"
    assert membership_of("bob@corp.test").role_slug == "viewer"


def test_each_team_has_its_own_say(provider: IdentityProvider, org: Organization, rule: SignOnRule) -> None:
    SignOnRule.objects.create(team=org.other_team, value="corp.test", role_slug="operator")
    sign_on(Client(), provider.person("ada"))
    found = dict(
        Membership.objects.filter(user__email="ada@corp.test").values_list("team__slug", "role_slug")
    )
    assert found == {"acme": "viewer", "globex": "operator"}


def test_a_changed_rule_counts_at_the_next_sign_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.person("ada")
    sign_on(Client(), sub)
    access_scope = {"connections": [org.connection.pk]}
    SignOnRule.objects.filter(pk=rule.pk).update(role_slug="operator", access_scope=access_scope)
    assert membership_of("ada@corp.test").role_slug == "viewer"
    sign_on(Client(), sub)
    membership = membership_of("ada@corp.test")
    assert (membership.role_slug, membership.access_scope) == ("operator", access_scope)
    record = AuditRecord.objects.get(operation="team.change_role")
    assert (record.before["role"], record.parameters["role"]) == ("viewer", "operator")
    assert record.parameters["rule"] == "@ corp.test"


@pytest.mark.parametrize("how", ["rule deleted", "another rule left", "claim gone"])
def test_a_membership_that_no_rule_gives_any_more_ends_at_the_next_sign_in(
    provider: IdentityProvider, org: Organization, how: str
) -> None:
    rule = SignOnRule.objects.create(team=org.team, claim="groups", value="ops", role_slug="operator")
    sign_on(Client(), provider.person("ada", groups=["ops"]))
    if how == "claim gone":
        provider.person("ada", groups=[])
    else:
        rule.delete()
    if how == "another rule left":
        SignOnRule.objects.create(team=org.team, claim="groups", value="none", role_slug="operator")
    client = Client()
    assert not_let_in(sign_on(client, "ada"))
    assert not is_in(client)
    assert membership_of("ada@corp.test") is None
    assert AuditRecord.objects.for_team(org.team).filter(operation="team.remove_member").count() == 1


def test_a_membership_made_by_hand_is_never_changed(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    user = User.objects.create_user("ada@corp.test", None)
    Membership.objects.create(team=org.team, user=user, role_slug="operator")
    sub = provider.person("ada")
    sign_on(Client(), sub)
    rule.delete()
    sign_on(Client(), sub)
    membership = membership_of("ada@corp.test")
    assert (membership.role_slug, membership.source) == ("operator", "added")


def test_an_owner_is_neither_made_nor_removed_by_rules(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.person("ada")
    sign_on(Client(), sub)
    Membership.objects.filter(user__email="ada@corp.test").update(role_slug="owner")
    rule.delete()
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "owner"
    SignOnRule.objects.create(team=org.team, value="corp.test", role_slug="owner")
    assert not_let_in(sign_on(Client(), provider.person("bob")))


# -- what is believed ------------------------------------------------------------------------------------------------


def failed(answer: Any) -> bool:
    return answer.status_code == 401 and "Signing in did not work" in answer.content.decode()


def test_the_way_there_carries_state_nonce_and_a_code_challenge(
    provider: IdentityProvider, org: Organization
) -> None:
    first, second = (parse_qs(urlsplit(leave(Client())).query) for _ in range(2))
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == [f"http://testserver{CALLBACK}"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name][0]) >= 16


def test_the_verifier_goes_to_the_token_endpoint_with_the_code(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.person("ada"))
    (form,) = provider.asked_for("/oauth2/token")
    assert len(form["code_verifier"][0]) >= 43
    assert form["client_secret"] == [CLIENT_SECRET]


def test_parameters_of_the_request_do_not_change_what_is_asked_of_the_provider(
    provider: IdentityProvider, org: Organization
) -> None:
    url = leave(Client(), "?scope=admin&auth_params=prompt%3Dnone&process=connect&action=rerequest")
    asked = parse_qs(urlsplit(url).query)
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    assert "prompt" not in asked


@pytest.mark.parametrize("state", ["", "&state=made-up", "&state=%00"])
def test_a_callback_that_nobody_asked_for_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, state: str
) -> None:
    assert failed(Client().get(f"{CALLBACK}?code=abc{state}"))
    assert provider.asked_for("/oauth2/token") == []


def test_a_callback_works_only_in_the_browser_that_began(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    back = approve(leave(Client()), provider.person("ada"))
    victim = Client()
    assert failed(victim.get(back))
    assert not is_in(victim)


def test_a_callback_works_once(provider: IdentityProvider, org: Organization, rule: SignOnRule) -> None:
    client = Client()
    back = approve(leave(client), provider.person("ada"))
    assert client.get(back).status_code == 302
    client.post("/accounts/logout/")
    assert failed(client.get(back))
    assert not is_in(client)


def test_a_code_that_was_used_is_refused_by_the_provider_and_so_here(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    back = approve(leave(client), provider.person("ada"))
    client.get(back)
    code = parse_qs(urlsplit(back).query)["code"][0]
    other = Client()
    state = parse_qs(urlsplit(leave(other)).query)["state"][0]
    assert failed(other.get(CALLBACK, {"code": code, "state": state}))


def test_a_token_with_the_nonce_of_another_request_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    url = re.sub(r"nonce=[^&]+", "nonce=of-another-request", leave(client))
    assert failed(client.get(approve(url, provider.person("ada"))))
    assert not is_in(client)


def test_a_token_of_the_published_key_is_believed(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    provider.signs()
    client = Client()
    sign_on(client, provider.person("ada"))
    assert is_in(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"iat": int(time.time()) + 7200},
        {"aud": "another-client"},
        {"aud": ["fleetdesk", "another"], "azp": "another"},
        {"iss": "https://evil.test"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "somebody-else"},
        {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
        {"key": CLIENT_SECRET, "algorithm": "HS256"},
        {"key": "", "algorithm": "none"},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_token_that_is_not_what_it_must_be_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, wrong: dict[str, Any]
) -> None:
    provider.signs(**wrong)
    client = Client()
    assert failed(sign_on(client, provider.person("ada")))
    assert not is_in(client)
    assert not User.objects.filter(email="ada@corp.test").exists()


def test_an_address_said_verified_elsewhere_does_not_verify_the_one_of_the_token(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    provider.signs(email="ceo@corp.test", email_verified=None)
    assert not_let_in(sign_on(Client(), provider.person("eve", email="eve@other.test")))
    provider.signs(email=None, email_verified=True)
    assert not_let_in(sign_on(Client(), provider.person("eve", email="ceo@corp.test", email_verified=False)))


def test_the_claim_that_says_verified_can_be_another(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, settings: Any
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through(provider.address, OIDC_EMAIL_VERIFIED_CLAIM="xms_edov")
    client = Client()
    sign_on(client, provider.person("ada", email_verified=None, xms_edov=True))
    assert is_in(client)


# -- when the provider does not do its part --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        (500, "down"),
        (200, "<html>maintenance</html>"),
        (200, "[]"),
        (200, "{}"),
        (302, "http://localhost:9/elsewhere"),
        (200, json.dumps({"issuer": "https://evil.test"})),
    ],
)
def test_a_provider_whose_description_cannot_be_used_gets_a_page(
    provider: IdentityProvider, org: Organization, reply: tuple[int, str]
) -> None:
    provider.replies["/.well-known/openid-configuration"] = reply
    assert failed(Client().post(START))


def test_a_provider_that_is_down_gets_a_page_that_says_so(org: Organization, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through("http://localhost:9")
    answer = Client().post(START)
    assert failed(answer)
    assert "Corp Login does not answer" in answer.content.decode()


def test_while_the_provider_is_down_not_every_click_waits_for_it(
    provider: IdentityProvider, org: Organization
) -> None:
    described = "/.well-known/openid-configuration"
    provider.replies[described] = (500, "down")
    for _ in range(3):
        assert failed(Client().post(START))
    assert len(provider.asked_for(described)) == 1


@pytest.mark.parametrize("name", ["A\x00B", "\ud800", float("nan"), "x" * 1_000_001])
def test_claims_that_no_database_takes_get_a_page(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, name: Any
) -> None:
    sub = provider.person("ada")
    provider.replies["/userinfo"] = 200, json.dumps({"sub": sub, "odd": name})
    assert failed(sign_on(Client(), sub))


@pytest.mark.parametrize("path", ["/oauth2/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize(
    "reply",
    [
        (500, "down"),
        (200, "rubbish"),
        (200, "[1]"),
        (200, '{"access_token": 1}'),
        (307, "http://localhost:9/"),
    ],
)
def test_any_answer_on_the_way_back_that_cannot_be_used_gets_a_page(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, path: str, reply: tuple[int, str]
) -> None:
    client = Client()
    back = approve(leave(client), provider.person("ada"))
    provider.replies[path] = reply
    assert failed(client.get(back))
    assert not is_in(client)


def test_keys_that_were_changed_are_asked_for_again(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.person("ada"))
    provider.signs()
    client = Client()
    sign_on(client, "ada")
    assert is_in(client)


def test_the_description_and_the_keys_are_kept(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    for _ in range(2):
        sign_on(Client(), provider.person("ada"))
    assert len(provider.asked_for("/.well-known/openid-configuration")) == 1
    assert len(provider.asked_for("/jwks")) == 1


def test_who_stops_at_the_provider_is_told_so(provider: IdentityProvider, org: Organization) -> None:
    client = Client()
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    answer = client.get(CALLBACK, {"error": "access_denied", "state": state}, follow=True)
    assert "Sign-in cancelled" in answer.content.decode()


# -- around it -------------------------------------------------------------------------------------------------------


def test_the_button_is_there_only_where_a_provider_is_set_up(org: Organization, settings: Any) -> None:
    assert START not in Client().get(LOGIN).content.decode()
    assert Client().post(START).status_code == 404
    assert Client().get(f"{CALLBACK}?code=a&state=b").status_code == 404
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through("https://login.corp.test")
    assert "Sign in with Corp Login" in Client().get(LOGIN).content.decode()


def test_the_way_there_begins_by_a_post_with_its_token_only(
    provider: IdentityProvider, org: Organization
) -> None:
    assert Client().get(START).status_code == 405
    assert Client(enforce_csrf_checks=True).post(START).status_code == 403
    assert provider.asked == []


@pytest.mark.parametrize(
    "there", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"]
)
def test_it_leads_to_no_other_site(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, there: str
) -> None:
    assert sign_on(Client(), provider.person("ada"), next=there)["Location"] == "/"


def test_it_leads_back_to_where_the_person_was_going(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    assert sign_on(Client(), provider.person("ada"), next="/acme/")["Location"] == "/acme/"


def test_the_session_changes(provider: IdentityProvider, org: Organization, rule: SignOnRule) -> None:
    client = Client()
    back = approve(leave(client), provider.person("ada"))
    before = client.session.session_key
    client.get(back)
    assert client.session.session_key != before


def test_no_secret_or_token_of_the_provider_is_kept_shown_or_logged(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[dict[str, Any]] = []
    provider.token = lambda answer: received.append(answer) or answer
    client = Client()
    with caplog.at_level(logging.DEBUG):
        pages = [client.get(LOGIN).content.decode(), client.post(START).content.decode()]
        sign_on(client, provider.person("ada"))
        pages.append(client.get("/account/profile/").content.decode())
        provider.token = lambda answer: {"id_token": answer["id_token"], "oops": CLIENT_SECRET}
        pages.append(sign_on(Client(), "ada").content.decode())
    kept = str([vars(record) for record in AuditRecord.objects.all()])
    kept += str([account.extra_data for account in SocialAccount.objects.all()]) + str(dict(client.session))
    theirs = ("authlib", "werkzeug", "oidc_provider_mock")  # the provider runs in this process, too
    logged = "".join(line.getMessage() for line in caplog.records if not line.name.startswith(theirs))
    secrets = [CLIENT_SECRET, *(received[0][name] for name in ("access_token", "id_token"))]
    for secret in secrets:
        assert secret not in "".join(pages) + kept + logged
    assert not SocialToken.objects.exists()


# -- proving again ---------------------------------------------------------------------------------------------------


def proved_at(client: Client) -> float:
    return max(record["at"] for record in client.session["account_authentication_methods"])


def test_who_is_signed_in_proves_again_that_it_is_them(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    sub = provider.person("ada")
    sign_on(client, sub)
    before = proved_at(client)
    url = leave(client, next="/acme/")
    asked = parse_qs(urlsplit(url).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    assert client.get(approve(url, sub))["Location"] == "/acme/"
    assert proved_at(client) > before


def test_who_has_no_password_is_led_to_the_provider_before_an_act_that_matters(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    sub = provider.person("ada")
    sign_on(client, sub)
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 7200
    session.save()
    asked = client.get("/accounts/password/set/", follow=True)
    assert asked.redirect_chain[-1][0] == "/accounts/sign-on/again/?next=%2Faccounts%2Fpassword%2Fset%2F"
    assert 'name="next" value="/accounts/password/set/"' in asked.content.decode()
    there = sign_on(client, sub, next="/accounts/password/set/")["Location"]
    assert client.get(there).status_code == 200


@pytest.mark.parametrize("how", ["another person", "old sign-in", "no time"])
def test_what_does_not_prove_it_counts_for_nothing(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, how: str
) -> None:
    client = Client()
    sign_on(client, provider.person("ada"))
    before = proved_at(client)
    if how == "old sign-in":
        provider.signs(auth_time=int(time.time()) - 3600)
    if how == "no time":
        provider.signs(auth_time=None)
    answer = sign_on(client, provider.person("bob") if how == "another person" else "ada")
    assert answer.status_code == 403
    assert proved_at(client) == before
    assert client.get("/account/profile/").context["user"].email == "ada@corp.test"


# -- second factors --------------------------------------------------------------------------------------------------


def test_a_second_factor_of_ones_own_is_asked_for_and_rules_count_only_after_it(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    user = User.objects.create_user("ada@corp.test", PASSWORD)
    give_app(user)
    client = Client()
    assert sign_on(client, provider.person("ada"), next="/acme/")["Location"].startswith(STEP)
    assert not is_in(client)
    assert membership_of("ada@corp.test") is None
    assert not SocialAccount.objects.exists()
    answer = client.post(STEP, {"code": code()})
    assert answer["Location"] == "/acme/"
    assert is_in(client)
    assert membership_of("ada@corp.test").role_slug == "viewer"


def test_nothing_of_the_provider_but_what_it_says_waits_in_the_session_for_the_second_factor(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    give_app(User.objects.create_user("ada@corp.test", None))
    received: list[dict[str, Any]] = []
    provider.token = lambda answer: received.append(answer) or answer
    client = Client()
    sign_on(client, provider.person("ada"))
    waiting = str(dict(client.session))
    assert "ada@corp.test" in waiting
    for secret in (CLIENT_SECRET, received[0]["access_token"], received[0]["id_token"]):
        assert secret not in waiting


@pytest.mark.parametrize(
    ("accepted", "claims", "enough"),
    [
        ("", {"amr": ["mfa"]}, False),
        ("mfa", {"amr": ["pwd", "mfa"]}, True),
        ("mfa", {"amr": ["pwd"]}, False),
        ("mfa", {}, False),
        ("urn:gold", {"acr": "urn:gold"}, True),
    ],
)
def test_a_second_factor_at_the_provider_counts_only_where_the_installation_says_so(
    provider: IdentityProvider,
    org: Organization,
    rule: SignOnRule,
    settings: Any,
    accepted: str,
    claims: dict[str, Any],
    enough: bool,
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through(provider.address, OIDC_SECOND_FACTOR=accepted)
    Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    client = Client()
    sign_on(client, provider.person("ada", **claims))
    answer = client.get(org.url("jobs/"))
    assert (answer.status_code == 200) == enough
    assert answer.get("Location", "").startswith("/account/security/") != enough


def test_the_providers_second_factor_is_not_handed_on_to_who_signs_in_next(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, settings: Any
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through(provider.address, OIDC_SECOND_FACTOR="mfa")
    Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    client = Client()
    sign_on(client, provider.person("ada", amr=["mfa"]))
    client.post("/accounts/logout/")
    enter(client, "viewer@acme.test")
    assert client.get(org.url("jobs/"))["Location"].startswith("/account/security/")


# -- changes by hand -------------------------------------------------------------------------------------------------


def test_who_was_changed_by_hand_stays_so(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any
) -> None:
    sub = provider.person("ada")
    sign_on(Client(), sub)
    membership = membership_of("ada@corp.test")
    changed = sign_in("owner").post(
        f"/acme/-/members/{membership.pk}/edit/", {"role": "operator", "scope": "all"}
    )
    assert changed.status_code == 302
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "operator"
    rule.delete()
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "operator"


@pytest.mark.parametrize("how", ["leaves", "is removed"])
def test_who_was_lowered_by_hand_does_not_get_the_role_of_the_rule_back_by_going_and_coming(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any, how: str
) -> None:
    SignOnRule.objects.update(role_slug="administrator")
    sub, browser = provider.person("ada"), Client()
    sign_on(browser, sub)
    membership = membership_of("ada@corp.test")
    owner = sign_in("owner")
    owner.post(f"/acme/-/members/{membership.pk}/edit/", {"role": "viewer", "scope": "all"})
    assert membership_of("ada@corp.test").role_slug == "viewer"
    by = browser if how == "leaves" else owner
    assert by.post(f"/acme/-/members/{membership.pk}/remove/").status_code == 302
    assert not_let_in(sign_on(Client(), sub))
    assert membership_of("ada@corp.test") is None
    # Somebody lets them in again, and they sign in as they always did.
    invited = {"email": "ada@corp.test", "role": "viewer", "scope": "all"}
    assert owner.post("/acme/-/members/invite/", invited).status_code == 302
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test") is not None


def test_who_was_removed_does_not_come_back_by_an_invitation_that_was_never_used(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any
) -> None:
    owner = sign_in("owner")
    owner.post("/acme/-/members/invite/", {"email": "ada@corp.test", "role": "operator", "scope": "all"})
    sign_on(Client(), provider.person("ada"))
    membership = membership_of("ada@corp.test")
    owner.post(f"/acme/-/members/{membership.pk}/remove/")
    assert not org.team.invitations.exists()
