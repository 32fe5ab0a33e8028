"""Acts that matter ask people to confirm that it is they: which, when, and how they get back to what they were doing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from console.access.models import AuditRecord, User
from console.access.reauthentication import ReauthenticationNeeded
from console.jobs.models import Job
from tests.access.people import INSIDE, code, enter, give_app, give_recovery_codes
from tests.conftest import PASSWORD, Organization, authenticate
from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
CONFIRM = "/accounts/reauthenticate/"
MINUTE = 60

# Pages that open only for somebody who showed lately that it is they.
PAGES = {
    "access:add-own-token",
    "access:add-token",
    "access:invitation-renew",
    "access:invitation-withdraw",
    "access:invite",
    "access:member-edit",
    "access:member-remove",
    "access:member-transfer",
    "access:new-team",
    "access:role-add",
    "access:role-delete",
    "access:role-edit",
    "access:settings",
    "access:sign-on-add",
    "access:sign-on-delete",
    "access:sign-on-edit",
    "access:team-delete",
    "account_set_password",
    "approvals:approve",
    "approvals:refuse",
    "connections:add",
    "connections:delete",
    "connections:edit",
    "jobs:result-with-secrets",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}
# What is only posted.
ACTS = {"access:sign-on-move", "devices:secret", "jobs:secrets", "products:secret"}


def stale(user: User, minutes: float = 60) -> Client:
    """A browser whose person signed in so many minutes ago, and has been at work since."""
    client = Client()
    client.force_login(user)
    authenticate(client, user)
    session = client.session
    session["account_authentication_methods"][0]["at"] = time.time() - minutes * MINUTE
    session.save()
    return client


def asks(answer: Any) -> str | None:
    """Where the person goes on after they confirmed; None when nothing is asked."""
    place = urlsplit(answer.get("Location") or answer.get("HX-Redirect") or "")
    asked = parse_qs(place.query).get("next") if place.path == CONFIRM else None
    return asked[0] if asked else None


def there(populated: PopulatedTeam, name: str) -> str:
    """The address, of a registration that is over where it is a job's."""
    Job.objects.update(state=Job.State.SUCCEEDED)
    return populated.url(name)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_that_matters_asks_and_leads_back(populated: PopulatedTeam, name: str) -> None:
    url, owner = there(populated, name), populated.org.members["owner"]
    expected = populated.url("jobs:detail") if name == "jobs:result-with-secrets" else url
    assert asks(stale(owner).get(url)) == expected
    assert asks(stale(owner, minutes=16).get(url)) == expected
    assert asks(stale(owner, minutes=14).get(url)) is None


@pytest.mark.parametrize("name", sorted(PAGES - {"jobs:result-with-secrets"}))
def test_a_form_that_was_opened_in_time_can_be_sent(populated: PopulatedTeam, name: str) -> None:
    url, owner = there(populated, name), populated.org.members["owner"]
    assert asks(stale(owner, minutes=20).post(url)) is None
    assert asks(stale(owner, minutes=31).post(url)) is not None


@pytest.mark.parametrize("name", sorted(ACTS))
def test_an_act_that_matters_asks_and_leads_to_the_page_it_came_from(
    populated: PopulatedTeam, name: str
) -> None:
    url, client = there(populated, name), stale(populated.org.members["owner"])
    recorded = AuditRecord.objects.count()
    page = populated.org.url("devices/?q=pump&page=2")
    htmx = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
    assert asks(client.post(url, headers=htmx)) == page
    assert asks(client.post(url, headers={"Referer": f"http://testserver{page}"})) == page
    assert populated.upstream.writes == []
    assert AuditRecord.objects.count() == recorded, "nothing was revealed"


def test_nothing_else_asks(populated: PopulatedTeam) -> None:
    """A new address that asks is to be written down above; one that should and does not is missed here."""
    client = stale(populated.org.members["owner"])
    Job.objects.update(state=Job.State.SUCCEEDED)
    urls = {name: populated.url(name) for name in addresses()}
    assert {name for name, url in urls.items() if asks(client.get(url)) is not None} == PAGES
    posted = {name for name, url in urls.items() if name != "account_logout" and asks(client.post(url))}
    assert posted == PAGES - {"jobs:result-with-secrets"} | ACTS


def test_nobody_is_asked_for_what_they_may_not_do_anyway(populated: PopulatedTeam) -> None:
    client = stale(populated.org.members["viewer"])
    for name in ("connections:add", "jobs:result-with-secrets"):
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
def test_a_forged_address_leads_nowhere(populated: PopulatedTeam, page: str) -> None:
    client = stale(populated.org.members["owner"])
    url = populated.url("products:secret")
    for headers in ({"HX-Request": "true", "HX-Current-URL": page}, {"Referer": page}):
        assert asks(client.post(url, headers=headers)) == "/"
    answer = client.post(CONFIRM, {"password": PASSWORD, "next": page})
    assert "evil" not in answer["Location"]


def test_a_path_that_looks_like_a_host_stays_a_path(populated: PopulatedTeam) -> None:
    client = stale(populated.org.members["owner"])
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver//evil.example/"}
    assert asks(client.post(populated.url("products:secret"), headers=headers)) == "/evil.example/"


