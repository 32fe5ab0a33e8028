"""Invitations: who can create them, and what the link does for whom."""

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

from console.accounts.models import CustomRole, Membership, User
from console.accounts.scope import AccessScope
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.teams import invitations
from console.teams.changes import Actor
from console.teams.models import Invitation
from tests.conftest import PASSWORD, Organization, start_session
from tests.responses import page_text

SignIn = Callable[[str], Client]
INVITE = "/acme/-/members/invite/"
NEW = "new@acme.test"
NEW_PASSWORD = "another horse battery staple"
LINK = re.compile(r"http://testserver(/invitations/[\w-]{40,}/)")


@pytest.fixture(autouse=True)
def _no_mail(settings: Any) -> None:
    """The server sends no email unless a test says otherwise."""
    settings.SENDS_MAIL = False


def get_actor(org: Organization, role: str = "administrator") -> Actor:
    user = org.members[role]
    return Actor(Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin())


def invite(org: Organization, email: str = NEW, role: str = "operator", by: str = "administrator") -> str:
    """Create an invitation. Returns the path of its link."""
    _invitation, token = invitations.create_invitation(get_actor(org, by), email, "", role, AccessScope())
    return f"/invitations/{token}/"


def join(client: Client, path: str) -> Any:
    """Open the link and join as a new user."""
    client.get(path)
    return client.post("/invitations/", {"name": "New", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD})


def open_invalid_link(client: Client, path: str) -> str:
    """Open a link that must be invalid. Returns the page."""
    response = client.get(path, follow=True)
    assert response.status_code == 404
    return response.content.decode()


# -- inviting ----------------------------------------------------------------------------------------------------------


def test_without_email_the_link_is_shown_once_and_only_its_digest_is_stored(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    fields = {"email": "New@Acme.test ", "name": "New", "role": "operator", "scope": "all"}
    response = client.post(INVITE, fields)
    match = LINK.search(response.content.decode())
    assert match is not None
    assert "no-store" in response["Cache-Control"]
    assert mail.outbox == []
    token = match[1].split("/")[2]
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.digest) == (NEW, hashlib.sha256(token.encode()).hexdigest())
    assert timedelta(days=6, hours=23) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    rows = [str(vars(row)) for row in (*Invitation.objects.all(), *AuditRecord.objects.all())]
    assert token not in "".join(rows)
    assert token not in client.get("/acme/-/members/").content.decode()
    assert not User.objects.filter(email=NEW).exists(), "the account is created when the user joins"


