"""Creates jobs without running them: registrations, the jobs of most tests about jobs, and drafts of bulk actions."""

from __future__ import annotations

from typing import Any

from console.areas.devices.registration.params import REGISTER_KIND, RegistrationParams
from console.connections.models import Connection
from console.jobs.actions import build_job
from console.jobs.models import Job
from console.pages.bulk_params import BULK_KIND, BulkParams
from tests.conftest import Organization


def create_registration(
    connection: Connection, product_key: str = "a1", product_name: str = "Meters", **fields: Any
) -> Job:
    """Create a registration with these fields of Job. It has neither items nor chunks."""
    params = RegistrationParams(product_key, product_name, "file")
    values = {"user": None, "token": None, "state": Job.State.QUEUED, **fields}
    job = build_job(REGISTER_KIND, params, connection=connection, **values)
    job.save(force_insert=True)
    return job


def create_bulk_draft(org: Organization, product_key: str) -> Job:
    """Create a job that is ready to disable devices of a product. It has neither items nor chunks."""
    params = BulkParams("devices:bulk", "disable", "DisableThing", {}, scope_key=product_key)
    values = {"user": None, "token": None, "state": Job.State.READY, "total": 1}
    job = build_job(BULK_KIND, params, connection=org.connection, **values)
    job.save(force_insert=True)
    return job
