"""Confirmation of the identity: which pages and actions require it, how recent it must be, and where it leads back to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from console.audit.models import AuditRecord
from console.jobs.models import Job
from console.sign_in.reauthentication import ReauthenticationNeeded
from tests.conftest import PASSWORD, Organization
from tests.populated import PopulatedTeam, list_addresses
from tests.sign_in.helpers import (
    PROFILE,
    add_authenticator_app,
    add_recovery_codes,
    client_signed_in_before,
    submit_password,
    totp_code,
)

SignIn = Callable[[str], Client]
CONFIRM = "/accounts/reauthenticate/"
MINUTE = 60

# Pages that require a recent confirmation.
PAGES = {
    "teams:invitation-renew",
    "teams:invitation-withdraw",
    "teams:member-remove",
    "teams:member-transfer",
    "teams:role-delete",
    "teams:sign-on-delete",
    "teams:team-delete",
    "teams:delete-account",
    "sign_in:download-data",
    "account_set_password",
    "approvals:approve",
    "approvals:refuse",
    "connections:add",
    "connections:delete",
    "connections:edit",
    "devices:registration-secrets",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}
# Those that are files: the page that follows the confirmation.
DOWNLOADS = {"devices:registration-secrets": "jobs:detail", "sign_in:download-data": "sign_in:stored-data"}
# Pages with a form that may be seen without a confirmation, and require one to be saved.
SAVES = {
    "teams:add-own-token",
    "teams:add-token",
    "teams:invite",
    "teams:member-edit",
    "teams:new-team",
    "teams:role-add",
    "teams:role-edit",
    "teams:settings",
    "teams:sign-on-add",
    "teams:sign-on-edit",
}
# Actions without a separate page.
ACTIONS = {
    "teams:sign-on-move",
    "devices:secret",
    "devices:collect-secrets",
    "products:secret",
    "sign_in:end-session",
    "sign_in:end-other-sessions",
}


def confirmation_target(response: Any) -> str | None:
    """Return the page that follows the confirmation, or None if the response does not ask for one."""
    location = urlsplit(response.get("Location") or response.get("HX-Redirect") or "")
    targets = parse_qs(location.query).get("next") if location.path == CONFIRM else None
    return targets[0] if targets else None


def url_after_registration(populated: PopulatedTeam, name: str) -> str:
    """Return the URL of a page. The registration job has ended, so that its pages are available."""
    Job.objects.update(state=Job.State.SUCCEEDED)
    return populated.url(name)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_protected_page_asks_for_confirmation_and_leads_back(populated: PopulatedTeam, name: str) -> None:
    url, owner = url_after_registration(populated, name), populated.org.members["owner"]
    expected = populated.url(DOWNLOADS[name]) if name in DOWNLOADS else url
    assert confirmation_target(client_signed_in_before(owner).get(url)) == expected
    assert confirmation_target(client_signed_in_before(owner, minutes=16).get(url)) == expected
    assert confirmation_target(client_signed_in_before(owner, minutes=14).get(url)) is None


@pytest.mark.parametrize("name", sorted(PAGES - DOWNLOADS.keys()))
def test_a_protected_form_can_be_sent_for_twice_the_time(populated: PopulatedTeam, name: str) -> None:
    url, owner = url_after_registration(populated, name), populated.org.members["owner"]
    assert confirmation_target(client_signed_in_before(owner, minutes=20).post(url)) is None
    assert confirmation_target(client_signed_in_before(owner, minutes=31).post(url)) is not None


@pytest.mark.parametrize("name", sorted(SAVES))
def test_a_form_is_shown_without_confirmation_and_saved_only_with_a_recent_one(
    populated: PopulatedTeam, name: str
) -> None:
    url, owner = populated.url(name), populated.org.members["owner"]
    client = client_signed_in_before(owner, minutes=16)
    record_count = AuditRecord.objects.count()
    assert client.get(url).status_code == 200
    for headers in ({}, {"HX-Request": "true"}):
        target = confirmation_target(client.post(url, {"name": "typed"}, headers=headers))
        assert target is not None
        assert urlsplit(target).path == url
    assert AuditRecord.objects.count() == record_count, "nothing was changed"
    assert (
        confirmation_target(client_signed_in_before(owner, minutes=14).post(url, {"name": "typed"})) is None
    )


SEEN = {"initial-name": "Acme Energy", "initial-audit_keep_days": "0", "initial-approval_hours": "72"}
TYPED = {"name": "Typed", "audit_keep_days": "77", "approval_hours": "72"} | SEEN


def keep_settings(org: Organization) -> tuple[Client, str]:
    """Submit the settings of the team too late, and return the client and the URL that follows the confirmation."""
    client = client_signed_in_before(org.members["owner"])
    target = confirmation_target(client.post("/acme/-/settings/", TYPED))
    assert target is not None
    return client, target


def test_what_was_typed_is_kept_during_the_confirmation_and_not_saved_by_showing_it(
    org: Organization,
) -> None:
    client, target = keep_settings(org)
    response = client.post(CONFIRM, {"password": PASSWORD, "next": target})
    assert response["Location"] == target
    page = client.get(target).content.decode()
    assert 'value="Typed"' in page
    assert 'value="77"' in page
    assert "data-resumed" in page, "a script submits the form"
    org.team.refresh_from_db()
    assert org.team.name == "Acme Energy"
    client.post(target, TYPED)
    org.team.refresh_from_db()
    assert org.team.name == "Typed"


def test_a_kept_form_comes_back_once_on_its_page_and_only_after_the_confirmation(org: Organization) -> None:
    client, target = keep_settings(org)
    assert "Typed" not in client.get(target).content.decode()
    client.post(CONFIRM, {"password": PASSWORD})
    other_page = target.replace("/settings/", "/roles/add/")
    assert "data-resumed" not in client.get(other_page).content.decode()
    assert "Typed" in client.get(target).content.decode()
    again = client.get(target).content.decode()
    assert "Typed" not in again
    assert "data-resumed" not in again


def test_a_link_with_an_unknown_token_submits_nothing(org: Organization) -> None:
    client, target = keep_settings(org)
    client.post(CONFIRM, {"password": PASSWORD})
    for token in ("", "x", "é"):
        page = client.get("/acme/-/settings/", {"resume": token}).content.decode()
        assert "data-resumed" not in page
    stranger = client_signed_in_before(org.members["owner"], minutes=0)
    assert "data-resumed" not in stranger.get(target).content.decode()


def test_a_form_that_was_kept_too_long_is_not_submitted(org: Organization) -> None:
    client, target = keep_settings(org)
    session = client.session
    session["kept_form"] |= {"at": time.time() - 16 * MINUTE}
    session.save()
    client.post(CONFIRM, {"password": PASSWORD})
    page = client.get(target).content.decode()
    assert "Typed" not in page
    assert "data-resumed" not in page


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_protected_action_asks_for_confirmation_and_leads_to_its_page(
    populated: PopulatedTeam, name: str
) -> None:
    url, client = (
        url_after_registration(populated, name),
        client_signed_in_before(populated.org.members["owner"]),
    )
    record_count = AuditRecord.objects.count()
    page = populated.org.url("devices/?q=pump&page=2")
    htmx = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
    assert confirmation_target(client.post(url, headers=htmx)) == page
    assert confirmation_target(client.post(url, headers={"Referer": f"http://testserver{page}"})) == page
    assert populated.upstream.writes == []
    assert AuditRecord.objects.count() == record_count, "nothing was revealed"


def test_no_other_page_or_action_asks_for_confirmation(populated: PopulatedTeam) -> None:
    """Add a new page that requires confirmation to the lists above. A page without a check is not found here."""
    client = client_signed_in_before(populated.org.members["owner"])
    Job.objects.update(state=Job.State.SUCCEEDED)
    urls = {name: populated.url(name) for name in list_addresses()}
    assert {name for name, url in urls.items() if confirmation_target(client.get(url)) is not None} == PAGES
    asking_on_post = {
        name
        for name, url in urls.items()
        if name != "account_logout" and confirmation_target(client.post(url))
    }
    assert asking_on_post == PAGES - DOWNLOADS.keys() | ACTIONS | SAVES


def test_a_user_without_permission_gets_403_instead_of_confirmation(populated: PopulatedTeam) -> None:
    client = client_signed_in_before(populated.org.members["viewer"])
    for name in ("connections:add", "devices:registration-secrets"):
        assert client.get(populated.url(name)).status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/acme/",
        "//evil.example/",
        "javascript:alert(1)",
        "http://testserver.evil.example/",
        "http://testserver@evil.example/",
        "\\\\evil.example",
        "",
    ],
)
def test_a_forged_return_address_is_ignored(populated: PopulatedTeam, page: str) -> None:
    client = client_signed_in_before(populated.org.members["owner"])
    url = populated.url("products:secret")
    for headers in ({"HX-Request": "true", "HX-Current-URL": page}, {"Referer": page}):
        assert confirmation_target(client.post(url, headers=headers)) == "/"
    response = client.post(CONFIRM, {"password": PASSWORD, "next": page})
    assert "evil" not in response["Location"]


def test_a_path_that_looks_like_a_host_stays_a_path(populated: PopulatedTeam) -> None:
    client = client_signed_in_before(populated.org.members["owner"])
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver//evil.example/"}
    assert (
        confirmation_target(client.post(populated.url("products:secret"), headers=headers))
        == "/evil.example/"
    )


def test_confirmation_leads_back_to_the_page(populated: PopulatedTeam) -> None:
    client = client_signed_in_before(populated.org.members["owner"])
    url = populated.url("connections:add")
    page = client.get(url, follow=True)
    assert "Confirm your identity" in page.content.decode()
    response = client.post(CONFIRM, {"password": PASSWORD, "next": confirmation_target(client.get(url))})
    assert response["Location"] == url
    assert client.get(url).status_code == 200


def test_a_wrong_password_confirms_nothing_and_is_recorded(populated: PopulatedTeam) -> None:
    client = client_signed_in_before(populated.org.members["owner"])
    client.post(CONFIRM, {"password": "not the password"})
    assert confirmation_target(client.get(populated.url("connections:add"))) is not None
    assert AuditRecord.objects.filter(operation="session.reauthenticate", outcome="failed").count() == 1


def test_a_code_of_the_authenticator_app_confirms_once(org: Organization) -> None:
    owner = org.members["owner"]
    add_authenticator_app(owner)
    client = client_signed_in_before(owner)
    assert "/accounts/reauthenticate/code/" in client.get(CONFIRM).content.decode()
    client.post("/accounts/reauthenticate/code/", {"code": totp_code()})
    assert confirmation_target(client.get("/acme/-/connections/add/")) is None
    other = client_signed_in_before(owner)
    other.post("/accounts/reauthenticate/code/", {"code": totp_code()})
    assert confirmation_target(other.get("/acme/-/connections/add/")) is not None, "a code works only once"


def test_a_user_without_a_password_confirms_with_their_second_factor(org: Organization) -> None:
    owner = org.members["owner"]
    owner.set_unusable_password()
    owner.save()
    add_authenticator_app(owner)
    codes = add_recovery_codes(owner)
    client = client_signed_in_before(owner)
    response = client.get(CONFIRM + "?next=/acme/-/connections/add/")
    assert response["Location"] == "/accounts/reauthenticate/code/?next=%2Facme%2F-%2Fconnections%2Fadd%2F"
    response = client.post(
        "/accounts/reauthenticate/code/", {"code": codes[0], "next": "/acme/-/connections/add/"}
    )
    assert response["Location"] == "/acme/-/connections/add/"
    assert client.get("/acme/-/connections/add/").status_code == 200


def test_a_confirmation_does_not_count_for_the_next_user_of_the_browser(org: Organization) -> None:
    client = client_signed_in_before(org.members["viewer"], minutes=0)
    client.post("/accounts/logout/")
    client.force_login(org.members["owner"])
    assert confirmation_target(client.get("/acme/-/connections/add/")) is not None


def test_signing_in_counts_as_confirmation(org: Organization) -> None:
    client = Client()
    submit_password(client, "owner@acme.test")
    assert client.get(PROFILE).status_code == 200
    assert client.get("/acme/-/connections/add/").status_code == 200


def test_single_sign_on_does_not_count_as_confirmation(org: Organization) -> None:
    client = client_signed_in_before(org.members["owner"], minutes=0)
    session = client.session
    session["account_authentication_methods"][0] |= {"method": "socialaccount"}
    session.save()
    assert confirmation_target(client.get("/acme/-/connections/add/")) is not None


# -- the gateway and its users ----------------------------------------------------------------------------------------


def test_the_gateway_reveals_nothing_without_confirmation(populated: PopulatedTeam) -> None:
    gateway = populated.org.gateway("owner", reauthenticated=False)
    key = populated.things["products"]["key"]
    with pytest.raises(ReauthenticationNeeded):
        gateway.call("QueryProduct", reveal=True, ProductKey=key)
    with pytest.raises(ReauthenticationNeeded):
        next(gateway.read_pages("QueryDevice", reveal=True, ProductKey=key))
    assert gateway.call_count == 0
    assert gateway.call("QueryProduct", ProductKey=key)["Data"]["ProductSecret"] == "••••••"


def test_the_explorer_asks_before_it_reveals_and_keeps_the_input(populated: PopulatedTeam) -> None:
    key = populated.things["products"]["key"]
    url = populated.url("explorer:operation", operation="QueryProduct")
    client = client_signed_in_before(populated.org.members["owner"])
    masked = client.post(url, {"ProductKey": key})
    assert masked.status_code == 200
    target = confirmation_target(
        client.post(url, {"ProductKey": key, "reveal": "1", "csrfmiddlewaretoken": "x" * 64})
    )
    assert target is not None
    location = urlsplit(target)
    assert (location.path, parse_qs(location.query)) == (url, {"ProductKey": [key], "reveal": ["1"]})
    assert key in client.get(target).content.decode()


def test_a_device_registered_without_recent_confirmation_does_not_show_its_secret(
    populated: PopulatedTeam,
) -> None:
    client = client_signed_in_before(populated.org.members["owner"])
    key = populated.things["products"]["key"]
    response = client.post(
        populated.url("devices:create"), {"product_key": key, "device_name": "pump-of-today"}
    )
    assert "pump-of-today is registered" in response.content.decode()
    assert populated.upstream.writes == ["RegisterDevice"]
