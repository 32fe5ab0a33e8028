"""Monitoring an update batch until it ends."""

from __future__ import annotations

import pytest

from console.areas.ota import api, jobs
from console.jobs import actions, engine
from console.jobs.listing import estimate_time_left, job_title
from console.jobs.models import Chunk, Job
from tests.responses import page_text
from tests.running_jobs import past_time


@pytest.fixture
def batch(org, fleet):
    """The ID of a running static batch."""
    gateway = org.gateway()
    for package in api.list_packages(gateway, size=100).packages:
        for found in api.list_batches(gateway, package.id, size=100).batches:
            if found.is_running and not found.is_dynamic and not found.is_verification:
                return found.id
    raise AssertionError("the sample fleet has no running batch")


def test_a_batch_is_monitored_until_it_ends_and_its_counts_are_recorded(org, batch, run_job, clock):
    job = jobs.monitor_batch(org.gateway("release-engineer"), batch, product_key="k1")
    run_job(job, rounds=3)
    assert job.state == Job.State.RUNNING
    assert job.total > 0
    org.gateway().call(
        "CancelOTATaskByJob",
        JobId=batch,
        CancelQueuedTask=True,
        CancelInProgressTask=True,
        CancelNotifiedTask=True,
        CancelUnconfirmedTask=True,
    )
    for _ in range(20):
        clock.advance(3600)
        run_job(job, rounds=2)
    job.refresh_from_db()
    assert job.is_finished
    assert jobs.MonitoringParams.read(job).status in {"COMPLETED", "CANCELED"}
    history = jobs.read_history(org.connection, batch)
    assert len(history) >= 2
    assert [sample.at for sample in history] == sorted(sample.at for sample in history)
    assert sum(history[-1].counts.values()) == job.total


def cancel_batch(org, batch: str) -> None:
    api.cancel_batch(org.gateway(), batch, ["QUEUED", "NOTIFIED", "IN_PROGRESS", "CONFIRM"])


def test_a_batch_that_a_user_cancels_is_a_canceled_job_without_failures(org, batch, run_job, clock):
    job = run_job(jobs.monitor_batch(org.gateway("release-engineer"), batch, product_key="k1"), rounds=2)
    cancel_batch(org, batch)
    for _ in range(20):
        clock.advance(3600)
        run_job(job, rounds=2)
    job.refresh_from_db()
    assert jobs.MonitoringParams.read(job).status == "CANCELED"
    assert job.state == Job.State.CANCELED
    assert job.failed == job.counts.get("FAILED", 0)
    assert job.counts["CANCELED"] > 0


def test_the_page_of_a_canceled_batch_does_not_show_the_counts_from_before(org, batch, run_job, sign_in):
    """The next count of the monitoring job takes some seconds, and the page of a batch that ended does not refresh itself."""
    run_job(jobs.monitor_batch(org.gateway("release-engineer"), batch, product_key="k1"), rounds=2)
    cancel_batch(org, batch)
    browser = sign_in("viewer")
    page = browser.get(org.url(f"ota/batches/{batch}/"))
    assert page.context["batch"].status == "CANCELED"
    assert page.context["counts"].total is None
    counted = browser.get(org.url(f"ota/batches/{batch}/counts/"), headers={"HX-Request": "true"}).context[
        "counts"
    ]
    assert counted.finished == counted.total


def test_a_batch_has_one_monitoring_job(org, batch):
    first = jobs.monitor_batch(org.gateway("release-engineer"), batch, product_key="k1")
    assert jobs.monitor_batch(org.gateway("owner"), batch, product_key="k1") == first
    assert Job.objects.count() == 1


def test_a_batch_can_be_monitored_again_after_its_job_ended(org, batch, run_job):
    first = jobs.monitor_batch(org.gateway("owner"), batch, product_key="k1")
    actions.cancel(first, org.members["owner"])
    assert run_job(first).state == Job.State.CANCELED
    second = jobs.monitor_batch(org.gateway("owner"), batch, product_key="k1")
    assert second != first
    run_job(second, rounds=1)
    assert len(jobs.read_history(org.connection, batch)) == 1


def test_the_polling_interval_grows_with_the_age_of_the_job(org, batch):
    from datetime import timedelta

    from django.utils import timezone

    job = jobs.monitor_batch(org.gateway("owner"), batch, product_key="k1")
    chunk = job.chunks.get()
    waits = []
    for age in (0, 1, 10, 48):
        Job.objects.update(started_at=timezone.now() - timedelta(hours=age))
        Chunk.objects.update(next_at=past_time())
        waits.append(round(engine.run_step(chunk.pk)))
    assert waits == [5, 60, 300, 300]


def test_a_deleted_batch_stops_its_monitoring_job_with_the_reason(org, emulator, run_job, sign_in):
    job = run_job(jobs.monitor_batch(org.gateway("owner"), "no-such-batch", product_key="k1"))
    assert job.state == Job.State.FAILED
    assert job.error["cloud"]["code"] in page_text(sign_in("viewer").get(org.url(f"jobs/{job.pk}/")))


def test_the_page_of_a_monitoring_job_shows_its_batch_and_counts(org, batch, run_job, sign_in):
    job = jobs.monitor_batch(org.gateway("owner"), batch, product_key="k1")
    run_job(job, rounds=2)
    browser = sign_in("viewer")
    page = browser.get(org.url(f"jobs/{job.pk}/"))
    assert batch in page_text(page)
    chart = browser.get(org.url(f"ota/batches/{batch}/history.json")).json()
    assert len(chart["x"]) == 2
    assert all(len(series["values"]) == 2 for series in chart["series"])


def test_a_member_who_may_only_read_updates_cannot_cancel_a_monitoring_job(org, batch, sign_in):
    job = jobs.monitor_batch(org.gateway("release-engineer"), batch, product_key="k1")
    for role in ("viewer", "operator"):
        assert sign_in(role).post(org.url(f"jobs/{job.pk}/cancel/")).status_code == 403
        assert "/cancel/" not in sign_in(role).get(org.url(f"jobs/{job.pk}/")).content.decode()
    sign_in("release-engineer").post(org.url(f"jobs/{job.pk}/cancel/"))
    job.refresh_from_db()
    assert job.state == Job.State.CANCELING


def test_the_title_names_the_package_as_soon_as_it_is_known(org, batch, run_job):
    job = jobs.monitor_batch(org.gateway(), batch, product_key="k1")
    assert job_title(job) == f"Monitoring batch {batch}"
    run_job(job, rounds=1)
    assert job_title(job) == f"Monitoring a batch of {api.get_batch(org.gateway(), batch).package_name}"


def test_what_was_finished_before_monitoring_does_not_count_for_the_remaining_time(org, batch, run_job):
    """A batch of 93 devices with 76 finished ones had 2 seconds left, one second after its monitoring had begun."""
    job = run_job(jobs.monitor_batch(org.gateway(), batch, product_key="k1"), rounds=1)
    assert 0 < job.done_at_start == job.done < job.total
    assert estimate_time_left(job) is None
