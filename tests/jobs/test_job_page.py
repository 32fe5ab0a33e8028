"""The page of a started job: progress, failures, actions, live parts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from console.areas.ota.jobs import monitor_batch
from console.jobs import actions
from console.jobs.listing import estimate_time_left
from console.jobs.models import Item, Job
from tests.responses import page_text

HTMX = {"HX-Request": "true"}


def test_a_canceled_job_does_not_count_unsent_items_as_done(start_registration, org, sign_in, run_job):
    job = start_registration(300)
    actions.cancel(job, org.members["operator"])
    job = run_job(job)
    assert (job.state, job.done) == (Job.State.CANCELED, 0)
    words = page_text(sign_in("operator").get(org.url(f"jobs/{job.pk}/")))
    assert "0 of 300" in words
    assert "Not sent 300" in words
    assert "Retry remaining items" in words


def test_failures_are_grouped_by_reason(start_registration, org, sign_in, run_job):
    job = start_registration(40)
    run_job(job)
    failed = Item.objects.filter(job=job)
    failed.filter(number__range=(2, 6)).update(outcome=Item.Outcome.FAILED, reason="Busy.")
    failed.filter(number__range=(7, 9)).update(outcome=Item.Outcome.UNCHANGED)
    counts = {"succeeded": 32, "failed": 5, "unchanged": 3}
    Job.objects.filter(pk=job.pk).update(state=Job.State.PARTIAL, counts=counts, succeeded=32, failed=8)
    page = sign_in("operator").get(org.url(f"jobs/{job.pk}/"))
    words = page_text(page)
    assert "5 Failed The platform rejected the device. Busy." in words
    assert "3 Already exists The product already has a device with this name." in words
    assert words.index("Failed 5") < words.index("Created 32"), "what failed is first"
    assert "?outcome=failed#" in page.content.decode()


def test_one_action_of_a_finished_job_is_primary(start_registration, org, sign_in, run_job):
    job = run_job(start_registration(3))
    content = sign_in("owner").get(org.url(f"jobs/{job.pk}/")).content.decode()
    head = content[content.index('id="job-actions"') : content.index('id="job-live"')]
    (primary,) = re.findall(r"<(?:a|button)[^>]*btn-primary[^>]*>(.*?)</(?:a|button)>", head, re.S)
    assert "Download results (CSV)" in primary


def test_the_side_card_follows_a_job_until_it_has_finished(start_registration, org, sign_in, run_job):
    job = start_registration(3)
    browser = sign_in("viewer")
    live = org.url(f"jobs/{job.pk}/live/")
    digest = browser.get(live, headers=HTMX).content.decode().split("?seen=")[1].split('"')[0]
    unchanged = browser.get(f"{live}?seen={digest}", headers=HTMX).content.decode()
    assert 'id="job-about"' not in unchanged
    assert 'id="job-actions"' not in unchanged, "an open menu would close"
    run_job(job)
    finished = browser.get(f"{live}?seen={digest}", headers=HTMX).content.decode()
    card = finished[finished.index('id="job-about"') :]
    assert "hx-swap-oob" in card
    assert "Ended" in card
    assert 'id="job-actions"' in finished


@pytest.mark.parametrize(
    ("done", "state", "is_known"), [(50, "running", True), (1, "running", False), (50, "canceling", False)]
)
def test_the_time_left_is_estimated_only_from_enough_items_of_a_running_job(
    start_registration, done, state, is_known
):
    job = start_registration(3)
    job.state, job.total, job.succeeded = state, 100, done
    job.started_at, job.advanced_at = timezone.now() - timedelta(seconds=10), timezone.now()
    assert (estimate_time_left(job) is not None) == is_known


def test_no_time_left_is_estimated_for_a_job_that_only_monitors(org, sign_in):
    job = monitor_batch(org.gateway("release-engineer"), "batch1", product_key="k1")
    started = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, total=100, succeeded=50, started_at=started)
    browser = sign_in("release-engineer")
    for address in (f"jobs/{job.pk}/", "jobs/tray/"):
        assert " left" not in page_text(browser.get(org.url(address)))