def test_confirming_leads_back_and_opens_the_page(populated: PopulatedTeam) -> None:
    client = stale(populated.org.members["owner"])
    url = populated.url("connections:add")
    question = client.get(url, follow=True)
    assert "Confirm that it is you" in question.content.decode()
    answer = client.post(CONFIRM, {"password": PASSWORD, "next": asks(client.get(url))})
    assert answer["Location"] == url
    assert client.get(url).status_code == 200


def test_a_wrong_password_opens_nothing_and_is_in_the_trail(populated: PopulatedTeam) -> None:
    client = stale(populated.org.members["owner"])
    client.post(CONFIRM, {"password": "not the password"})
    assert asks(client.get(populated.url("connections:add"))) is not None
    assert AuditRecord.objects.filter(operation="session.reauthenticate", outcome="failed").count() == 1


def test_a_code_of_the_app_confirms_too(org: Organization) -> None:
    owner = org.members["owner"]
    give_app(owner)
    client = stale(owner)
    assert "/accounts/reauthenticate/code/" in client.get(CONFIRM).content.decode()
    client.post("/accounts/reauthenticate/code/", {"code": code()})
    assert asks(client.get("/acme/-/connections/add/")) is None
    other = stale(owner)
    other.post("/accounts/reauthenticate/code/", {"code": code()})
    assert asks(other.get("/acme/-/connections/add/")) is not None, "a code confirms once"


def test_somebody_without_a_password_confirms_by_their_factor(org: Organization) -> None:
    owner = org.members["owner"]
    owner.set_unusable_password()
    owner.save()
    give_app(owner)
    codes = give_recovery_codes(owner)
    client = stale(owner)
    answer = client.get(CONFIRM + "?next=/acme/-/connections/add/")
    assert answer["Location"] == "/accounts/reauthenticate/code/?next=%2Facme%2F-%2Fconnections%2Fadd%2F"
    back = client.post(
        "/accounts/reauthenticate/code/", {"code": codes[0], "next": "/acme/-/connections/add/"}
    )
    assert back["Location"] == "/acme/-/connections/add/"
    assert client.get("/acme/-/connections/add/").status_code == 200


def test_the_proof_of_one_person_is_none_for_the_next_at_the_same_browser(org: Organization) -> None:
    client = stale(org.members["viewer"], minutes=0)
    client.post("/accounts/logout/")
    client.force_login(org.members["owner"])
    assert asks(client.get("/acme/-/connections/add/")) is not None


def test_signing_in_is_a_proof(org: Organization) -> None:
    client = Client()
    enter(client, "owner@acme.test")
    assert client.get(INSIDE).status_code == 200
    assert client.get("/acme/-/connections/add/").status_code == 200


def test_coming_by_single_sign_on_is_none_for_the_provider_may_have_asked_nothing(org: Organization) -> None:
    client = stale(org.members["owner"], minutes=0)
    session = client.session
    session["account_authentication_methods"][0] |= {"method": "socialaccount"}
    session.save()
    assert asks(client.get("/acme/-/connections/add/")) is not None


# -- the gateway and what uses it ----------------------------------------------------------------------------------------


def test_the_gateway_reveals_nothing_to_somebody_who_did_not_confirm(populated: PopulatedTeam) -> None:
    gateway = populated.org.gateway("owner", reauthenticated=False)
    key = populated.things["products"]["key"]
    with pytest.raises(ReauthenticationNeeded):
        gateway.call("QueryProduct", reveal=True, ProductKey=key)
    with pytest.raises(ReauthenticationNeeded):
        next(gateway.pages("QueryDevice", reveal=True, ProductKey=key))
    assert gateway.calls == 0
    assert gateway.call("QueryProduct", ProductKey=key)["Data"]["ProductSecret"] == "••••••"


def test_the_explorer_asks_before_it_reveals_and_keeps_what_was_typed(populated: PopulatedTeam) -> None:
    key = populated.things["products"]["key"]
    url = populated.url("explorer:operation", operation="QueryProduct")
    client = stale(populated.org.members["owner"])
    masked = client.post(url, {"ProductKey": key})
    assert masked.status_code == 200
    back = asks(client.post(url, {"ProductKey": key, "reveal": "1", "csrfmiddlewaretoken": "x" * 64}))
    assert back is not None
    place = urlsplit(back)
    assert (place.path, parse_qs(place.query)) == (url, {"ProductKey": [key], "reveal": ["1"]})
    assert key in client.get(back).content.decode()


def test_a_device_registered_without_a_fresh_proof_is_registered_and_keeps_its_secret(
    populated: PopulatedTeam,
) -> None:
    client = stale(populated.org.members["owner"])
    key = populated.things["products"]["key"]
    answer = client.post(
        populated.url("devices:create"), {"product_key": key, "device_name": "pump-of-today"}
    )
    assert "pump-of-today is registered" in answer.content.decode()
    assert populated.upstream.writes == ["RegisterDevice"]
