"""The retention of drafts, jobs and secrets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.areas.devices.registration.actions import collect_secrets
from console.audit.models import AuditRecord
from console.jobs import actions
from console.jobs.cleanup import delete_expired
from console.jobs.models import Chunk, Event, Item, Job, Part, Secret


def set_finished(job: Job, days: int) -> None:
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=days))


def test_old_drafts_are_deleted_with_their_file(upload_registration):
    upload_registration(b"name\ndev-0001\nx\n")
    delete_expired()
    Job.objects.get()
    Job.objects.update(created_at=timezone.now() - timedelta(hours=25))
    delete_expired()
    for model in (Job, Item, Part, Chunk):
        assert not model.objects.exists()


def test_old_finished_jobs_are_deleted_and_the_audit_trail_is_kept(
    start_registration, run_job, settings, org
):
    settings.JOBS_KEEP_DAYS = 30
    old, young = run_job(start_registration(3)), run_job(start_registration(3))
    run = collect_secrets(old, org.gateway("owner"))
    run_job(run)
    audited = AuditRecord.objects.filter(job=old.pk).count()
    assert audited
    set_finished(old, 31)
    set_finished(young, 29)
    delete_expired()
    assert set(Job.objects.all()) == {young, run}
    assert Item.objects.count() == young.total
    assert not Secret.objects.exists()
    assert not Event.objects.filter(job=old.pk).exists()
    assert AuditRecord.objects.filter(job=old.pk).count() == audited


def test_a_job_is_kept_while_a_follow_up_job_runs(start_registration, run_job, settings, org):
    settings.JOBS_KEEP_DAYS = 30
    old = run_job(start_registration(3))
    run = collect_secrets(old, org.gateway("owner"))
    set_finished(old, 31)
    delete_expired()
    assert run_job(run).succeeded == 3


def test_with_zero_days_jobs_are_kept_forever(start_registration, run_job, settings):
    settings.JOBS_KEEP_DAYS = 0
    set_finished(run_job(start_registration(3)), 10_000)
    delete_expired()
    assert Job.objects.exists()


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 35])
def test_many_rows_are_deleted_in_small_transactions(
    start_registration, run_job, settings, monkeypatch, rows
):
    monkeypatch.setattr(actions, "_ITEMS_PER_DELETE", 10)
    set_finished(run_job(start_registration(rows)), 100)
    delete_expired()
    assert not Item.objects.exists()
    assert not Job.objects.exists()


def test_active_jobs_are_never_deleted(start_registration, settings):
    job = start_registration(3)
    Job.objects.update(created_at=timezone.now() - timedelta(days=1000), started_at=None)
    delete_expired()
    assert Job.objects.get() == job
