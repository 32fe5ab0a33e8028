"""Single sign-on with an OpenID provider: who can sign in, with which membership, and which claims are accepted."""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from console.accounts.models import ApiToken, Membership, Team, User
from console.accounts.scope import AccessScope
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.sign_in.models import SignOnRule
from console.teams.changes import Actor
from console.teams.invitations import create_invitation
from tests.conftest import PASSWORD, Organization, start_session
from tests.identity_provider import (
    CLIENT_SECRET,
    IdentityProvider,
    provider_settings,
    sign_in_at_provider,
    sign_on,
    start_sign_on,
)
from tests.sign_in.helpers import (
    SECOND_STEP,
    add_authenticator_app,
    add_recovery_codes,
    is_signed_in,
    submit_password,
    totp_code,
)

LOGIN, START, CALLBACK = "/accounts/login/", "/accounts/sign-on/", "/accounts/sign-on/callback/"


@pytest.fixture
def rule(org: Organization) -> SignOnRule:
    """A rule that makes users with an email address at corp.test viewers of the team."""
    return SignOnRule.objects.create(team=org.team, value="corp.test", role_slug="viewer")


def membership_of(email: str) -> Membership | None:
    return Membership.objects.filter(user__email=email).first()


def is_refused(response: Any) -> bool:
    return response.status_code == 403 and "No access to a team" in response.content.decode()


# -- who can sign in -----------------------------------------------------------------------------------------------------


