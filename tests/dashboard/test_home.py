"""The overview page of a connection, and the health check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from console.accounts.models import CustomRole
from console.audit.models import AuditRecord
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork
from tests.registrations import create_registration

SignIn = Callable[[str], Client]
HOME = "/acme/sandbox/"


def test_the_page_shows_device_numbers_with_few_calls(
    fleet: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    text = sign_in("viewer").get(HOME).content.decode()
    assert len(network.calls) <= 4
    assert "300" in text
    assert "Smart_Meter_DDS720" in text


def test_an_empty_account_shows_what_to_do_next(emulator: Any, org: Organization, sign_in: SignIn) -> None:
    text = sign_in("owner").get(HOME).content.decode()
    assert "No products yet" in text
    assert "No jobs yet" in text


def test_a_part_that_fails_shows_its_error_and_the_other_parts_are_shown(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    fleet.faults.add("ListOTAFirmware", "error", code="iot.common.RamActionPermissionDeny", status=200)
    response = sign_in("viewer").get(HOME)
    text = response.content.decode()
    assert response.status_code == 200
    assert "iot.common.RamActionPermissionDeny" in text
    assert "Smart_Meter_DDS720" in text


def test_when_all_parts_fail_the_error_is_shown_once(fleet: Any, org: Organization, sign_in: SignIn) -> None:
    fleet.faults.add("*", "malformed", times=9)
    response = sign_in("viewer").get(HOME)
    assert response.content.decode().count("fd-cloud-error-title") == 1
    assert "No products yet" not in response.content.decode()


def test_changes_of_others_are_shown_only_to_members_who_may_read_the_audit_trail(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    for role, target in (("operator", "by-the-operator"), ("viewer", "by-the-viewer")):
        AuditRecord.objects.create(
            team=org.team,
            actor=org.members[role],
            actor_label=role,
            operation="CreateProduct",
            target=target,
            connection="sandbox",
        )
    viewers, owners = (sign_in(role).get(HOME).content.decode() for role in ("viewer", "owner"))
    assert "by-the-viewer" in viewers
    assert "by-the-operator" not in viewers
    assert "by-the-operator" in owners


@pytest.mark.parametrize(
    ("role", "offered"), [("viewer", 0), ("operator", 3), ("release-engineer", 1), ("administrator", 4)]
)
def test_shortcuts_are_those_that_the_role_allows(
    emulator: Any, org: Organization, sign_in: SignIn, role: str, offered: int
) -> None:
    assert len(sign_in(role).get(HOME).context["shortcuts"]) == offered


def test_jobs_of_the_connection_are_listed_newest_first(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    for connection in (org.connection, org.other_connection):
        for _ in range(7):
            create_registration(connection)
    shown = [job for job, _title in sign_in("viewer").get(HOME).context["jobs"]]
    assert [job.connection_id for job in shown] == [org.connection.pk] * 5
    assert shown == sorted(shown, key=lambda job: -job.pk)


def test_healthz_reveals_only_whether_the_service_works(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}
    assert "no-store" in Client().get("/healthz")["Cache-Control"]

    def broken(*args: Any) -> Any:
        raise RuntimeError("a detail that must not be shown")

    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "cursor", broken)
        response = Client().get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable"}


def test_healthz_responses_to_an_ip_address_and_without_tls(db: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz", headers={"Host": "10.0.0.7:8600"}).status_code == 200
    assert Client().get("/accounts/login/", headers={"Host": "10.0.0.7:8600"}).status_code == 400


@pytest.mark.parametrize("levels", [{"devices": 2}, {"products": 1}, {"groups": 1}, {"ota": 1}, {}])
def test_every_member_sees_the_parts_of_the_page_that_their_role_may_read(
    fleet: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn, levels: dict[str, int]
) -> None:
    CustomRole.objects.create(team=org.team, slug="line", name="Factory line", levels=levels)
    org.team.memberships.filter(user=org.members["viewer"]).update(role_slug="line")
    response = sign_in("viewer").get(HOME)
    text = response.content.decode()
    assert response.status_code == 200
    assert ("Newest products" in text) == ("products" in levels)
    assert ("Newest update packages" in text) == ("ota" in levels)
    assert ("not activated" in text) == ("devices" in levels)
    assert "fd-cloud-error-title" not in text
