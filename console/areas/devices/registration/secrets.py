"""The steps of a job that collects the secrets of the devices of a registration."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from console.areas.devices.registration import applications
from console.jobs.kinds import StepResult
from console.jobs.models import Chunk, Item, Job, Secret
from console.jobs.work import Work

CREATED = (Item.Outcome.SUCCEEDED, Item.Outcome.PARTIAL)
"""The outcomes of items whose devices exist."""
_PAGES_PER_STEP = 20  # QueryPageByApplyId calls in one step: the limit is 50 per second


def create_chunks(work: Work) -> StepResult:
    """Create a chunk for each application of the registration."""
    registration = work.job.parent

    def write(job: Job) -> None:
        apply_ids = [
            apply_id
            for data in (registration.chunks.values_list("data", flat=True) if registration else ())
            for apply_id in data.get("apply_ids", ())
        ]
        job.chunks.exclude(number=0).delete()
        Chunk.objects.bulk_create(
            Chunk(job=job, number=at, step="collect", data={"apply_id": apply_id, "page": 1})
            for at, apply_id in enumerate(apply_ids, start=1)
        )
        job.total = (
            Item.objects.filter(job=registration, outcome__in=CREATED).count()
            if registration and apply_ids
            else 0
        )

    return StepResult(done=True, write=write)


def collect_secrets(work: Work) -> StepResult:
    """Read some pages of an application's devices with their secrets; store the secrets encrypted until they expire."""
    page, collected = work.data["page"], work.chunk.counts.get("collected", 0)
    secrets: dict[str, str] = {}
    is_last_page = False
    for _page in range(_PAGES_PER_STEP):
        devices, total = applications.list_devices(work.gateway, work.data["apply_id"], page, reveal=True)
        secrets |= {device.name: device.secret for device in devices if device.secret}
        page += 1
        is_last_page = not devices or (page - 1) * 50 >= total
        if is_last_page:
            break

    def write(job: Job) -> None:
        if job.parent_id is None:
            return
        expires = timezone.now() + timedelta(hours=settings.JOBS_SECRET_HOURS)
        Secret.objects.bulk_create(
            [
                Secret(job_id=job.parent_id, key=name, value=value, expires_at=expires)
                for name, value in secrets.items()
            ],
            update_conflicts=True,
            unique_fields=["job", "key"],
            update_fields=["value", "expires_at"],
        )

    return StepResult(
        done=is_last_page, data={"page": page}, write=write, counts={"collected": collected + len(secrets)}
    )
