"""Who belongs to a team, who may change that, and that a team always has an owner."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from console.access import teams
from console.access.audit import Origin
from console.access.models import AuditRecord, Membership, User
from tests.conftest import PASSWORD, Cast

SignIn = Callable[[str], Client]
ADD = "/acme/-/members/add/"


def member(cast: Cast, role: str) -> Membership:
    return Membership.objects.get(team=cast.team, user=cast.members[role])


def page(cast: Cast, role: str, rest: str = "") -> str:
    return f"/acme/-/members/{member(cast, role).pk}/{rest}"


def test_the_list_names_everybody_in_the_team_and_nobody_else(cast: Cast, sign_in: SignIn) -> None:
    text = sign_in("administrator").get("/acme/-/members/").content.decode()
    assert all(user.email in text for user in cast.members.values())
    assert cast.outsider.email not in text


def test_a_new_person_gets_an_account_and_a_link_that_works_once(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    response = client.post(ADD, {"email": "New@Acme.test", "name": "New", "role": "operator"}, follow=True)
    link = re.search(r"http://testserver(/accounts/password/reset/key/[^\s<\"]+)", response.content.decode())
    assert link is not None
    fresh = Client()
    form = fresh.get(link[1], follow=True)
    chosen = "another horse battery staple"
    fresh.post(form.redirect_chain[-1][0], {"password1": chosen, "password2": chosen})
    entered = fresh.post("/accounts/login/", {"login": "new@acme.test", "password": chosen})
    assert entered["Location"] == "/"
    again = Client().get(link[1], follow=True).content.decode()
    assert "password1" not in again


def test_an_existing_person_is_added_without_any_link(cast: Cast, sign_in: SignIn) -> None:
    fields = {"email": cast.outsider.email, "name": "Other name", "role": "viewer"}
    response = sign_in("administrator").post(ADD, fields)
    assert response["Location"] == "/acme/-/members/"
    cast.outsider.refresh_from_db()
    assert cast.outsider.name == "Outsider"
    assert Membership.objects.get(team=cast.team, user=cast.outsider).role_slug == "viewer"


@pytest.mark.parametrize("role", ["viewer", "owner"])
def test_nobody_who_has_a_password_can_be_taken_over_by_a_link(
    cast: Cast, sign_in: SignIn, role: str
) -> None:
    assert sign_in("owner").get(page(cast, role, "link/")).status_code == 404


def test_a_team_gets_no_link_for_somebody_whom_another_team_brought(cast: Cast, sign_in: SignIn) -> None:
    newcomer = User.objects.create_user("newcomer@globex.test", None)
    theirs = Membership.objects.create(team=cast.other_team, user=newcomer, role_slug="owner")
    client = sign_in("administrator")
    added = client.post(ADD, {"email": newcomer.email, "role": "viewer"})
    assert added["Location"] == "/acme/-/members/"
    ours = Membership.objects.get(team=cast.team, user=newcomer)
    assert client.get(f"/acme/-/members/{ours.pk}/link/").status_code == 403
    assert "link/" not in client.get(f"/acme/-/members/{ours.pk}/").content.decode()
    assert sign_in("outsider").get(f"/globex/-/members/{theirs.pk}/link/").status_code == 200


def test_what_was_allowed_when_the_page_was_asked_for_is_checked_again_when_it_is_done(cast: Cast) -> None:
    owner, second, third = (member(cast, role) for role in ("owner", "administrator", "operator"))
    Membership.objects.filter(pk__in=[second.pk, third.pk]).update(role_slug="owner")
    as_owner, as_second = (
        teams.Actor(Membership.objects.select_related("team", "user").get(pk=m.pk), Origin())
        for m in (owner, second)
    )
    teams.remove_member(as_owner, second)
    for act in (
        lambda: teams.remove_member(as_second, owner),
        lambda: teams.change_role(as_second, owner, "viewer"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert member(cast, "owner").role_slug == "owner"


def test_an_administrator_does_not_lower_somebody_who_has_just_become_owner(cast: Cast) -> None:
    actor, seen = teams.Actor(member(cast, "administrator"), Origin()), member(cast, "viewer")
    Membership.objects.filter(pk=seen.pk).update(role_slug="owner")
    with pytest.raises(PermissionDenied):
        teams.change_role(actor, seen, "operator")
    with pytest.raises(PermissionDenied):
        teams.remove_member(actor, seen)
    assert member(cast, "viewer").role_slug == "owner"


def test_changing_somebody_who_has_just_left_says_so(cast: Cast) -> None:
    actor, seen = teams.Actor(member(cast, "owner"), Origin()), member(cast, "viewer")
    Membership.objects.filter(pk=seen.pk).delete()
    with pytest.raises(ValidationError, match="no longer a member"):
        teams.change_role(actor, seen, "operator")
    with pytest.raises(ValidationError, match="no longer a member"):
        teams.remove_member(actor, seen)


def test_adding_a_member_again_says_so_and_changes_nothing(cast: Cast, sign_in: SignIn) -> None:
    response = sign_in("owner").post(ADD, {"email": "viewer@acme.test", "role": "owner"})
    assert response.status_code == 422
    assert "already" in response.content.decode()
    assert member(cast, "viewer").role_slug == "viewer"


def test_an_administrator_makes_no_owner(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert client.post(ADD, {"email": "new@acme.test", "role": "owner"}).status_code == 422
    assert client.post(page(cast, "viewer"), {"role": "owner"}).status_code == 422
    assert client.post(page(cast, "administrator"), {"role": "owner"}).status_code == 422
    assert Membership.objects.filter(team=cast.team, role_slug="owner").count() == 1


def test_an_administrator_touches_no_owner(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert client.post(page(cast, "owner"), {"role": "viewer"}).status_code == 403
    assert client.post(page(cast, "owner", "remove/")).status_code == 403
    assert member(cast, "owner").role_slug == "owner"
    refused = (
        AuditRecord.objects.for_team(cast.team).filter(outcome="refused").values_list("operation", flat=True)
    )
    assert set(refused) == {"team.change_role", "team.remove_member"}


def test_an_owner_changes_a_role_and_it_counts_at_the_next_request(cast: Cast, sign_in: SignIn) -> None:
    lowered = sign_in("administrator")
    assert lowered.get("/acme/-/audit/").status_code == 200
    response = sign_in("owner").post(page(cast, "administrator"), {"role": "viewer"})
    assert response["Location"] == "/acme/-/members/"
    assert lowered.get("/acme/-/audit/").status_code == 403
    record = AuditRecord.objects.get(operation="team.change_role")
    assert (record.outcome, record.parameters) == ("done", {"from": "administrator", "to": "viewer"})


def test_a_removed_member_finds_nothing_at_the_next_request(cast: Cast, sign_in: SignIn) -> None:
    removed = sign_in("administrator")
    sign_in("owner").post(page(cast, "administrator", "remove/"))
    assert removed.get("/acme/-/members/").status_code == 404
    assert User.objects.filter(email="administrator@acme.test").exists()


def test_the_last_owner_can_be_neither_lowered_nor_removed(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    lowered = client.post(page(cast, "owner"), {"role": "viewer"})
    left = client.post(page(cast, "owner", "remove/"))
    assert (lowered.status_code, left.status_code) == (422, 422)
    assert "only one" in left.content.decode()
    assert member(cast, "owner").role_slug == "owner"


def test_an_owner_may_leave_when_there_is_another(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(cast, "administrator"), {"role": "owner"})
    assert client.post(page(cast, "owner", "remove/"))["Location"] == "/"
    assert client.get("/acme/-/members/").status_code == 404


def test_a_deactivated_owner_does_not_count_as_the_other_one(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(cast, "administrator"), {"role": "owner"})
    User.objects.filter(email="administrator@acme.test").update(is_active=False)
    assert client.post(page(cast, "owner", "remove/")).status_code == 422


def test_anybody_may_leave(cast: Cast, sign_in: SignIn) -> None:
    assert sign_in("viewer").post(page(cast, "viewer", "remove/"))["Location"] == "/"
    assert not Membership.objects.filter(team=cast.team, user=cast.members["viewer"]).exists()


def test_a_member_of_another_team_is_not_reached_through_the_own_one(cast: Cast, sign_in: SignIn) -> None:
    other = Membership.objects.get(team=cast.other_team)
    client = sign_in("owner")
    for rest in ("", "remove/", "link/"):
        assert client.get(f"/acme/-/members/{other.pk}/{rest}").status_code == 404
    client.post(f"/acme/-/members/{other.pk}/remove/")
    assert Membership.objects.filter(pk=other.pk).exists()


def test_an_unknown_role_is_refused(cast: Cast, sign_in: SignIn) -> None:
    assert sign_in("owner").post(page(cast, "viewer"), {"role": "emperor"}).status_code == 422
    assert member(cast, "viewer").role_slug == "viewer"


def test_the_password_never_shows_in_the_trail(cast: Cast, sign_in: SignIn) -> None:
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    rows: Any = [str(vars(record)) for record in AuditRecord.objects.all()]
    assert rows
    assert PASSWORD not in "".join(rows)
