"""Invitations: who can make them, what the link does, and for whom."""

from __future__ import annotations

import hashlib
import logging
import re
import smtplib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.test import Client
from django.utils import timezone

from console.access import invitations
from console.access.audit import Origin
from console.access.models import AuditRecord, CustomRole, Invitation, Membership, User
from console.access.scope import AccessScope
from console.access.teams import Actor
from tests.conftest import PASSWORD, Organization, authenticate

SignIn = Callable[[str], Client]
INVITE = "/acme/-/members/invite/"
NEW = "new@acme.test"
CHOSEN = "another horse battery staple"
LINK = re.compile(r"http://testserver(/invitations/[\w-]{40,}/)")


@pytest.fixture(autouse=True)
def _no_mail(settings: Any) -> None:
    """A server that sends no mail, as where a test does not say otherwise."""
    settings.SENDS_MAIL = False


def actor(org: Organization, role: str = "administrator") -> Actor:
    user = org.members[role]
    return Actor(Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin())


def invited(org: Organization, email: str = NEW, role: str = "operator", by: str = "administrator") -> str:
    """The path of a fresh invitation's link."""
    _invitation, token = invitations.invite(actor(org, by), email, "", role, AccessScope())
    return f"/invitations/{token}/"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    authenticate(client, user)
    return client


def joining(client: Client, path: str) -> Any:
    """Opens the link and joins as a new person."""
    client.get(path)
    return client.post("/invitations/", {"name": "New", "password1": CHOSEN, "password2": CHOSEN})


def closed(client: Client, path: str) -> str:
    """The page of a link that opens nothing."""
    answer = client.get(path, follow=True)
    assert answer.status_code == 404
    return answer.content.decode()


# -- inviting ----------------------------------------------------------------------------------------------------------


