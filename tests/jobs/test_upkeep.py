"""What is kept, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.access.models import AuditRecord
from console.jobs import actions
from console.jobs.models import Chunk, Event, Job, Part, Row, Secret
from console.jobs.upkeep import tidy


def ended(job: Job, days: int) -> None:
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=days))


def test_drafts_that_nobody_starts_are_deleted_with_their_file(upload):
    upload(b"name\ndev-0001\nx\n")
    tidy()
    Job.objects.get()
    Job.objects.update(created_at=timezone.now() - timedelta(hours=25))
    tidy()
    for model in (Job, Row, Part, Chunk):
        assert not model.objects.exists()


def test_jobs_that_ended_long_ago_are_deleted_and_the_audit_trail_stays(started, drain, settings, org):
    settings.JOBS_KEEP_DAYS = 30
    old, young = drain(started(3)), drain(started(3))
    run = actions.follow_up(old, org.gateway("owner"), "devices.secrets")
    drain(run)
    audited = AuditRecord.objects.filter(job=old.pk).count()
    assert audited
    ended(old, 31)
    ended(young, 29)
    tidy()
    assert set(Job.objects.all()) == {young, run}
    assert Row.objects.count() == young.total
    assert not Secret.objects.exists()
    assert not Event.objects.filter(job=old.pk).exists()
    assert AuditRecord.objects.filter(job=old.pk).count() == audited


def test_a_job_stays_as_long_as_another_one_works_on_it(started, drain, settings, org):
    settings.JOBS_KEEP_DAYS = 30
    old = drain(started(3))
    run = actions.follow_up(old, org.gateway("owner"), "devices.secrets")
    ended(old, 31)
    tidy()
    assert drain(run).succeeded == 3


def test_with_no_days_given_jobs_are_kept_for_ever(started, drain, settings):
    settings.JOBS_KEEP_DAYS = 0
    ended(drain(started(3)), 10_000)
    tidy()
    assert Job.objects.exists()


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 35])
def test_many_rows_are_deleted_in_small_transactions(started, drain, settings, monkeypatch, rows):
    monkeypatch.setattr(actions, "_AT_ONCE", 10)
    ended(drain(started(rows)), 100)
    tidy()
    assert not Row.objects.exists()
    assert not Job.objects.exists()


def test_jobs_at_work_are_never_deleted(started, settings):
    job = started(3)
    Job.objects.update(created_at=timezone.now() - timedelta(days=1000), started_at=None)
    tidy()
    assert Job.objects.get() == job
