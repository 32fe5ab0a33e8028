"""Creates jobs: registrations of devices, which most tests about jobs use, and drafts of bulk actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from console.areas.devices.registration.actions import register_from_file
from console.areas.devices.registration.params import REGISTER_KIND, RegistrationParams
from console.connections.models import Connection
from console.jobs import actions
from console.jobs.models import Job
from console.pages.bulk_params import BULK_KIND, BulkParams
from tests.conftest import Organization

DATA = Path(__file__).parent / "data"  # files to register devices from


def create_registration(
    connection: Connection, product_key: str = "a1", product_name: str = "Meters", **fields: Any
) -> Job:
    """Create a registration with these fields of Job. It has neither items nor chunks."""
    params = RegistrationParams(product_key, product_name, "file")
    values = {"user": None, "token": None, "state": Job.State.QUEUED, **fields}
    job = actions.build_job(REGISTER_KIND, params, connection=connection, **values)
    job.save(force_insert=True)
    return job


def create_bulk_draft(org: Organization, product_key: str) -> Job:
    """Create a job that is ready to disable devices of a product. It has neither items nor chunks."""
    params = BulkParams("devices:bulk", "disable", "DisableThing", {}, scope_key=product_key)
    values = {"user": None, "token": None, "state": Job.State.READY, "total": 1}
    job = actions.build_job(BULK_KIND, params, connection=org.connection, **values)
    job.save(force_insert=True)
    return job


@pytest.fixture
def start_registration(org, meter_product):
    """Return a function that starts a registration of `count` devices, or of a CSV table, and returns the job."""

    def make(count: int = 3, role: str = "operator", table: str = "") -> Job:
        gateway = org.gateway(role)
        content = table or "name\n" + "".join(f"dev-{n:05d}\n" for n in range(count))
        job = register_from_file(gateway, meter_product, "Meters", [content.encode()], "d.csv")
        assert actions.start(job, gateway)
        job.refresh_from_db()
        return job

    return make


@pytest.fixture
def upload_registration(org, sign_in, meter_product):
    """Return a function that uploads a file as an operator or with another role, and returns the response."""

    def send(content: bytes, name: str = "devices.csv", role: str = "operator", follow: bool = True):
        data = {"product": meter_product, "file": SimpleUploadedFile(name, content)}
        return sign_in(role).post(org.url("devices/registrations/new/"), data, follow=follow)

    return send


def device_count(org, product: str) -> int:
    return org.gateway().call("QueryProduct", ProductKey=product, fresh=True)["Data"]["DeviceCount"]