def test_without_mail_the_link_is_shown_once_and_only_its_digest_is_kept(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    fields = {"email": "New@Acme.test ", "name": "New", "role": "operator", "scope": "all"}
    answer = client.post(INVITE, fields)
    found = LINK.search(answer.content.decode())
    assert found is not None
    assert "no-store" in answer["Cache-Control"]
    assert mail.outbox == []
    token = found[1].split("/")[2]
    kept = Invitation.objects.get()
    assert (kept.email, kept.digest) == (NEW, hashlib.sha256(token.encode()).hexdigest())
    assert timedelta(days=6, hours=23) < kept.expires_at - timezone.now() <= timedelta(days=7)
    rows = [str(vars(row)) for row in (*Invitation.objects.all(), *AuditRecord.objects.all())]
    assert token not in "".join(rows)
    assert token not in client.get("/acme/-/members/").content.decode()
    assert not User.objects.filter(email=NEW).exists(), "the account is made when the person joins"


def test_with_mail_the_link_goes_to_the_address_and_not_to_the_inviter(
    org: Organization, sign_in: SignIn, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    fields = {"email": NEW, "name": "Nora", "role": "operator", "scope": "all"}
    answer = sign_in("administrator").post(INVITE, fields, follow=True)
    assert LINK.search(answer.content.decode()) is None
    (sent,) = mail.outbox
    assert sent.to == [NEW]
    assert "Acme Energy" in sent.subject
    found = LINK.search(sent.body)
    assert found is not None
    assert {"Nora", "Operator", "Administrator"} <= set(re.findall(r"\w+", sent.body))
    assert joining(Client(), found[1])["Location"] == "/acme/"


def test_a_mail_server_that_is_away_loses_no_invitation_and_shows_no_link(
    org: Organization, sign_in: SignIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> int:
        raise smtplib.SMTPServerDisconnected("away")

    settings.SENDS_MAIL = True
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
    client = sign_in("administrator")
    answer = client.post(INVITE, {"email": NEW, "role": "viewer", "scope": "all"}, follow=True)
    assert "did not take the mail" in answer.content.decode()
    assert LINK.search(answer.content.decode()) is None
    monkeypatch.undo()
    client.post(f"/acme/-/invitations/{Invitation.objects.get().pk}/renew/")
    assert len(mail.outbox) == 1


def test_inviting_answers_alike_for_an_address_with_and_without_an_account(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    texts = []
    for address in (org.outsider.email, "nobodyxx@globex.test"):
        answer = client.post(INVITE, {"email": address, "role": "viewer", "scope": "all"})
        found = LINK.search(answer.content.decode())
        assert found is not None
        stranger = Client().get(found[1], follow=True).content.decode()
        cleaned = [
            re.sub(
                r'/invitations/[\w-]+[/…]?|value="[^"]*"|token": "[^"]*"|X-CSRFToken[^}]*', "", text
            ).replace(address, "A")
            for text in (answer.content.decode(), stranger)
        ]
        texts.append(cleaned)
        listed = client.get("/acme/-/members/").content.decode()
        assert "Outsider" not in listed
    assert texts[0] == texts[1]


def test_a_member_and_somebody_who_is_invited_already_are_not_invited_again(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    invited(org)
    for email in ("VIEWER@acme.test", NEW):
        answer = client.post(INVITE, {"email": email, "role": "owner", "scope": "all"})
        assert answer.status_code == 422
        assert "already" in answer.content.decode()
    assert Invitation.objects.get().role_slug == "operator"


def test_nobody_invites_to_more_than_their_own_role(org: Organization, sign_in: SignIn) -> None:
    answer = sign_in("administrator").post(INVITE, {"email": NEW, "role": "owner", "scope": "all"})
    assert answer.status_code == 422
    with pytest.raises(PermissionDenied):
        invitations.invite(actor(org), NEW, "", "owner", AccessScope())
    with pytest.raises(PermissionDenied):
        invitations.invite(actor(org, "viewer"), NEW, "", "viewer", AccessScope())
    assert not Invitation.objects.exists()


def test_a_new_link_makes_the_old_one_void(org: Organization, sign_in: SignIn) -> None:
    old = invited(org)
    found = Invitation.objects.get()
    answer = sign_in("owner").post(f"/acme/-/invitations/{found.pk}/renew/")
    new = LINK.search(answer.content.decode())
    assert new is not None
    closed(Client(), old)
    assert joining(Client(), new[1]).status_code == 302
    assert Membership.objects.filter(team=org.team, user__email=NEW).exists()


def test_a_withdrawn_invitation_opens_nothing(org: Organization, sign_in: SignIn) -> None:
    path = invited(org)
    opened = Client()
    opened.get(path)
    client = sign_in("administrator")
    address = f"/acme/-/invitations/{Invitation.objects.get().pk}/withdraw/"
    assert client.post(address)["Location"] == "/acme/-/members/"
    assert client.post(address).status_code == 404
    assert joining(opened, "/invitations/").status_code == 404
    assert not User.objects.filter(email=NEW).exists()
    record = AuditRecord.objects.get(operation="team.withdraw_invitation")
    assert (record.target, record.before) == (NEW, {"role": "operator"})


def test_an_administrator_touches_no_invitation_to_become_owner(org: Organization, sign_in: SignIn) -> None:
    invited(org, role="owner", by="owner")
    pk = Invitation.objects.get().pk
    client = sign_in("administrator")
    for act in ("renew", "withdraw"):
        assert client.post(f"/acme/-/invitations/{pk}/{act}/").status_code == 403
        assert f"invitations/{pk}/{act}/" not in client.get("/acme/-/members/").content.decode()
    assert Invitation.objects.filter(pk=pk).exists()


def test_invitations_of_another_team_are_not_found(org: Organization, sign_in: SignIn) -> None:
    theirs = Invitation.objects.create(
        team=org.other_team, email=NEW, role_slug="viewer", digest="x" * 64, invited_by=org.outsider
    )
    client = sign_in("owner")
    for act in ("renew", "withdraw"):
        assert client.post(f"/acme/-/invitations/{theirs.pk}/{act}/").status_code == 404
    assert NEW not in client.get("/acme/-/members/").content.decode()


# -- accepting ---------------------------------------------------------------------------------------------------------


def test_a_new_person_chooses_a_name_and_a_password_and_is_in(org: Organization) -> None:
    access_scope = AccessScope(products=frozenset(["a1"]))
    _made, token = invitations.invite(actor(org), NEW, "", "operator", access_scope)
    client = Client()
    assert joining(client, f"/invitations/{token}/")["Location"] == "/acme/"
    member = Membership.objects.get(team=org.team, user__email=NEW)
    assert (member.role_slug, member.access_scope, member.user.name) == (
        "operator",
        {"products": ["a1"]},
        "New",
    )
    assert client.get("/acme/").status_code == 302
    assert Client().post("/accounts/login/", {"login": NEW, "password": CHOSEN})["Location"] == "/"
    record = AuditRecord.objects.get(operation="team.join")
    assert (record.actor_label, record.parameters) == (NEW, {"role": "operator", "products": ["a1"]})
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [("short", "short"), ("password1234", "password1234"), (NEW, NEW), (CHOSEN, CHOSEN + "!")],
)
def test_a_weak_or_mistyped_password_is_refused_and_nothing_is_made(
    org: Organization, first: str, second: str
) -> None:
    client = Client()
    client.get(invited(org))
    answer = client.post("/invitations/", {"name": "New", "password1": first, "password2": second})
    assert answer.status_code == 422
    assert not User.objects.filter(email=NEW).exists()
    assert Invitation.objects.exists()


def test_who_has_an_account_signs_in_and_then_accepts(org: Organization) -> None:
    client = Client()
    page = client.get(invited(org, org.outsider.email), follow=True)
    assert "/accounts/login/?next=/invitations/" in page.content.decode()
    fields = {"login": org.outsider.email, "password": PASSWORD, "next": "/invitations/"}
    assert client.post("/accounts/login/", fields)["Location"] == "/invitations/"
    assert "Acme Energy" in client.get("/invitations/").content.decode()
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists(), "a GET only shows"
    assert client.post("/invitations/")["Location"] == "/acme/"
    assert Membership.objects.get(team=org.team, user=org.outsider).role_slug == "operator"


def test_a_link_is_no_way_into_an_account_that_exists(org: Organization) -> None:
    client = Client()
    answer = joining(client, invited(org, org.outsider.email))
    assert answer.status_code == 422
    assert "account already" in answer.content.decode()
    assert "_auth_user_id" not in client.session
    org.outsider.refresh_from_db()
    assert org.outsider.check_password(PASSWORD)
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists()


def test_somebody_else_who_is_signed_in_is_told_so_and_can_sign_out(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("outsider")
    page = client.get(invited(org), follow=True)
    assert "for somebody else" in page.content.decode()
    with pytest.raises(PermissionDenied):
        invitations.accept(Invitation.objects.get().digest, org.outsider, Origin())
    assert client.post("/invitations/")["Location"] == "/invitations/"
    assert "_auth_user_id" not in client.session
    answer = client.post("/invitations/", {"name": "New", "password1": CHOSEN, "password2": CHOSEN})
    assert answer["Location"] == "/acme/"
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists()


def test_used_withdrawn_expired_and_unknown_links_answer_the_same(org: Organization) -> None:
    used = invited(org)
    joining(Client(), used)
    withdrawn, expired = invited(org, "w@acme.test"), invited(org, "e@acme.test")
    invitations.withdraw(actor(org), Invitation.objects.get(email="w@acme.test"))
    Invitation.objects.filter(email="e@acme.test").update(expires_at=timezone.now())
    unknown = "/invitations/never-was-one/"
    pages = {
        re.sub(r'value="[^"]+"', "", closed(Client(), path)) for path in (used, withdrawn, expired, unknown)
    }
    assert len(pages) == 1


def test_the_token_is_in_no_later_address_log_line_or_session(
    org: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    path = invited(org)
    token = path.split("/")[2]
    client = Client()
    with caplog.at_level(logging.DEBUG):
        first = client.get(path)
        page = client.get(first["Location"])
    assert (first["Location"], first["Referrer-Policy"]) == ("/invitations/", "no-referrer")
    assert token not in page.content.decode()
    assert token not in str(dict(client.session))
    assert token not in caplog.text


def test_accepting_twice_makes_one_membership(org: Organization) -> None:
    path = invited(org, org.outsider.email)
    first, second = browser(org.outsider), browser(org.outsider)
    first.get(path)
    second.get(path)
    assert first.post("/invitations/").status_code == 302
    assert second.post("/invitations/").status_code == 404
    assert first.post("/invitations/").status_code == 404
    assert Membership.objects.filter(team=org.team, user=org.outsider).count() == 1


def test_who_became_a_member_meanwhile_keeps_what_they_have(org: Organization) -> None:
    path = invited(org, org.outsider.email)
    Membership.objects.create(team=org.team, user=org.outsider, role_slug="viewer", source="sign-on")
    client = browser(org.outsider)
    client.get(path)
    assert client.post("/invitations/").status_code == 302
    assert Membership.objects.get(team=org.team, user=org.outsider).role_slug == "viewer"
    assert not Invitation.objects.exists()


def test_an_invitation_is_worth_what_its_inviter_may_still_give(org: Organization, sign_in: SignIn) -> None:
    path = invited(org, role="administrator")
    inviter = Membership.objects.get(team=org.team, user=org.members["administrator"])
    for change in (
        {"role_slug": "operator"},
        {"role_slug": "administrator", "access_scope": {"products": ["a"]}},
    ):
        Membership.objects.filter(pk=inviter.pk).update(**change)
        closed(Client(), path)
    assert "No longer valid" in sign_in("owner").get("/acme/-/members/").content.decode()
    inviter.delete()
    closed(Client(), path)
    pk = Invitation.objects.get().pk
    answer = sign_in("owner").post(f"/acme/-/invitations/{pk}/renew/")
    renewed = LINK.search(answer.content.decode())
    assert renewed is not None, "who renews it answers for it"
    assert joining(Client(), renewed[1]).status_code == 302


def test_a_role_that_grew_beyond_the_inviter_is_not_given(org: Organization) -> None:
    crew = CustomRole.objects.create(team=org.team, slug="crew", name="Crew", levels={"devices": 1})
    desk = CustomRole.objects.create(
        team=org.team, slug="desk", name="Desk", levels={"members": 2, "devices": 1}
    )
    Membership.objects.filter(team=org.team, user=org.members["operator"]).update(role_slug=desk.slug)
    path = invited(org, role="crew", by="operator")
    CustomRole.objects.filter(pk=crew.pk).update(levels={"devices": 4})
    closed(Client(), path)


def test_an_account_made_meanwhile_is_not_taken_over(org: Organization) -> None:
    client = Client()
    client.get(invited(org))
    User.objects.create_user(NEW, PASSWORD)
    answer = client.post("/invitations/", {"name": "New", "password1": CHOSEN, "password2": CHOSEN})
    assert answer.status_code == 422
    assert not Membership.objects.filter(user__email=NEW).exists()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_accept_at_once_make_one_account_and_one_membership(org: Organization) -> None:
    path = invited(org)
    digest = invitations.digest_of(path.split("/")[2])
    outcomes: list[str | None] = []
    together = threading.Barrier(2)

    def accept() -> None:
        together.wait()
        try:
            invitations.accept_as_new_person(digest, "New", CHOSEN, Origin())
            outcomes.append("joined")
        except ValidationError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=accept) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) in (["account", "joined"], ["closed", "joined"])
    assert Membership.objects.filter(team=org.team, user__email=NEW).count() == 1
