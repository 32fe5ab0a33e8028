"""The visibility of jobs, and changes of the user who started a job or of its connection."""

from __future__ import annotations

from typing import Any

import pytest

from console.accounts.models import CustomRole, Membership
from console.approvals.params import ApprovalParams
from console.areas.devices.registration.actions import collect_secrets
from console.areas.devices.registration.params import RegistrationParams
from console.areas.ota.jobs import MonitoringParams
from console.connections.models import Connection
from console.jobs.actions import build_job
from console.jobs.models import Job

pytestmark = pytest.mark.django_db


def limit_member(org: Any, role: str, **access_scope: Any) -> None:
    Membership.objects.filter(team=org.team, user=org.members[role]).update(access_scope=access_scope)


@pytest.fixture
def jobs(org: Any) -> dict[str, Job]:
    """One job of each kind, for the products `mine` and `theirs`."""
    jobs_by_name = {}
    for name, kind, params in (
        ("mine", "devices.register", RegistrationParams("mine", "Mine", "file")),
        ("theirs", "devices.register", RegistrationParams("theirs", "Theirs_secret", "file")),
        ("watch", "ota.monitor", MonitoringParams("1", "mine")),
        ("approved", "approvals.execute", ApprovalParams(0, "DeleteProduct", "Theirs_secret")),
    ):
        job = build_job(
            kind, params, connection=org.connection, user=None, token=None, state=Job.State.RUNNING
        )
        job.save()
        jobs_by_name[name] = job
    return jobs_by_name


def read_visible_jobs(client: Any, org: Any) -> tuple[set[int], str]:
    """Return the IDs of the jobs on the pages, and the text of the list, its export, the tray and the home page."""
    listed = client.get(org.url("jobs/?format=csv"))
    pages = "".join(client.get(org.url(part)).content.decode() for part in ("jobs/", "jobs/tray/", ""))
    lines = b"".join(listed.streaming_content).decode()
    found = {job.pk for job in Job.objects.all() if org.url(f"jobs/{job.pk}/") in pages}
    return found, pages + lines


def test_a_member_with_full_scope_sees_every_job_that_their_role_may_read(org, emulator, sign_in, jobs):
    found, _text = read_visible_jobs(sign_in("viewer"), org)
    assert found == {job.pk for job in jobs.values()}


def test_the_user_filter_contains_only_users_of_visible_jobs(org, emulator, sign_in, jobs):
    """A member who may not see the members does not see them in a filter either."""
    Job.objects.filter(pk=jobs["mine"].pk).update(created_by=org.members["operator"])
    Job.objects.filter(pk=jobs["theirs"].pk).update(started_by=org.members["administrator"])
    limit_member(org, "viewer", products=["mine"])
    page = sign_in("viewer").get(org.url("jobs/")).content.decode()
    assert "Operator" in page
    assert [name for name in ("Owner", "Administrator", "Release Engineer") if name in page] == []


def test_a_limited_member_sees_only_jobs_of_their_products(org, emulator, sign_in, jobs):
    limit_member(org, "viewer", products=["mine"])
    client = sign_in("viewer")
    found, text = read_visible_jobs(client, org)
    assert found == {jobs["mine"].pk, jobs["watch"].pk}
    assert "Theirs_secret" not in text
    for address in (
        "jobs/{}/",
        "jobs/{}/live/",
        "jobs/{}/result.csv",
        "devices/registrations/{}/findings.csv",
        "devices/registrations/{}/invalid-rows.csv",
    ):
        assert client.get(org.url(address.format(jobs["theirs"].pk))).status_code == 404, address
        assert client.get(org.url(address.format(jobs["mine"].pk))).status_code in (200, 302)
    limit_member(org, "viewer", groups=["some"])
    assert read_visible_jobs(client, org)[0] == set(), "jobs belong to products"


def test_a_limited_member_cannot_control_jobs_out_of_scope(org, emulator, sign_in, jobs):
    limit_member(org, "operator", products=["mine"])
    client = sign_in("operator")
    for address in (
        "devices/registrations/{}/start/",
        "devices/registrations/{}/columns/",
        "jobs/{}/discard/",
        "jobs/{}/cancel/",
        "jobs/{}/retry/",
    ):
        assert client.post(org.url(address.format(jobs["theirs"].pk))).status_code == 404, address
    client.post(org.url(f"jobs/{jobs['mine'].pk}/cancel/"))
    states = dict(Job.objects.values_list("pk", "state"))
    assert states[jobs["theirs"].pk] == Job.State.RUNNING
    assert states[jobs["mine"].pk] == Job.State.CANCELING


def test_a_member_without_the_right_to_read_an_area_sees_no_jobs_of_it(org, emulator, sign_in, jobs):
    levels = {"devices": 1, "products": 1}
    CustomRole.objects.create(team=org.team, slug="devices-only", name="Devices only", levels=levels)
    Membership.objects.filter(user=org.members["viewer"]).update(role_slug="devices-only")
    client = sign_in("viewer")
    pages = client.get(org.url("jobs/")).content.decode()
    assert org.url(f"jobs/{jobs['mine'].pk}/") in pages
    assert org.url(f"jobs/{jobs['watch'].pk}/") not in pages
    assert client.get(org.url(f"jobs/{jobs['watch'].pk}/")).status_code == 404
    assert client.get(org.url(f"jobs/{jobs['approved'].pk}/")).status_code == 200
    CustomRole.objects.update(levels={"devices": 1})
    assert client.get(org.url(f"jobs/{jobs['approved'].pk}/")).status_code == 404, (
        "its operation is in the area products"
    )


def test_a_registration_in_a_product_out_of_scope_is_refused(org, product, sign_in):
    limit_member(org, "operator", products=["another"])
    response = sign_in("operator").post(
        org.url("devices/registrations/new/?by=count"), {"product": product, "count": "3", "name_prefix": ""}
    )
    assert response.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "access_scope", [{"products": ["another"]}, {"groups": ["some"]}, {"connections": [0]}]
)
def test_a_job_stops_when_the_scope_of_its_user_is_limited_during_the_job(
    org, start_registration, run_job, network, access_scope
):
    job = start_registration(3)
    network.after["BatchCheckDeviceNames"] = lambda response: limit_member(org, "operator", **access_scope)
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert "no longer in the access scope" in job.error_text or "no longer allows this" in job.error_text
    assert "BatchRegisterDeviceWithApplyId" not in network.calls
    assert job.counts == {"canceled": 3}


def test_a_job_in_the_scope_of_a_limited_user_succeeds(org, start_registration, run_job, product):
    limit_member(org, "operator", products=[product])
    job = run_job(start_registration(3))
    assert (job.state, job.counts) == (Job.State.SUCCEEDED, {"succeeded": 3})


@pytest.mark.parametrize("field", ["region", "instance_id", "access_key_id", "endpoint"])
def test_a_job_stops_when_its_connection_changes(org, start_registration, run_job, network, field):
    job = start_registration(3)

    def move(response: dict[str, Any]) -> None:
        Connection.objects.filter(pk=org.connection.pk).update(**{field: "elsewhere"})

    network.after["BatchCheckDeviceNames"] = move
    job = run_job(job)
    assert job.state == Job.State.FAILED
    assert "another account, region or instance" in job.error_text
    assert network.calls == ["BatchCheckDeviceNames"]


def test_the_secrets_job_has_the_product_of_its_registration(org, start_registration, run_job, product):
    job = run_job(start_registration(2))
    secrets = collect_secrets(job, org.gateway("administrator"))
    assert secrets.scope_key == product
