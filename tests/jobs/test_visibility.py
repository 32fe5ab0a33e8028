"""Who sees a job, and what becomes of one whose starter, or whose connection, is no longer what it was."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import CustomRole, Membership
from console.connections.models import Connection
from console.jobs import actions
from console.jobs.models import Job

pytestmark = pytest.mark.django_db


def narrow(cast: Any, role: str, **narrowing: Any) -> None:
    Membership.objects.filter(team=cast.team, user=cast.members[role]).update(narrowing=narrowing)


@pytest.fixture
def jobs(cast: Any) -> dict[str, Job]:
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
            team=cast.team, connection=cast.connection, kind=kind, state=Job.State.RUNNING, params=params
        )
    return made


def seen(client: Any, cast: Any) -> tuple[set[int], str]:
    """The jobs in the list, and all that list, tray and first page say."""
    listed = client.get(cast.url("jobs/?format=csv"))
    pages = "".join(client.get(cast.url(part)).content.decode() for part in ("jobs/", "jobs/tray/", ""))
    lines = b"".join(listed.streaming_content).decode()
    found = {job.pk for job in Job.objects.all() if cast.url(f"jobs/{job.pk}/") in pages}
    return found, pages + lines


def test_a_member_of_the_whole_team_sees_every_job_that_their_role_reads(cast, emulator, sign_in, jobs):
    found, _text = seen(sign_in("viewer"), cast)
    assert found == {job.pk for job in jobs.values()}


def test_the_list_names_nobody_but_those_whose_jobs_are_in_it(cast, emulator, sign_in, jobs):
    """Who may not see the members is not told of them by a filter either."""
    Job.objects.filter(pk=jobs["mine"].pk).update(created_by=cast.members["operator"])
    Job.objects.filter(pk=jobs["theirs"].pk).update(started_by=cast.members["administrator"])
    narrow(cast, "viewer", products=["mine"])
    page = sign_in("viewer").get(cast.url("jobs/")).content.decode()
    assert "Operator" in page
    assert [name for name in ("Owner", "Administrator", "Release Engineer") if name in page] == []


def test_a_narrowed_member_sees_the_jobs_of_their_products_and_no_number_of_the_others(
    cast, emulator, sign_in, jobs
):
    narrow(cast, "viewer", products=["mine"])
    client = sign_in("viewer")
    found, text = seen(client, cast)
    assert found == {jobs["mine"].pk, jobs["watch"].pk}
    assert "Theirs_secret" not in text
    for part in ("", "live/", "result.csv", "findings.csv", "bad-lines.csv", "samples.json"):
        assert client.get(cast.url(f"jobs/{jobs['theirs'].pk}/{part}")).status_code == 404, part
        assert client.get(cast.url(f"jobs/{jobs['mine'].pk}/{part}")).status_code in (200, 302)
    narrow(cast, "viewer", groups=["some"])
    assert seen(client, cast)[0] == set(), "jobs are about products"


def test_a_narrowed_member_steers_no_job_out_of_reach(cast, emulator, sign_in, jobs):
    narrow(cast, "operator", products=["mine"])
    client = sign_in("operator")
    for part in ("start/", "columns/", "discard/", "cancel/", "again/"):
        assert client.post(cast.url(f"jobs/{jobs['theirs'].pk}/{part}")).status_code == 404, part
    client.post(cast.url(f"jobs/{jobs['mine'].pk}/cancel/"))
    states = dict(Job.objects.values_list("pk", "state"))
    assert states[jobs["theirs"].pk] == Job.State.RUNNING
    assert states[jobs["mine"].pk] == Job.State.CANCELING


def test_who_may_not_read_an_area_sees_no_job_of_it(cast, emulator, sign_in, jobs):
    levels = {"devices": 1, "products": 1}
    CustomRole.objects.create(team=cast.team, slug="devices-only", name="Devices only", levels=levels)
    Membership.objects.filter(user=cast.members["viewer"]).update(role_slug="devices-only")
    client = sign_in("viewer")
    pages = client.get(cast.url("jobs/")).content.decode()
    assert cast.url(f"jobs/{jobs['mine'].pk}/") in pages
    assert cast.url(f"jobs/{jobs['watch'].pk}/") not in pages
    assert client.get(cast.url(f"jobs/{jobs['watch'].pk}/")).status_code == 404
    assert client.get(cast.url(f"jobs/{jobs['approved'].pk}/")).status_code == 200
    CustomRole.objects.update(levels={"devices": 1})
    assert client.get(cast.url(f"jobs/{jobs['approved'].pk}/")).status_code == 404, "of the area products"


def test_a_registration_in_a_product_out_of_reach_is_not_begun(cast, product, sign_in):
    narrow(cast, "operator", products=["another"])
    answer = sign_in("operator").post(
        cast.url("jobs/register/?by=count"), {"product": product, "count": "3", "begins": ""}
    )
    assert answer.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize("narrowing", [{"products": ["another"]}, {"groups": ["some"]}, {"connections": [0]}])
def test_a_job_stops_when_its_starter_is_narrowed_while_it_runs(cast, started, drain, wire, narrowing):
    job = started(3)
    wire.after["BatchCheckDeviceNames"] = lambda answer: narrow(cast, "operator", **narrowing)
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "does not reach this any more" in job.why or "does not allow this any more" in job.why
    assert "BatchRegisterDeviceWithApplyId" not in wire.calls
    assert job.counts == {"canceled": 3}


def test_a_job_within_reach_of_a_narrowed_starter_comes_to_its_end(cast, started, drain, product):
    narrow(cast, "operator", products=[product])
    job = drain(started(3))
    assert (job.state, job.counts) == (Job.State.SUCCEEDED, {"created": 3})


@pytest.mark.parametrize("field", ["region", "instance_id", "access_key_id", "endpoint"])
def test_a_job_stops_when_its_connection_leads_elsewhere(cast, started, drain, wire, field):
    job = started(3)

    def move(answer: dict[str, Any]) -> None:
        Connection.objects.filter(pk=cast.connection.pk).update(**{field: "elsewhere"})

    wire.after["BatchCheckDeviceNames"] = move
    job = drain(job)
    assert job.state == Job.State.FAILED
    assert "another account, region or instance" in job.why
    assert wire.calls == ["BatchCheckDeviceNames"]


def test_the_secrets_of_a_registration_are_about_its_product(cast, started, drain, product):
    job = drain(started(2))
    secrets = actions.follow_up(job, cast.gateway("administrator"), "devices.secrets")
    assert secrets.params["product_key"] == product
