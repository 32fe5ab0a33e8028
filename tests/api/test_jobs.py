"""Jobs that programs start: with the token's permissions, while the token is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import RestrictedError
from django.test import Client

from console.accounts.models import ApiToken, Membership
from console.approvals import actions as approvals
from console.approvals.models import ApprovalRequest
from console.areas.devices import api as devices
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.connections.gateway import Gateway
from console.jobs import kinds
from console.jobs.models import Job
from console.teams.tokens.lifecycle import revoke_token
from iot_client.errors import NotFound
from tests.api.expectations import find_names
from tests.api_programs import CreateProgram, Program
from tests.conftest import Organization
from tests.populated import PopulatedTeam
from tests.running_jobs import run_until_step


def register(program: Program, product_key: str, count: int = 3, **more: Any) -> Any:
    names = [{"name": f"api-{number:05d}", "nickname": f"Meter_{number}"} for number in range(count)]
    return program.post("sandbox/registrations", {"product_key": product_key, "devices": names, **more})


def test_many_devices_are_registered_and_each_has_a_result(
    org: Organization, create_program: CreateProgram, meter_product: str, run_job: Any
) -> None:
    program = create_program("owner", "operator")
    job = register(program, meter_product).json()
    assert job["status"] == "queued"
    assert job["user"] == "owner@acme.test"
    run_job(Job.objects.get(pk=job["id"]))
    finished = program.get(f"sandbox/jobs/{job['id']}").json()
    assert (finished["status"], finished["succeeded"], finished["failed"]) == ("succeeded", 3, 0)
    items = program.get(f"sandbox/jobs/{job['id']}/items?status=succeeded&limit=2").json()
    assert [item["key"] for item in items["items"]] == ["api-00000", "api-00001"]
    assert items["total"] == 3
    result = b"".join(program.get(f"sandbox/jobs/{job['id']}/results").streaming_content).decode("utf-8-sig")
    assert len(result.splitlines()) == 4
    assert program.get(f"sandbox/devices/{meter_product}/api-00002").json()["nickname"] == "Meter_2"
    record = AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId").get()
    assert record.token == program.credentials.token.label


def test_a_list_with_an_invalid_row_is_not_started_automatically(
    org: Organization, create_program: CreateProgram, meter_product: str
) -> None:
    program = create_program("owner", "operator")
    listed = [{"name": "api-00001"}, {"name": "no good name"}]
    job = program.post("sandbox/registrations", {"product_key": meter_product, "devices": listed}).json()
    assert (job["status"], job["total"], job["skipped"]) == ("ready", 1, 1)
    items = program.get(f"sandbox/jobs/{job['id']}/items?status=skipped").json()["items"]
    assert items[0]["key"] == "no good name"
    assert items[0]["reason"]
    assert program.post(f"sandbox/jobs/{job['id']}/start").json()["status"] == "queued"
    assert program.post(f"sandbox/jobs/{job['id']}/start").status_code == 409
    assert program.post(f"sandbox/jobs/{job['id']}/cancel").json()["status"] == "canceling"
    assert program.post(f"sandbox/jobs/{job['id']}/cancel").status_code == 409


def test_a_job_can_be_created_without_starting_it_and_deleted(
    org: Organization, create_program: CreateProgram, meter_product: str
) -> None:
    program = create_program("owner", "operator")
    job = register(program, meter_product, start=False).json()
    assert job["status"] == "ready"
    assert program.send("DELETE", f"sandbox/jobs/{job['id']}").status_code == 204
    assert program.get(f"sandbox/jobs/{job['id']}").status_code == 404


def test_an_unreadable_file_is_rejected(
    org: Organization, create_program: CreateProgram, meter_product: str
) -> None:
    program = create_program("owner", "operator")
    response = Client().post(
        "/api/v1/sandbox/registrations/upload",
        {"product_key": meter_product, "file": SimpleUploadedFile("x.csv", b"\x00\x01\x02")},
        headers={"Authorization": f"Bearer {program.credentials.key}"},
    )
    assert (response.status_code, response.json()["status"]) == (202, "rejected")
    assert response.json()["reason"]


@pytest.mark.parametrize("end", ["revoked", "lowered", "left"])
def test_a_job_stops_when_its_token_loses_the_permission(
    org: Organization, create_program: CreateProgram, meter_product: str, clock: Any, run_job: Any, end: str
) -> None:
    program = create_program("administrator", "operator", name="nightly")
    job = Job.objects.get(pk=register(program, meter_product).json()["id"])
    run_until_step(job, "register", clock)
    if end == "revoked":
        revoke_token(program.credentials.token, org.members["administrator"], Origin())
    elif end == "lowered":
        ApiToken.objects.update(role_slug="viewer")
    else:
        Membership.objects.filter(user=org.members["administrator"]).delete()
    job = run_job(job)
    assert job.state == Job.State.FAILED
    words = {"revoked": "was revoked", "lowered": "no longer allows", "left": "no longer a member"}
    assert words[end] in job.error_text
    with pytest.raises(NotFound):
        devices.get_device(org.gateway(), meter_product, "api-00000", fresh=True)


def test_a_user_who_starts_the_draft_of_a_program_acts_with_their_own_permissions(
    org: Organization, create_program: CreateProgram, meter_product: str, run_job: Any, sign_in: Any
) -> None:
    program = create_program("owner", "operator")
    job = Job.objects.get(pk=register(program, meter_product, start=False).json()["id"])
    revoke_token(program.credentials.token, org.members["owner"], Origin())
    sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/start/"))
    job = run_job(job)
    assert (job.state, job.token) == (Job.State.SUCCEEDED, None)


def test_a_token_with_jobs_cannot_be_deleted(
    org: Organization, create_program: CreateProgram, meter_product: str
) -> None:
    program = create_program("owner", "operator")
    register(program, meter_product)
    with pytest.raises(RestrictedError):
        ApiToken.objects.get().delete()


def test_programs_cannot_collect_secrets(
    org: Organization, create_program: CreateProgram, meter_product: str, run_job: Any
) -> None:
    program = create_program("owner", "administrator")
    membership = Membership.objects.select_related("team", "user").get(user=org.members["owner"])
    gateway = Gateway(
        actor=membership.user,
        membership=membership.limit_to_token(program.credentials.token),
        connection=org.connection,
        reauthenticated=True,
    )
    assert not gateway.reveals("QueryDeviceInfo")
    assert gateway.allows("QueryDeviceInfo")
    assert not kinds.get("devices.secrets").is_allowed(gateway)


# -- approval ----------------------------------------------------------------------------------------------------------


def test_an_operation_that_a_rule_holds_waits_for_approval(
    populated: PopulatedTeam, create_program: CreateProgram, run_job: Any, set_rules: Callable[..., None]
) -> None:
    org, names = populated.org, find_names(populated)
    ApprovalRequest.objects.all().delete()
    set_rules(deletion=0)
    program = create_program("operator", "operator")
    path = f"sandbox/devices/{names['product_key']}/{names['name']}"
    response = program.send("DELETE", path, **{"Approval-Reason": "Broken in the field"})
    assert response.status_code == 202
    approval = response.json()
    assert (approval["status"], approval["reason"], approval["operation"]) == (
        "waiting",
        "Broken in the field",
        "DeleteDevice",
    )
    assert response["Location"] == approval["url"]
    assert populated.upstream.writes == []
    assert program.send("DELETE", path).json()["id"] == approval["id"], (
        "an identical request is not created twice"
    )
    current = program.get(approval["url"].partition("/api/v1/")[2])
    assert current.json()["status"] == "waiting"
    assert (
        create_program("outsider", "administrator").get(f"sandbox/approvals/{approval['id']}").status_code
        == 404
    )
    request = ApprovalRequest.objects.get(pk=approval["id"])
    approvals.approve(request, org.gateway("administrator"), seen=request.digest)
    run_job(ApprovalRequest.objects.get(pk=approval["id"]).job)
    assert program.get(f"sandbox/approvals/{approval['id']}").json()["status"] == "done"
    assert program.get(path).status_code == 404
