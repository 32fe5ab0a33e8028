"""Who sees a job, and what becomes of one whose starter, or whose connection, is no longer what it was."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import CustomRole, Membership
from console.connections.models import Connection
from console.jobs import actions
from console.jobs.models import Job

pytestmark = pytest.mark.django_db


def narrow(org: Any, role: str, **access_scope: Any) -> None:
    Membership.objects.filter(team=org.team, user=org.members[role]).update(access_scope=access_scope)


@pytest.fixture
def jobs(org: Any) -> dict[str, Job]:
    """One job of each kind, about the products `mine` and `theirs`."""
    made = {}
    for name, kind, params in (
        ("mine", "devices.register", {"product_key": "mine", "product_name": "Mine"}),
        ("theirs", "devices.register", {"product_key": "theirs", "product_name": "Theirs_secret"}),
        ("watch", "ota.watch", {"product_key": "mine", "ota_job": "1"}),
        (
            "approved",
            "approvals.execute",
            {"approval": 0, "operation": "DeleteProduct", "target": "Theirs_secret"},
        ),
    ):
        made[name] = Job.objects.create(
            team=org.team, connection=org.connection, kind=kind, state=Job.State.RUNNING, params=params
        )
    return made


def seen(client: Any, org: Any) -> tuple[set[int], str]:
    """The jobs in the list, and all that list, tray and first page say."""
    listed = client.get(org.url("jobs/?format=csv"))
    pages = "".join(client.get(org.url(part)).content.decode() for part in ("jobs/", "jobs/tray/", ""))
    lines = b"".join(listed.streaming_content).decode()
    found = {job.pk for job in Job.objects.all() if org.url(f"jobs/{job.pk}/") in pages}
    return found, pages + lines


def test_a_member_of_the_whole_team_sees_every_job_that_their_role_reads(org, emulator, sign_in, jobs):
    found, _text = seen(sign_in("viewer"), org)
    assert found == {job.pk for job in jobs.values()}


def test_the_list_names_nobody_but_those_whose_jobs_are_in_it(org, emulator, sign_in, jobs):
    """Who may not see the members is not told of them by a filter either."""
    Job.objects.filter(pk=jobs["mine"].pk).update(created_by=org.members["operator"])
    Job.objects.filter(pk=jobs["theirs"].pk).update(started_by=org.members["administrator"])
    narrow(org, "viewer", products=["mine"])
    page = sign_in("viewer").get(org.url("jobs/")).content.decode()
    assert "Operator" in page
    assert [name for name in ("Owner", "Administrator", "Release Engineer") if name in page] == []


def test_a_narrowed_member_sees_the_jobs_of_their_products_and_no_number_of_the_others(
    org, emulator, sign_in, jobs
):
    narrow(org, "viewer", products=["mine"])
    client = sign_in("viewer")
    found, text = seen(client, org)
    assert found == {jobs["mine"].pk, jobs["watch"].pk}
    assert "Theirs_secret" not in text
    for part in ("", "live/", "result.csv", "findings.csv", "bad-lines.csv", "samples.json"):
        assert client.get(org.url(f"jobs/{jobs['theirs'].pk}/{part}")).status_code == 404, part
        assert client.get(org.url(f"jobs/{jobs['mine'].pk}/{part}")).status_code in (200, 302)
    narrow(org, "viewer", groups=["some"])
    assert seen(client, org)[0] == set(), "jobs are about products"


def test_a_narrowed_member_steers_no_job_out_of_reach(org, emulator, sign_in, jobs):
    narrow(org, "operator", products=["mine"])
    client = sign_in("operator")
    for part in ("start/", "columns/", "discard/", "cancel/", "again/"):
        assert client.post(org.url(f"jobs/{jobs['theirs'].pk}/{part}")).status_code == 404, part
    client.post(org.url(f"jobs/{jobs['mine'].pk}/cancel/"))
    states = dict(Job.objects.values_list("pk", "state"))
    assert states[jobs["theirs"].pk] == Job.State.RUNNING
    assert states[jobs["mine"].pk] == Job.State.CANCELING


def test_who_may_not_read_an_area_sees_no_job_of_it(org, emulator, sign_in, jobs):
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
    assert client.get(org.url(f"jobs/{jobs['approved'].pk}/")).status_code == 404, "of the area products"


def test_a_registration_in_a_product_out_of_reach_is_not_begun(org, product, sign_in):
    narrow(org, "operator", products=["another"])
    answer = sign_in("operator").post(
        org.url("jobs/register/?by=count"), {"product": product, "count": "3", "begins": ""}
    )
    assert answer.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "access_scope", [{"products": ["another"]}, {"groups": ["some"]}, {"connections": [0]}]
)
def test_a_job_stops_when_its_starter_is_narrowed_while_it_runs(org, started, drain, wire, access_scope):
    job = started(3)
    wire.after["BatchCheckDeviceNames"] = lambda answer: narrow(org, "operator", **access_scope)
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "does not reach this any more" in job.why or "does not allow this any more" in job.why
    assert "BatchRegisterDeviceWithApplyId" not in wire.calls
    assert job.counts == {"canceled": 3}


def test_a_job_within_reach_of_a_narrowed_starter_comes_to_its_end(org, started, drain, product):
    narrow(org, "operator", products=[product])
    job = drain(started(3))
    assert (job.state, job.counts) == (Job.State.SUCCEEDED, {"created": 3})


@pytest.mark.parametrize("field", ["region", "instance_id", "access_key_id", "endpoint"])
def test_a_job_stops_when_its_connection_leads_elsewhere(org, started, drain, wire, field):
    job = started(3)

    def move(answer: dict[str, Any]) -> None:
        Connection.objects.filter(pk=org.connection.pk).update(**{field: "elsewhere"})

    wire.after["BatchCheckDeviceNames"] = move
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "another account, region or instance" in job.why
    assert wire.calls == ["BatchCheckDeviceNames"]


def test_the_secrets_of_a_registration_are_about_its_product(org, started, drain, product):
    job = drain(started(2))
    secrets = actions.follow_up(job, org.gateway("administrator"), "devices.secrets")
    assert secrets.params["product_key"] == product