def test_the_first_sign_in_creates_the_account_and_the_membership_of_the_rule(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    response = sign_on(client, provider.add_user("ada", email="Ada@Corp.test"))
    assert (response.status_code, response["Location"]) == (302, "/")
    assert is_signed_in(client)
    user = User.objects.get(email="ada@corp.test")
    assert (user.name, user.has_usable_password()) == ("Ada L.", False)
    membership = user.memberships.get()
    assert (membership.team, membership.role_slug, membership.source) == (org.team, "viewer", "sign-on")
    records = list(AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", "outcome"))
    assert records == [
        ("team.add_member", "done"),
        ("session.link_sign_on", "done"),
        ("session.sign_in", "done"),
    ]


def test_a_second_sign_in_changes_nothing(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    before = (User.objects.count(), Membership.objects.count(), SocialAccount.objects.count())
    sign_on(Client(), sub)
    assert (User.objects.count(), Membership.objects.count(), SocialAccount.objects.count()) == before
    assert AuditRecord.objects.filter(operation="team.add_member").count() == 1


def test_a_known_user_with_a_new_email_address_keeps_the_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.add_user("ada"))
    sign_on(Client(), provider.add_user("ada", email="ada.l@corp.test"))
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
def test_a_user_without_a_matching_rule_is_refused_and_gets_no_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, claims: dict[str, Any]
) -> None:
    people = User.objects.count()
    client = Client()
    assert is_refused(sign_on(client, provider.add_user("eve", **claims)))
    assert not is_signed_in(client)
    assert (User.objects.count(), SocialAccount.objects.count()) == (people, 0)


def test_the_refusal_page_is_the_same_for_an_account_without_a_team(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    User.objects.create_user("alone@other.test", PASSWORD)
    known = sign_on(Client(), provider.add_user("alone", email="alone@other.test"))
    unknown = sign_on(Client(), provider.add_user("eve", email="eve@other.test"))
    assert is_refused(known)
    texts = [
        re.sub(r'(csrf\w*"|"X-CSRFToken"\S*) \S+', "", page.content.decode()) for page in (known, unknown)
    ]
    assert re.sub(r'value="[^"]*"', "", texts[0]) == re.sub(r'value="[^"]*"', "", texts[1])


def test_an_account_with_the_same_email_address_is_linked_and_keeps_its_membership(
    provider: IdentityProvider, org: Organization
) -> None:
    client = Client()
    sign_on(client, provider.add_user("op", email="operator@acme.test"))
    assert is_signed_in(client)
    assert SocialAccount.objects.get().user == org.members["operator"]
    assert org.members["operator"].memberships.get().role_slug == "operator"


def test_linking_an_unverified_account_removes_its_password_and_ends_its_sessions(
    provider: IdentityProvider, org: Organization, sign_in: Any
) -> None:
    other_client = sign_in("operator")
    assert is_signed_in(other_client)
    sign_on(Client(), provider.add_user("op", email="operator@acme.test"))
    assert not is_signed_in(other_client)
    later_client = Client()
    later_client.post(LOGIN, {"login": "operator@acme.test", "password": PASSWORD})
    assert not is_signed_in(later_client)


def test_an_account_that_nobody_proved_does_not_keep_out_the_owner_of_its_address(
    provider: IdentityProvider, org: Organization, settings: Any
) -> None:
    """Somebody accepts their own invitation for the address of another user, and sets up a second factor and a token."""
    settings.SENDS_MAIL = False
    squatter = Client()
    accept_invitation(org, "ceo@corp.test", squatter)
    user = User.objects.get(email="ceo@corp.test")
    add_authenticator_app(user)
    add_recovery_codes(user)
    token = ApiToken.objects.create(
        team=org.team, user=user, name="t", digest="0" * 64, expires_at=timezone.now() + timedelta(days=1)
    )
    owner = Client()
    sign_on(owner, provider.add_user("ceo"))
    assert is_signed_in(owner)
    assert not is_signed_in(squatter)
    assert not user.authenticator_set.exists()
    token.refresh_from_db()
    assert token.revoked_at is not None
    record = AuditRecord.objects.for_team(org.team).get(operation="session.link_sign_on")
    assert record.parameters == {"changed": ["password", "second_factor", "tokens"]}


def test_an_account_from_a_mailed_invitation_keeps_its_password_and_second_factor(
    provider: IdentityProvider, org: Organization, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    accept_invitation(org, "ada@corp.test", Client())
    user = User.objects.get(email="ada@corp.test")
    add_authenticator_app(user)
    client = Client()
    assert sign_on(client, provider.add_user("ada"))["Location"].startswith(SECOND_STEP)
    client.post(SECOND_STEP, {"code": totp_code()})
    assert is_signed_in(client)
    user.refresh_from_db()
    assert user.has_usable_password()


def accept_invitation(org: Organization, email: str, client: Client) -> None:
    """Invite the address, open the link and create an account with a password."""
    membership = Membership.objects.select_related("team", "user").get(
        team=org.team, user=org.members["owner"]
    )
    actor = Actor(membership, Origin())
    _invitation, token = create_invitation(actor, email, "", "viewer", AccessScope())
    client.get(f"/invitations/{token}/")
    password = "another horse battery staple"
    client.post("/invitations/", {"name": "New", "password1": password, "password2": password})
    assert is_signed_in(client)


def test_a_reassigned_email_address_does_not_give_access_to_the_old_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.add_user("ada", email="ada@corp.test"))
    client = Client()
    assert is_refused(sign_on(client, provider.add_user("another", email="ada@corp.test")))
    assert not is_signed_in(client)


def test_a_server_administrator_can_unlink_an_account(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_on(Client(), provider.add_user("ada", email="ada@corp.test"))
    for output in ("Unlinked ada@corp.test.", "ada@corp.test was not linked."):
        call_command("forget_sign_on", "Ada@corp.test")
        assert capsys.readouterr().out.strip() == output
    client = Client()
    sign_on(client, provider.add_user("another", email="ada@corp.test"))
    assert is_signed_in(client)
    with pytest.raises(CommandError, match="No account"):
        call_command("forget_sign_on", "nobody@corp.test")


def test_a_deactivated_account_cannot_sign_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    User.objects.filter(email="ada@corp.test").update(is_active=False)
    client = Client()
    assert sign_on(client, sub)["Location"] == "/accounts/inactive/"
    assert not is_signed_in(client)


def test_a_service_account_cannot_sign_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    service = User.objects.create_user("robot@corp.test", None, is_service=True)
    Membership.objects.create(team=org.team, user=service, role_slug="operator")
    client = Client()
    assert is_refused(sign_on(client, provider.add_user("robot")))
    assert not is_signed_in(client)
    assert not SocialAccount.objects.exists()


# -- rules -----------------------------------------------------------------------------------------------------------


def test_a_list_claim_matches_by_one_of_its_values(provider: IdentityProvider, org: Organization) -> None:
    SignOnRule.objects.create(team=org.team, claim="groups", value="fleet-ops", role_slug="operator")
    sign_on(Client(), provider.add_user("ada", groups=["all", "fleet-ops"]))
    assert membership_of("ada@corp.test").role_slug == "operator"
    assert is_refused(sign_on(Client(), provider.add_user("bob", groups="fleet-ops-not")))


def test_a_nested_claim_is_found_by_its_dotted_name(provider: IdentityProvider, org: Organization) -> None:
    SignOnRule.objects.create(team=org.team, claim="realm_access.roles", value="ops", role_slug="operator")
    sign_on(Client(), provider.add_user("ada", realm_access={"roles": ["ops"]}))
    assert membership_of("ada@corp.test").role_slug == "operator"


def test_a_claim_rule_requires_a_verified_email_address_too(
    provider: IdentityProvider, org: Organization
) -> None:
    SignOnRule.objects.create(team=org.team, claim="groups", value="fleet-ops", role_slug="operator")
    assert is_refused(sign_on(Client(), provider.add_user("ada", groups=["fleet-ops"], email_verified=False)))


def test_the_first_matching_rule_applies(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    SignOnRule.objects.filter(pk=rule.pk).update(position=1)
    SignOnRule.objects.create(team=org.team, claim="groups", value="ops", role_slug="operator", position=0)
    sign_on(Client(), provider.add_user("ada", groups=["ops"]))
    sign_on(Client(), provider.add_user("bob"))
    assert membership_of("ada@corp.test").role_slug == "operator"
    assert membership_of("bob@corp.test").role_slug == "viewer"


@pytest.mark.parametrize("confirmed", [[], [("corp.test", "globex")], [("other.test", "")]])
@pytest.mark.parametrize("claim", ["", "groups"])
def test_a_rule_admits_nobody_whose_domain_is_not_confirmed_for_its_team(
    provider: IdentityProvider,
    org: Organization,
    settings: Any,
    confirmed: list[tuple[str, str]],
    claim: str,
) -> None:
    value = "all" if claim else "corp.test"
    SignOnRule.objects.create(team=org.team, claim=claim, value=value, role_slug="viewer")
    settings.SIGN_ON_DOMAINS = confirmed
    sub = provider.add_user("ada", groups=["all"])
    assert is_refused(sign_on(Client(), sub))
    assert not User.objects.filter(email="ada@corp.test").exists()
    settings.SIGN_ON_DOMAINS = [("corp.test", org.team.slug)]
    assert not is_refused(sign_on(Client(), sub))


def test_each_team_applies_its_own_rules(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    SignOnRule.objects.create(team=org.other_team, value="corp.test", role_slug="operator")
    sign_on(Client(), provider.add_user("ada"))
    roles = dict(
        Membership.objects.filter(user__email="ada@corp.test").values_list("team__slug", "role_slug")
    )
    assert roles == {"acme": "viewer", "globex": "operator"}


def test_a_changed_rule_applies_at_the_next_sign_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.add_user("ada")
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


@pytest.mark.parametrize("case", ["rule deleted", "another rule left", "claim gone"])
def test_a_membership_without_a_matching_rule_ends_at_the_next_sign_in(
    provider: IdentityProvider, org: Organization, case: str
) -> None:
    rule = SignOnRule.objects.create(team=org.team, claim="groups", value="ops", role_slug="operator")
    sign_on(Client(), provider.add_user("ada", groups=["ops"]))
    if case == "claim gone":
        provider.add_user("ada", groups=[])
    else:
        rule.delete()
    if case == "another rule left":
        SignOnRule.objects.create(team=org.team, claim="groups", value="none", role_slug="operator")
    client = Client()
    assert is_refused(sign_on(client, "ada"))
    assert not is_signed_in(client)
    assert membership_of("ada@corp.test") is None
    assert AuditRecord.objects.for_team(org.team).filter(operation="team.remove_member").count() == 1


def test_a_manually_created_membership_is_never_changed(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    user = User.objects.create_user("ada@corp.test", None)
    Membership.objects.create(team=org.team, user=user, role_slug="operator")
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    rule.delete()
    sign_on(Client(), sub)
    membership = membership_of("ada@corp.test")
    assert (membership.role_slug, membership.source) == ("operator", "added")


def test_rules_neither_add_nor_remove_owners(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    Membership.objects.filter(user__email="ada@corp.test").update(role_slug="owner")
    rule.delete()
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "owner"
    SignOnRule.objects.create(team=org.team, value="corp.test", role_slug="owner")
    assert is_refused(sign_on(Client(), provider.add_user("bob")))


# -- checks of the responses ------------------------------------------------------------------------------------------------


def is_error_page(response: Any) -> bool:
    return response.status_code == 401 and "Sign-in failed" in response.content.decode()


def test_the_authorization_request_has_state_nonce_and_code_challenge(
    provider: IdentityProvider, org: Organization
) -> None:
    first, second = (parse_qs(urlsplit(start_sign_on(Client())).query) for _ in range(2))
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == [f"http://testserver{CALLBACK}"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name][0]) >= 16


def test_the_verifier_is_sent_to_the_token_endpoint_with_the_code(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    sign_on(Client(), provider.add_user("ada"))
    (form,) = provider.requests_to("/oauth2/token")
    assert len(form["code_verifier"][0]) >= 43
    assert form["client_secret"] == [CLIENT_SECRET]


def test_query_parameters_do_not_change_the_authorization_request(
    provider: IdentityProvider, org: Organization
) -> None:
    url = start_sign_on(Client(), "?scope=admin&auth_params=prompt%3Dnone&process=connect&action=rerequest")
    query = parse_qs(urlsplit(url).query)
    assert set(query["scope"][0].split()) == {"openid", "profile", "email"}
    assert "prompt" not in query


@pytest.mark.parametrize("state", ["", "&state=made-up", "&state=%00"])
def test_an_unsolicited_callback_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, state: str
) -> None:
    assert is_error_page(Client().get(f"{CALLBACK}?code=abc{state}"))
    assert provider.requests_to("/oauth2/token") == []


def test_a_callback_works_only_in_the_browser_that_started_the_sign_in(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    callback = sign_in_at_provider(start_sign_on(Client()), provider.add_user("ada"))
    victim = Client()
    assert is_error_page(victim.get(callback))
    assert not is_signed_in(victim)


def test_a_callback_works_once(provider: IdentityProvider, org: Organization, rule: SignOnRule) -> None:
    client = Client()
    callback = sign_in_at_provider(start_sign_on(client), provider.add_user("ada"))
    assert client.get(callback).status_code == 302
    client.post("/accounts/logout/")
    assert is_error_page(client.get(callback))
    assert not is_signed_in(client)


def test_a_used_authorization_code_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    callback = sign_in_at_provider(start_sign_on(client), provider.add_user("ada"))
    client.get(callback)
    code = parse_qs(urlsplit(callback).query)["code"][0]
    other = Client()
    state = parse_qs(urlsplit(start_sign_on(other)).query)["state"][0]
    assert is_error_page(other.get(CALLBACK, {"code": code, "state": state}))


def test_an_id_token_with_another_nonce_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    url = re.sub(r"nonce=[^&]+", "nonce=of-another-request", start_sign_on(client))
    assert is_error_page(client.get(sign_in_at_provider(url, provider.add_user("ada"))))
    assert not is_signed_in(client)


def test_an_id_token_signed_with_the_published_key_is_accepted(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    provider.sign_tokens()
    client = Client()
    sign_on(client, provider.add_user("ada"))
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "changed",
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
    ids=lambda changed: "-".join(changed),
)
def test_an_invalid_id_token_is_refused(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, changed: dict[str, Any]
) -> None:
    provider.sign_tokens(**changed)
    client = Client()
    assert is_error_page(sign_on(client, provider.add_user("ada")))
    assert not is_signed_in(client)
    assert not User.objects.filter(email="ada@corp.test").exists()


def test_email_verified_counts_only_for_the_address_from_the_same_source(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    provider.sign_tokens(email="ceo@corp.test", email_verified=None)
    assert is_refused(sign_on(Client(), provider.add_user("eve", email="eve@other.test")))
    provider.sign_tokens(email=None, email_verified=True)
    assert is_refused(
        sign_on(Client(), provider.add_user("eve", email="ceo@corp.test", email_verified=False))
    )


def test_the_claim_for_a_verified_email_address_is_configurable(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, settings: Any
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(
        provider.address, OIDC_EMAIL_VERIFIED_CLAIM="xms_edov"
    )
    client = Client()
    sign_on(client, provider.add_user("ada", email_verified=None, xms_edov=True))
    assert is_signed_in(client)


# -- errors of the provider --------------------------------------------------------------------------


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
def test_an_unusable_discovery_document_shows_an_error_page(
    provider: IdentityProvider, org: Organization, reply: tuple[int, str]
) -> None:
    provider.replies["/.well-known/openid-configuration"] = reply
    assert is_error_page(Client().post(START))


def test_an_unavailable_provider_shows_an_error_page_that_says_so(org: Organization, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings("http://localhost:9")
    response = Client().post(START)
    assert is_error_page(response)
    assert "Corp Login is not responding correctly" in response.content.decode()


def test_an_unavailable_provider_is_not_asked_again_by_every_request(
    provider: IdentityProvider, org: Organization
) -> None:
    path = "/.well-known/openid-configuration"
    provider.replies[path] = (500, "down")
    for _ in range(3):
        assert is_error_page(Client().post(START))
    assert len(provider.requests_to(path)) == 1


@pytest.mark.parametrize("name", ["A\x00B", "\ud800", float("nan"), "x" * 1_000_001])
def test_claims_that_a_database_cannot_store_show_an_error_page(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, name: Any
) -> None:
    sub = provider.add_user("ada")
    provider.replies["/userinfo"] = 200, json.dumps({"sub": sub, "odd": name})
    assert is_error_page(sign_on(Client(), sub))


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
def test_an_unusable_response_during_the_callback_shows_an_error_page(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, path: str, reply: tuple[int, str]
) -> None:
    client = Client()
    callback = sign_in_at_provider(start_sign_on(client), provider.add_user("ada"))
    provider.replies[path] = reply
    assert is_error_page(client.get(callback))
    assert not is_signed_in(client)


def test_changed_keys_are_read_again(provider: IdentityProvider, org: Organization, rule: SignOnRule) -> None:
    sign_on(Client(), provider.add_user("ada"))
    provider.sign_tokens()
    client = Client()
    sign_on(client, "ada")
    assert is_signed_in(client)


def test_discovery_document_and_keys_are_cached(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    for _ in range(2):
        sign_on(Client(), provider.add_user("ada"))
    assert len(provider.requests_to("/.well-known/openid-configuration")) == 1
    assert len(provider.requests_to("/jwks")) == 1


def test_canceling_at_the_provider_shows_a_page_that_says_so(
    provider: IdentityProvider, org: Organization
) -> None:
    client = Client()
    state = parse_qs(urlsplit(start_sign_on(client)).query)["state"][0]
    response = client.get(CALLBACK, {"error": "access_denied", "state": state}, follow=True)
    assert "Sign-in canceled" in response.content.decode()


# -- pages and redirects -------------------------------------------------------------------------------------------------------


def test_the_button_is_shown_only_if_a_provider_is_configured(org: Organization, settings: Any) -> None:
    assert START not in Client().get(LOGIN).content.decode()
    assert Client().post(START).status_code == 404
    assert Client().get(f"{CALLBACK}?code=a&state=b").status_code == 404
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings("https://login.corp.test")
    assert "Sign in with Corp Login" in Client().get(LOGIN).content.decode()


def test_single_sign_on_starts_only_with_a_post_and_csrf_token(
    provider: IdentityProvider, org: Organization
) -> None:
    assert Client().get(START).status_code == 405
    assert Client(enforce_csrf_checks=True).post(START).status_code == 403
    assert provider.requests == []


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"]
)
def test_single_sign_on_does_not_redirect_to_another_site(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, target: str
) -> None:
    assert sign_on(Client(), provider.add_user("ada"), next=target)["Location"] == "/"


def test_single_sign_on_returns_to_the_requested_page(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    assert sign_on(Client(), provider.add_user("ada"), next="/acme/")["Location"] == "/acme/"


def test_the_session_id_changes_after_single_sign_on(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    callback = sign_in_at_provider(start_sign_on(client), provider.add_user("ada"))
    before = client.session.session_key
    client.get(callback)
    assert client.session.session_key != before


def test_no_secret_or_token_of_the_provider_is_stored_shown_or_logged(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, caplog: pytest.LogCaptureFixture
) -> None:
    token_responses: list[dict[str, Any]] = []
    provider.change_tokens = lambda tokens: token_responses.append(tokens) or tokens
    client = Client()
    with caplog.at_level(logging.DEBUG):
        pages = [client.get(LOGIN).content.decode(), client.post(START).content.decode()]
        sign_on(client, provider.add_user("ada"))
        pages.append(client.get("/account/profile/").content.decode())
        provider.change_tokens = lambda tokens: {"id_token": tokens["id_token"], "oops": CLIENT_SECRET}
        pages.append(sign_on(Client(), "ada").content.decode())
    stored = str([vars(record) for record in AuditRecord.objects.all()])
    stored += str([account.extra_data for account in SocialAccount.objects.all()]) + str(dict(client.session))
    provider_loggers = ("authlib", "werkzeug", "oidc_provider_mock")  # the provider runs in this process too
    logged = "".join(
        line.getMessage() for line in caplog.records if not line.name.startswith(provider_loggers)
    )
    secrets = [CLIENT_SECRET, *(token_responses[0][name] for name in ("access_token", "id_token"))]
    for secret in secrets:
        assert secret not in "".join(pages) + stored + logged
    assert not SocialToken.objects.exists()


# -- confirmation of the identity ---------------------------------------------------------------------------------------------------


def confirmed_at(client: Client) -> float:
    return max(record["at"] for record in client.session["account_authentication_methods"])


def test_a_signed_in_user_can_confirm_their_identity_at_the_provider(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    sub = provider.add_user("ada")
    sign_on(client, sub)
    before = confirmed_at(client)
    url = start_sign_on(client, next="/acme/")
    query = parse_qs(urlsplit(url).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    assert client.get(sign_in_at_provider(url, sub))["Location"] == "/acme/"
    assert confirmed_at(client) > before


def test_a_user_without_a_password_confirms_at_the_provider_before_a_protected_action(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    client = Client()
    sub = provider.add_user("ada")
    sign_on(client, sub)
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 7200
    session.save()
    response = client.get("/accounts/password/set/", follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/sign-on/again/?next=%2Faccounts%2Fpassword%2Fset%2F"
    assert 'name="next" value="/accounts/password/set/"' in response.content.decode()
    target = sign_on(client, sub, next="/accounts/password/set/")["Location"]
    assert client.get(target).status_code == 200


@pytest.mark.parametrize("case", ["another person", "old sign-in", "no time"])
def test_an_insufficient_sign_in_does_not_confirm_the_identity(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, case: str
) -> None:
    client = Client()
    sign_on(client, provider.add_user("ada"))
    before = confirmed_at(client)
    if case == "old sign-in":
        provider.sign_tokens(auth_time=int(time.time()) - 3600)
    if case == "no time":
        provider.sign_tokens(auth_time=None)
    response = sign_on(client, provider.add_user("bob") if case == "another person" else "ada")
    assert response.status_code == 403
    assert confirmed_at(client) == before
    assert client.get("/account/profile/").context["user"].email == "ada@corp.test"


def create_proven_user(email: str) -> User:
    """Create an account whose user has proved that the email address is theirs."""
    user = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


# -- second factors --------------------------------------------------------------------------------------------------


def test_rules_apply_only_after_the_second_factor_of_the_user(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    add_authenticator_app(create_proven_user("ada@corp.test"))
    client = Client()
    assert sign_on(client, provider.add_user("ada"), next="/acme/")["Location"].startswith(SECOND_STEP)
    assert not is_signed_in(client)
    assert membership_of("ada@corp.test") is None
    assert not SocialAccount.objects.exists()
    response = client.post(SECOND_STEP, {"code": totp_code()})
    assert response["Location"] == "/acme/"
    assert is_signed_in(client)
    assert membership_of("ada@corp.test").role_slug == "viewer"


def test_the_session_stores_no_tokens_while_the_second_factor_is_pending(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    add_authenticator_app(create_proven_user("ada@corp.test"))
    token_responses: list[dict[str, Any]] = []
    provider.change_tokens = lambda tokens: token_responses.append(tokens) or tokens
    client = Client()
    sign_on(client, provider.add_user("ada"))
    stored = str(dict(client.session))
    assert "ada@corp.test" in stored
    for secret in (CLIENT_SECRET, token_responses[0]["access_token"], token_responses[0]["id_token"]):
        assert secret not in stored


@pytest.mark.parametrize(
    ("accepted", "claims", "is_accepted"),
    [
        ("", {"amr": ["mfa"]}, False),
        ("mfa", {"amr": ["pwd", "mfa"]}, True),
        ("mfa", {"amr": ["pwd"]}, False),
        ("mfa", {}, False),
        ("urn:gold", {"acr": "urn:gold"}, True),
    ],
)
def test_a_second_factor_at_the_provider_counts_only_if_configured(
    provider: IdentityProvider,
    org: Organization,
    rule: SignOnRule,
    settings: Any,
    accepted: str,
    claims: dict[str, Any],
    is_accepted: bool,
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(provider.address, OIDC_SECOND_FACTOR=accepted)
    Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    client = Client()
    sign_on(client, provider.add_user("ada", **claims))
    response = client.get(org.url("jobs/"))
    assert (response.status_code == 200) == is_accepted
    assert response.get("Location", "").startswith("/account/security/") != is_accepted


def test_the_second_factor_at_the_provider_does_not_count_for_the_next_user(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, settings: Any
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(provider.address, OIDC_SECOND_FACTOR="mfa")
    Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    client = Client()
    sign_on(client, provider.add_user("ada", amr=["mfa"]))
    client.post("/accounts/logout/")
    submit_password(client, "viewer@acme.test")
    assert client.get(org.url("jobs/"))["Location"].startswith("/account/security/")


# -- manual changes -------------------------------------------------------------------------------------------------


def test_a_manually_changed_member_is_not_changed_by_rules(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any
) -> None:
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    membership = membership_of("ada@corp.test")
    response = sign_in("owner").post(
        f"/acme/-/members/{membership.pk}/edit/", {"role": "operator", "scope": "all"}
    )
    assert response.status_code == 302
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "operator"
    rule.delete()
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test").role_slug == "operator"


@pytest.mark.parametrize("case", ["leaves", "is removed"])
def test_a_member_with_a_lowered_role_does_not_regain_it_by_leaving_and_returning(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any, case: str
) -> None:
    SignOnRule.objects.update(role_slug="administrator")
    sub, browser = provider.add_user("ada"), Client()
    sign_on(browser, sub)
    membership = membership_of("ada@corp.test")
    owner = sign_in("owner")
    owner.post(f"/acme/-/members/{membership.pk}/edit/", {"role": "viewer", "scope": "all"})
    assert membership_of("ada@corp.test").role_slug == "viewer"
    remover = browser if case == "leaves" else owner
    assert remover.post(f"/acme/-/members/{membership.pk}/remove/").status_code == 302
    assert is_refused(sign_on(Client(), sub))
    assert membership_of("ada@corp.test") is None
    # After a new invitation, the user can sign in again.
    invited = {"email": "ada@corp.test", "role": "viewer", "scope": "all"}
    assert owner.post("/acme/-/members/invite/", invited).status_code == 302
    sign_on(Client(), sub)
    assert membership_of("ada@corp.test") is not None


def test_a_removed_member_cannot_return_with_an_unused_invitation(
    provider: IdentityProvider, org: Organization, rule: SignOnRule, sign_in: Any
) -> None:
    owner = sign_in("owner")
    owner.post("/acme/-/members/invite/", {"email": "ada@corp.test", "role": "operator", "scope": "all"})
    sign_on(Client(), provider.add_user("ada"))
    membership = membership_of("ada@corp.test")
    owner.post(f"/acme/-/members/{membership.pk}/remove/")
    assert not org.team.invitations.exists()


def test_a_user_who_deletes_the_account_is_not_brought_back_by_a_rule(
    provider: IdentityProvider, org: Organization, rule: SignOnRule
) -> None:
    """Otherwise a member with a lowered role could get the role of the rule again."""
    sub = provider.add_user("ada")
    sign_on(Client(), sub)
    user = User.objects.get(email="ada@corp.test")
    start_session(user).post("/account/delete/", {"typed": user.email})
    assert not User.objects.filter(email="ada@corp.test").exists()
    client = Client()
    sign_on(client, sub)
    assert membership_of("ada@corp.test") is None
