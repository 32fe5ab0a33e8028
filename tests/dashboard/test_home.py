"""The overview page of a connection, and the health check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from console.accounts.models import CustomRole
from console.areas.ota import api as ota
from console.areas.ota import batch_tasks
from console.areas.ota.jobs import monitor_batch
from console.audit.models import AuditRecord
from console.jobs.models import Job, Sample
from tests.conftest import Organization
from tests.populated import PopulatedTeam
from tests.recorded_calls import RecordedNetwork
from tests.registrations import create_registration

SignIn = Callable[[str], Client]
HOME = "/acme/sandbox/"


def test_the_page_shows_device_numbers_with_few_calls(
    fleet: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("viewer").get(HOME)
    assert sorted(network.calls) == ["ListOTAFirmware", "QueryDeviceStatistics", "QueryProductList"]
    assert "<b>300</b> devices" in response.content.decode()
    assert "<b>6</b> products" in response.content.decode()


def test_the_parts_of_the_bar_add_up_to_all_devices_and_each_leads_to_its_list(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("viewer").get(HOME)
    segments = response.context["segments"]
    assert sum(segment.count for segment in segments) == response.context["devices"].total == 300
    assert sum(segment.width for segment in segments) == pytest.approx(1000)
    for segment, status in zip(segments, ("ONLINE", "OFFLINE", "UNACTIVE"), strict=True):
        assert f'href="{org.url("devices/")}?status={status}"' in response.content.decode()
        listed = sign_in("viewer").get(segment.url)
        assert listed.status_code == 200
        assert listed.context["filters"].values["status"] == status


@pytest.mark.parametrize("count", [1, 2])
def test_the_parts_of_a_limited_member_lead_to_lists_that_they_can_open(
    fleet: Any, org: Organization, sign_in: SignIn, count: int
) -> None:
    listed = org.gateway().call("QueryProductList", CurrentPage=1, PageSize=count)
    keys = [product["ProductKey"] for product in listed["Data"]["List"]["ProductInfo"]]
    org.team.memberships.filter(user=org.members["viewer"]).update(access_scope={"products": keys})
    browser = sign_in("viewer")
    for segment in browser.get(HOME).context["segments"]:
        assert (keys[0] in segment.url) == (count == 1)
        page = browser.get(segment.url)
        assert page.status_code == 200
        assert not page.context["bad_text"]


def test_the_chart_of_a_new_connection_has_one_measurement_without_further_calls(
    fleet: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    browser = sign_in("viewer")
    assert f'data-src="{HOME}device-history.json"' in browser.get(HOME).content.decode()
    made = len(network.calls)
    data = browser.get(f"{HOME}device-history.json").json()
    assert sum(series["values"][0] for series in data["series"]) == 300
    assert len(data["x"]) == 1
    assert len(network.calls) == made


def test_an_empty_account_shows_that_there_is_nothing_yet(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    text = sign_in("owner").get(HOME).content.decode()
    assert "<b>0</b> devices" in text
    assert "Checking running batches…" in text
    assert "Nothing needs attention." in sign_in("owner").get(f"{HOME}failing-batches/").content.decode()
    assert "No jobs yet" in text
    assert "No changes yet" in text


def test_update_packages_that_are_not_verified_need_attention(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("viewer").get(HOME)
    found = {notice.title: (notice.text, notice.tone) for notice in response.context["notices"]}
    assert found["light-1_8_0"][0].startswith("Verification failed")
    assert found["light-1_8_0"][1] == "bad"
    assert "meter-2_1_0" not in found, "it is verified"


def test_failed_jobs_of_the_last_days_need_attention_until_a_retry_succeeds(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    now = timezone.now()
    failed = create_registration(org.connection, state=Job.State.PARTIAL, finished_at=now, total=9, failed=2)
    create_registration(org.connection, state=Job.State.FAILED, finished_at=now - timedelta(days=8))
    create_registration(org.connection, state=Job.State.SUCCEEDED, finished_at=now)
    create_registration(org.other_connection, state=Job.State.FAILED, finished_at=now)
    (notice,) = sign_in("viewer").get(HOME).context["notices"]
    assert (notice.text, notice.url) == ("2 of 9 failed", org.url(f"jobs/{failed.pk}/"))
    create_registration(org.connection, state=Job.State.SUCCEEDED, finished_at=now, parent=failed)
    assert sign_in("viewer").get(HOME).context["notices"] == []


def start_monitoring(org: Organization, **values: Any) -> Job:
    job = monitor_batch(org.gateway(), "batch-1", product_key="k1")
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, started_at=timezone.now(), **values)
    job.refresh_from_db()
    return job


def test_a_batch_with_failures_needs_attention_while_it_runs(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    start_monitoring(org, total=10, succeeded=3, failed=1)
    response = sign_in("viewer").get(HOME)
    (notice,) = response.context["notices"]
    assert (notice.text, notice.url) == ("1 of 10 failed", org.url("ota/batches/batch-1/"))
    assert "4 / 10" in response.content.decode()


@pytest.mark.parametrize(
    ("before", "is_stuck"), [({"QUEUED": 9}, True), ({"QUEUED": 8, "SUCCEEDED": 1}, False)]
)
def test_a_batch_without_progress_for_an_hour_needs_attention(
    emulator: Any, org: Organization, sign_in: SignIn, before: dict[str, int], is_stuck: bool
) -> None:
    job = start_monitoring(org, total=9)
    Sample.objects.create(job=job, counts=before, at=timezone.now() - timedelta(minutes=61))
    Sample.objects.create(job=job, counts={"QUEUED": 9}, at=timezone.now())
    notices = sign_in("viewer").get(HOME).context["notices"]
    assert [notice.text for notice in notices] == ["No progress for more than an hour"] * is_stuck


def test_a_request_for_approval_needs_attention_of_those_who_may_decide(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    def find_titles(role: str) -> list[str]:
        return [notice.title for notice in sign_in(role).get(populated.org.url()).context["notices"]]

    assert "1 request for approval" in find_titles("administrator")
    assert "1 request for approval" not in find_titles("viewer")


def test_a_part_that_fails_shows_its_error_and_the_other_parts_are_shown(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    fleet.faults.add("ListOTAFirmware", "error", code="iot.common.RamActionPermissionDeny", status=200)
    response = sign_in("viewer").get(HOME)
    text = response.content.decode()
    assert response.status_code == 200
    assert "iot.common.RamActionPermissionDeny" in text
    assert "<b>300</b> devices" in text


def test_when_all_parts_fail_the_error_is_shown_once(fleet: Any, org: Organization, sign_in: SignIn) -> None:
    fleet.faults.add("*", "malformed", times=9)
    response = sign_in("viewer").get(HOME)
    assert response.content.decode().count("fd-cloud-error-title") == 1
    assert "dash-total" not in response.content.decode()


def read_failing_batches(org: Organization) -> dict[str, int]:
    """The running batches of the sample fleet with failed devices, and the numbers of these."""
    gateway = org.gateway()
    failing = {}
    for package in ota.list_packages(gateway, size=8).packages:
        for batch in ota.list_batches(gateway, package.id).batches:
            failed = batch_tasks.get_batch_with_tasks(gateway, batch.id, status="FAILED")[1].total
            if batch.status == "IN_PROGRESS" and failed:
                failing[batch.id] = failed
    return failing


def test_running_batches_with_failures_need_attention_also_if_they_are_not_monitored(
    fleet: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    failing = read_failing_batches(org)
    assert failing
    browser = sign_in("viewer")
    assert f'hx-get="{HOME}failing-batches/?others=1"' in browser.get(HOME).content.decode()
    network.calls.clear()
    response = browser.get(f"{HOME}failing-batches/?others=1")
    assert len(network.calls) <= 17
    notices = {notice.url: notice for notice in response.context["notices"]}
    assert set(notices) == {org.url(f"ota/batches/{batch_id}/") for batch_id in failing}
    for batch_id, failed in failing.items():
        assert notices[org.url(f"ota/batches/{batch_id}/")].text == f"{failed} failed"


def test_a_batch_whose_monitoring_reports_its_failures_is_there_once(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    batch_id = next(iter(read_failing_batches(org)))
    product = ota.get_batch(org.gateway(), batch_id).batch.product_key
    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key=product)
    Job.objects.filter(pk=job.pk).update(failed=3, total=9)
    browser = sign_in("viewer")
    url = org.url(f"ota/batches/{batch_id}/")
    assert [notice.url for notice in browser.get(HOME).context["notices"]].count(url) == 1
    found = browser.get(f"{HOME}failing-batches/").context["notices"]
    assert url not in [notice.url for notice in found]


def test_batches_that_cannot_be_checked_are_not_said_to_be_fine(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    fleet.faults.add("*", "malformed", times=20)
    text = sign_in("viewer").get(f"{HOME}failing-batches/").content.decode()
    assert "could not be checked" in text
    assert "Nothing needs attention" not in text


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
def test_the_menu_to_create_has_what_the_role_allows(
    emulator: Any, org: Organization, sign_in: SignIn, role: str, offered: int
) -> None:
    response = sign_in(role).get(HOME)
    assert len(response.context["shortcuts"]) == offered
    assert ("create-menu" in response.content.decode()) == bool(offered)


def record_change(org: Organization, operation: str, target: str = "", **values: Any) -> None:
    AuditRecord.objects.create(
        team=org.team, operation=operation, target=target, connection="sandbox", outcome="done", **values
    )


def test_a_job_is_one_change_whatever_calls_it_made(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    job = create_registration(org.connection, state=Job.State.SUCCEEDED, finished_at=timezone.now())
    record_change(org, "CreateDeviceGroup", "Street")
    for _ in range(120):
        record_change(org, "BatchRegisterDeviceWithApplyId", "k1", job=job.pk)
    record_change(org, "CreateProduct", "Lamp")
    changes = sign_in("owner").get(HOME).context["changes"]
    product, registration, group = changes
    assert (product.text, group.text) == ("Created product Lamp", "Created group Street")
    assert registration.url == org.url(f"jobs/{job.pk}/")
    assert product.url == f"/acme/-/audit/{AuditRecord.objects.get(target='Lamp').pk}/"


def test_exports_and_tests_of_keys_are_no_changes(emulator: Any, org: Organization, sign_in: SignIn) -> None:
    for operation in ("devices.export", "jobs.export", "connection.test"):
        record_change(org, operation)
    record_change(org, "connection.edit", "Sandbox")
    assert [change.text for change in sign_in("owner").get(HOME).context["changes"]] == [
        "Edited connection Sandbox"
    ]


def test_jobs_of_the_connection_are_listed_running_ones_first_then_the_newest(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    now, states = timezone.now(), (Job.State.RUNNING, Job.State.SUCCEEDED)
    for connection in (org.connection, org.other_connection):
        for number in range(8):
            state = states[number > 1]
            create_registration(connection, state=state, finished_at=now if number > 1 else None)
    shown = [job for job, _title, _url in sign_in("viewer").get(HOME).context["jobs"]]
    assert [job.connection_id for job in shown] == [org.connection.pk] * 5
    assert shown == sorted(shown, key=lambda job: (not job.is_active, -job.pk))
    assert [job.is_active for job in shown].count(True) == 2


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
    assert ("</b> products" in text) == ("products" in levels)
    assert ("Verification failed" in text) == ("ota" in levels)
    assert ("Not activated" in text) == ("devices" in levels)
    assert ("device-history.json" in text) == ("devices" in levels)
    assert "fd-cloud-error-title" not in text


@pytest.mark.parametrize("groups", [[], ["g1"]])
def test_members_limited_to_products_see_the_batches_of_these(
    fleet: Any, org: Organization, sign_in: SignIn, groups: list[str]
) -> None:
    batch_id = next(iter(read_failing_batches(org)))
    product = ota.get_batch(org.gateway(), batch_id).batch.product_key
    scope = {"products": [product], "groups": groups}
    org.team.memberships.filter(user=org.members["viewer"]).update(access_scope=scope)
    browser = sign_in("viewer")
    assert "failing-batches/" in browser.get(HOME).content.decode()
    notices = browser.get(f"{HOME}failing-batches/").context["notices"]
    assert org.url(f"ota/batches/{batch_id}/") in [notice.url for notice in notices]


def test_members_limited_to_groups_see_no_batches_and_ask_for_none(
    fleet: Any, org: Organization, sign_in: SignIn
) -> None:
    org.team.memberships.filter(user=org.members["viewer"]).update(access_scope={"groups": ["g1"]})
    browser = sign_in("viewer")
    assert "failing-batches/" not in browser.get(HOME).content.decode()
    assert browser.get(f"{HOME}failing-batches/").status_code == 403
