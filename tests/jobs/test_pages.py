"""The pages of jobs: list, tray, a running job, forged requests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.areas.devices.registration.actions import register_from_file
from console.jobs import actions
from console.jobs.models import Item, Job
from tests.registrations import create_registration
from tests.responses import page_text

ACTIONS = {
    "cancel": "jobs/{}/cancel/",
    "columns": "devices/registrations/{}/columns/",
    "discard": "jobs/{}/discard/",
    "retry": "jobs/{}/retry/",
    "secrets": "devices/registrations/{}/secrets/",
    "start": "devices/registrations/{}/start/",
}


@pytest.fixture
def draft(org, product):
    """Return a function that creates a draft with one device as a member with a role."""

    def make(name: str = "dev-0001", role: str = "operator", product_name: str = "Meters") -> Job:
        content = [f"name\n{name}\n".encode()]
        return register_from_file(org.gateway(role), product, product_name, content, "d.csv")

    return make


def test_the_list_shows_newest_first_and_filters_by_kind_status_and_user(org, draft, sign_in, run_job):
    first, second = draft("dev-0001", product_name="Lamps"), draft("dev-0002", role="owner")
    actions.start(first, org.gateway("operator"))
    run_job(first)
    browser = sign_in("viewer")
    page = page_text(browser.get(org.url("jobs/")))
    assert page.index("in Meters") < page.index("in Lamps")
    for query, shown, hidden in (
        ("state=succeeded", "in Lamps", "in Meters"),
        ("state=ready", "in Meters", "in Lamps"),
        (f"person={org.members['owner'].pk}", "in Meters", "in Lamps"),
        (f"person={org.members['operator'].pk}", "in Lamps", "in Meters"),
    ):
        page = page_text(browser.get(org.url(f"jobs/?{query}")))
        assert shown in page
        assert hidden not in page
    assert "No results for these filters" in page_text(browser.get(org.url("jobs/?kind=ota.monitor")))
    assert second.state == Job.State.READY


@pytest.mark.parametrize("column", ["kind", "state", "done", "person", "created_at", "finished_at"])
def test_the_list_is_sorted_by_a_column_in_both_directions_and_on_all_pages(
    column, org, draft, sign_in, run_job
):
    first, *_others = [draft(f"dev-{n:04}", role=role) for n, role in enumerate(["owner", "operator"] * 6)]
    actions.start(first, org.gateway("operator"))
    run_job(first)
    browser = sign_in("viewer")

    def read(sort: str) -> list[int]:
        pages = [browser.get(org.url(f"jobs/?size=10&page={n}&sort={sort}")) for n in (1, 2)]
        return [job.pk for page in pages for job in page.context["table"].rows]

    def value(pk: int):
        job = Job.objects.get(pk=pk)
        return str(job.started_by or job.created_by) if column == "person" else getattr(job, column)

    for sort, backwards in ((column, False), (f"-{column}", True)):
        shown = read(sort)
        assert len(set(shown)) == 12
        known = [value(pk) for pk in shown if value(pk) is not None]
        assert known == sorted(known, reverse=backwards)
        assert None not in [value(pk) for pk in shown[: len(known)]]


def test_the_list_contains_only_jobs_of_its_connection(org, draft, sign_in):
    draft()
    page = sign_in("outsider").get(f"/{org.other_team.slug}/{org.other_connection.slug}/jobs/")
    assert "in Meters" not in page_text(page)


def test_the_tray_shows_running_and_recently_finished_jobs(org, draft, sign_in, run_job):
    job = draft()
    actions.start(job, org.gateway("operator"))
    browser = sign_in("viewer")
    response = browser.get(org.url("jobs/tray/"), headers={"HX-Request": "true"})
    assert "every 3s" in response.content.decode()
    assert "Register 1 device in Meters" in page_text(response)
    run_job(job)
    response = browser.get(org.url("jobs/tray/"), headers={"HX-Request": "true"})
    assert "every 3s" not in response.content.decode()
    assert "Succeeded" in page_text(response)


@pytest.mark.parametrize(("seconds", "is_shown"), [(5, True), (90, False)])
def test_the_tray_shows_the_remaining_time_only_while_the_job_advances(org, sign_in, seconds, is_shown):
    now = timezone.now()
    create_registration(
        org.connection,
        state=Job.State.RUNNING,
        started_at=now - timedelta(seconds=100),
        advanced_at=now - timedelta(seconds=seconds),
        total=100,
        succeeded=50,
    )
    tray = page_text(sign_in("viewer").get(org.url("jobs/tray/")))
    assert "50 / 100" in tray
    assert (" left" in tray) == is_shown


def test_a_job_notes_when_it_advanced(org, draft, run_job):
    job = draft()
    actions.start(job, org.gateway("operator"))
    run_job(job)
    assert job.started_at <= job.advanced_at <= job.finished_at
    assert job.done_at_start == 0


def test_a_draft_is_only_in_the_tray_of_the_user_who_created_it(org, draft, sign_in):
    draft()
    assert "Not started" in page_text(sign_in("operator").get(org.url("jobs/tray/")))
    assert "Not started" not in page_text(sign_in("viewer").get(org.url("jobs/tray/")))


def test_the_page_of_a_running_job_refreshes_and_that_of_a_finished_job_does_not(
    org, draft, sign_in, run_job
):
    job = draft()
    actions.start(job, org.gateway("operator"))
    browser = sign_in("viewer")
    live = org.url(f"jobs/{job.pk}/live/")
    response = browser.get(live, headers={"HX-Request": "true"})
    assert "every 1s" in response.content.decode()
    seen = response.content.decode().split("?seen=")[1].split('"')[0]
    assert "HX-Trigger" not in browser.get(f"{live}?seen={seen}", headers={"HX-Request": "true"})
    run_job(job)
    response = browser.get(f"{live}?seen={seen}", headers={"HX-Request": "true"})
    assert "every 1s" not in response.content.decode()
    assert response["HX-Trigger"] == "fd:items", "the table reloads because its items have changed"


def test_items_are_searched_and_filtered_by_outcome(org, sign_in, upload_registration, run_job):
    upload_registration(b"name\nlamp-0001\nlamp-0002\nab\n")
    job = Job.objects.get()
    actions.start(job, org.gateway("operator"))
    run_job(job)
    browser = sign_in("viewer")
    page = page_text(browser.get(org.url(f"jobs/{job.pk}/?q=0002")))
    assert "lamp-0002" in page
    assert "lamp-0001" not in page
    page = page_text(browser.get(org.url(f"jobs/{job.pk}/?outcome=skipped")))
    assert "must have 4 to 32 characters" in page
    assert "lamp-0001" not in page


def test_the_page_of_a_large_job_needs_few_queries(
    org, sign_in, upload_registration, run_job, django_assert_max_num_queries
):
    upload_registration("\n".join(["name", *(f"dev-{n:05d}" for n in range(3000))]).encode())
    job = Job.objects.get()
    actions.start(job, org.gateway("operator"))
    browser = sign_in("viewer")
    browser.get(org.url("jobs/"))
    with django_assert_max_num_queries(30):
        browser.get(org.url(f"jobs/{job.pk}/"))
    with django_assert_max_num_queries(25):
        browser.get(org.url(f"jobs/{job.pk}/live/"), headers={"HX-Request": "true"})


def test_forged_requests_change_nothing(org, draft):
    job = draft()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(org.members["operator"])
    for address in ACTIONS.values():
        assert browser.post(org.url(address.format(job.pk))).status_code == 403
    assert browser.post(org.url("devices/registrations/new/"), {"product": "x"}).status_code == 403
    job.refresh_from_db()
    assert job.state == Job.State.READY


@pytest.mark.parametrize("action", sorted(ACTIONS.keys() - {"cancel"}))
def test_changes_are_not_possible_with_get_requests(org, draft, sign_in, action):
    assert sign_in("operator").get(org.url(ACTIONS[action].format(draft().pk))).status_code == 405


def test_actions_in_the_wrong_state_show_a_message(org, draft, sign_in, run_job):
    job = draft()
    browser = sign_in("owner")
    for action in ("cancel", "retry", "secrets"):
        assert browser.post(org.url(ACTIONS[action].format(job.pk)), follow=True).status_code == 200
    job.refresh_from_db()
    assert job.state == Job.State.READY
    actions.start(job, org.gateway("owner"))
    run_job(job)
    for action in ("start", "discard", "cancel", "retry", "columns"):
        url = org.url(ACTIONS[action].format(job.pk))
        assert browser.post(url, {"name": "0"}, follow=True).status_code == 200
    assert Item.objects.get().outcome == "succeeded"


def test_an_unknown_job_is_not_found(org, sign_in):
    for rest in ("", "live/", "result.csv"):
        assert sign_in("owner").get(org.url(f"jobs/99/{rest}")).status_code == 404