def test_with_email_the_link_is_sent_to_the_address_and_not_shown_to_the_inviter(
    org: Organization, sign_in: SignIn, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    fields = {"email": NEW, "name": "Nora", "role": "operator", "scope": "all"}
    response = sign_in("administrator").post(INVITE, fields, follow=True)
    assert LINK.search(response.content.decode()) is None
    (sent,) = mail.outbox
    assert sent.to == [NEW]
    assert "Acme Energy" in sent.subject
    match = LINK.search(sent.body)
    assert match is not None
    assert {"Nora", "Operator", "Administrator"} <= set(re.findall(r"\w+", sent.body))
    assert join(Client(), match[1])["Location"] == "/acme/"


def test_a_failing_mail_server_loses_no_invitation_and_shows_no_link(
    org: Organization, sign_in: SignIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> int:
        raise smtplib.SMTPServerDisconnected("unavailable")

    settings.SENDS_MAIL = True
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)
    client = sign_in("administrator")
    response = client.post(INVITE, {"email": NEW, "role": "viewer", "scope": "all"}, follow=True)
    assert "could not be sent" in response.content.decode()
    assert LINK.search(response.content.decode()) is None
    monkeypatch.undo()
    client.post(f"/acme/-/invitations/{Invitation.objects.get().pk}/renew/")
    assert len(mail.outbox) == 1


def test_inviting_does_not_reveal_whether_an_address_has_an_account(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    texts = []
    for address in (org.outsider.email, "nobodyxx@globex.test"):
        response = client.post(INVITE, {"email": address, "role": "viewer", "scope": "all"})
        match = LINK.search(response.content.decode())
        assert match is not None
        visitor_page = Client().get(match[1], follow=True).content.decode()
        cleaned = [
            re.sub(
                r'/invitations/[\w-]+[/…]?|value="[^"]*"|token": "[^"]*"|X-CSRFToken[^}]*', "", text
            ).replace(address, "A")
            for text in (response.content.decode(), visitor_page)
        ]
        texts.append(cleaned)
        listed = client.get("/acme/-/members/").content.decode()
        assert "Outsider" not in listed
    assert texts[0] == texts[1]


def test_members_and_invited_addresses_cannot_be_invited_again(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    invite(org)
    for email in ("VIEWER@acme.test", NEW):
        response = client.post(INVITE, {"email": email, "role": "owner", "scope": "all"})
        assert response.status_code == 422
        assert "already" in response.content.decode()
    assert Invitation.objects.get().role_slug == "operator"


def test_users_cannot_invite_with_a_role_above_their_own(org: Organization, sign_in: SignIn) -> None:
    response = sign_in("administrator").post(INVITE, {"email": NEW, "role": "owner", "scope": "all"})
    assert response.status_code == 422
    with pytest.raises(PermissionDenied):
        invitations.create_invitation(get_actor(org), NEW, "", "owner", AccessScope())
    with pytest.raises(PermissionDenied):
        invitations.create_invitation(get_actor(org, "viewer"), NEW, "", "viewer", AccessScope())
    assert not Invitation.objects.exists()


def test_a_new_link_invalidates_the_previous_one(org: Organization, sign_in: SignIn) -> None:
    old = invite(org)
    invitation = Invitation.objects.get()
    response = sign_in("owner").post(f"/acme/-/invitations/{invitation.pk}/renew/")
    new_match = LINK.search(response.content.decode())
    assert new_match is not None
    open_invalid_link(Client(), old)
    assert join(Client(), new_match[1]).status_code == 302
    assert Membership.objects.filter(team=org.team, user__email=NEW).exists()


def test_a_withdrawn_invitation_is_invalid(org: Organization, sign_in: SignIn) -> None:
    path = invite(org)
    opened = Client()
    opened.get(path)
    client = sign_in("administrator")
    address = f"/acme/-/invitations/{Invitation.objects.get().pk}/withdraw/"
    assert client.post(address)["Location"] == "/acme/-/members/"
    assert client.post(address).status_code == 404
    assert join(opened, "/invitations/").status_code == 404
    assert not User.objects.filter(email=NEW).exists()
    record = AuditRecord.objects.get(operation="team.withdraw_invitation")
    assert (record.target, record.before) == (NEW, {"role": "operator"})


def test_an_administrator_cannot_change_the_invitation_of_an_owner(
    org: Organization, sign_in: SignIn
) -> None:
    invite(org, role="owner", by="owner")
    pk = Invitation.objects.get().pk
    client = sign_in("administrator")
    for action in ("renew", "withdraw"):
        assert client.post(f"/acme/-/invitations/{pk}/{action}/").status_code == 403
        assert f"invitations/{pk}/{action}/" not in client.get("/acme/-/members/").content.decode()
    assert Invitation.objects.filter(pk=pk).exists()


def test_invitations_of_another_team_are_not_found(org: Organization, sign_in: SignIn) -> None:
    theirs = Invitation.objects.create(
        team=org.other_team, email=NEW, role_slug="viewer", digest="x" * 64, invited_by=org.outsider
    )
    client = sign_in("owner")
    for action in ("renew", "withdraw"):
        assert client.post(f"/acme/-/invitations/{theirs.pk}/{action}/").status_code == 404
    assert NEW not in client.get("/acme/-/members/").content.decode()


# -- accepting ---------------------------------------------------------------------------------------------------------


def test_a_new_user_chooses_a_name_and_a_password_and_joins(org: Organization) -> None:
    access_scope = AccessScope(products=frozenset(["a1"]))
    _invitation, token = invitations.create_invitation(get_actor(org), NEW, "", "operator", access_scope)
    client = Client()
    assert join(client, f"/invitations/{token}/")["Location"] == "/acme/"
    member = Membership.objects.get(team=org.team, user__email=NEW)
    assert (member.role_slug, member.access_scope, member.user.name) == (
        "operator",
        {"products": ["a1"]},
        "New",
    )
    assert client.get("/acme/").status_code == 302
    assert Client().post("/accounts/login/", {"login": NEW, "password": NEW_PASSWORD})["Location"] == "/"
    record = AuditRecord.objects.get(operation="team.join")
    assert (record.actor_label, record.parameters) == (NEW, {"role": "operator", "products": ["a1"]})
    assert not Invitation.objects.exists()


def test_an_invitation_names_its_team_role_and_access_scope(org: Organization) -> None:
    access_scope = AccessScope(frozenset([org.connection.pk]), products=frozenset(["a1pumps"]))
    _invitation, token = invitations.create_invitation(get_actor(org), NEW, "", "operator", access_scope)
    text = page_text(Client().get(f"/invitations/{token}/", follow=True))
    for part in ("Acme Energy", "Operator", org.connection.name, "1 product", "a1pumps"):
        assert part in text


def test_the_rules_of_a_password_are_stated_once(org: Organization) -> None:
    text = page_text(Client().get(invite(org), follow=True))
    assert text.count("12 to 128 characters.") == 1
    assert "Your password" not in text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("short", "short"),
        ("password1234", "password1234"),
        (NEW, NEW),
        (NEW_PASSWORD, NEW_PASSWORD + "!"),
        ("Ab1! " * 26,) * 2,
    ],
)
def test_a_weak_or_mistyped_password_is_refused_and_nothing_is_created(
    org: Organization, first: str, second: str
) -> None:
    client = Client()
    client.get(invite(org))
    response = client.post("/invitations/", {"name": "New", "password1": first, "password2": second})
    assert response.status_code == 422
    assert not User.objects.filter(email=NEW).exists()
    assert Invitation.objects.exists()


def test_a_user_with_an_account_signs_in_and_then_accepts(org: Organization) -> None:
    client = Client()
    page = client.get(invite(org, org.outsider.email), follow=True)
    assert "/accounts/login/?next=/invitations/" in page.content.decode()
    fields = {"login": org.outsider.email, "password": PASSWORD, "next": "/invitations/"}
    assert client.post("/accounts/login/", fields)["Location"] == "/invitations/"
    assert "Acme Energy" in client.get("/invitations/").content.decode()
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists(), (
        "a GET request changes nothing"
    )
    assert client.post("/invitations/")["Location"] == "/acme/"
    assert Membership.objects.get(team=org.team, user=org.outsider).role_slug == "operator"


def test_a_link_gives_no_access_to_an_existing_account(org: Organization) -> None:
    client = Client()
    response = join(client, invite(org, org.outsider.email))
    assert response.status_code == 422
    assert "If you have an account, sign in first" in response.content.decode()
    assert "_auth_user_id" not in client.session
    org.outsider.refresh_from_db()
    assert org.outsider.check_password(PASSWORD)
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists()


def test_another_signed_in_user_is_informed_and_can_sign_out(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("outsider")
    page = client.get(invite(org), follow=True)
    assert "for another user" in page.content.decode()
    with pytest.raises(PermissionDenied):
        invitations.accept_invitation(Invitation.objects.get().digest, org.outsider, Origin())
    assert client.post("/invitations/")["Location"] == "/invitations/"
    assert "_auth_user_id" not in client.session
    response = client.post(
        "/invitations/", {"name": "New", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    )
    assert response["Location"] == "/acme/"
    assert not Membership.objects.filter(team=org.team, user=org.outsider).exists()


def test_used_withdrawn_expired_and_unknown_links_show_the_same_page(org: Organization) -> None:
    used = invite(org)
    join(Client(), used)
    withdrawn, expired = invite(org, "w@acme.test"), invite(org, "e@acme.test")
    invitations.withdraw_invitation(get_actor(org), Invitation.objects.get(email="w@acme.test"))
    Invitation.objects.filter(email="e@acme.test").update(expires_at=timezone.now())
    unknown = "/invitations/never-was-one/"
    pages = {
        re.sub(r'value="[^"]+"', "", open_invalid_link(Client(), path))
        for path in (used, withdrawn, expired, unknown)
    }
    assert len(pages) == 1


def test_the_token_is_in_no_later_url_log_line_or_session(
    org: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    path = invite(org)
    token = path.split("/")[2]
    client = Client()
    with caplog.at_level(logging.DEBUG):
        first = client.get(path)
        page = client.get(first["Location"])
    assert (first["Location"], first["Referrer-Policy"]) == ("/invitations/", "no-referrer")
    assert token not in page.content.decode()
    assert token not in str(dict(client.session))
    assert token not in caplog.text


def test_accepting_twice_creates_one_membership(org: Organization) -> None:
    path = invite(org, org.outsider.email)
    first, second = start_session(org.outsider), start_session(org.outsider)
    first.get(path)
    second.get(path)
    assert first.post("/invitations/").status_code == 302
    assert second.post("/invitations/").status_code == 404
    assert first.post("/invitations/").status_code == 404
    assert Membership.objects.filter(team=org.team, user=org.outsider).count() == 1


def test_a_user_who_became_a_member_in_the_meantime_keeps_their_role(org: Organization) -> None:
    path = invite(org, org.outsider.email)
    Membership.objects.create(team=org.team, user=org.outsider, role_slug="viewer", source="sign-on")
    client = start_session(org.outsider)
    client.get(path)
    assert client.post("/invitations/").status_code == 302
    assert Membership.objects.get(team=org.team, user=org.outsider).role_slug == "viewer"
    assert not Invitation.objects.exists()


def test_an_invitation_is_invalid_if_its_inviter_may_no_longer_assign_the_role(
    org: Organization, sign_in: SignIn
) -> None:
    path = invite(org, role="administrator")
    inviter = Membership.objects.get(team=org.team, user=org.members["administrator"])
    for change in (
        {"role_slug": "operator"},
        {"role_slug": "administrator", "access_scope": {"products": ["a"]}},
    ):
        Membership.objects.filter(pk=inviter.pk).update(**change)
        open_invalid_link(Client(), path)
    assert "Invalid" in sign_in("owner").get("/acme/-/members/").content.decode()
    inviter.delete()
    open_invalid_link(Client(), path)
    pk = Invitation.objects.get().pk
    response = sign_in("owner").post(f"/acme/-/invitations/{pk}/renew/")
    renewed = LINK.search(response.content.decode())
    assert renewed is not None, "the user who renews it becomes the inviter"
    assert join(Client(), renewed[1]).status_code == 302


def test_a_role_that_now_exceeds_that_of_the_inviter_is_not_assigned(org: Organization) -> None:
    crew = CustomRole.objects.create(team=org.team, slug="crew", name="Crew", levels={"devices": 1})
    desk = CustomRole.objects.create(
        team=org.team, slug="desk", name="Desk", levels={"members": 2, "devices": 1}
    )
    Membership.objects.filter(team=org.team, user=org.members["operator"]).update(role_slug=desk.slug)
    path = invite(org, role="crew", by="operator")
    CustomRole.objects.filter(pk=crew.pk).update(levels={"devices": 4})
    open_invalid_link(Client(), path)


def test_an_account_created_in_the_meantime_is_not_taken_over(org: Organization) -> None:
    client = Client()
    client.get(invite(org))
    User.objects.create_user(NEW, PASSWORD)
    response = client.post(
        "/invitations/", {"name": "New", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    )
    assert response.status_code == 422
    assert not Membership.objects.filter(user__email=NEW).exists()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_accept_at_the_same_time_create_one_account_and_one_membership(
    org: Organization,
) -> None:
    path = invite(org)
    digest = invitations.digest_token(path.split("/")[2])
    outcomes: list[str | None] = []
    barrier = threading.Barrier(2)

    def accept() -> None:
        barrier.wait()
        try:
            invitations.accept_as_new_user(digest, "New", NEW_PASSWORD, Origin())
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
