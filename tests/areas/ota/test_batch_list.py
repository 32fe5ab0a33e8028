"""The list of batches: which batches it shows, and that it says which ones it leaves out."""

from __future__ import annotations

import pytest

from console.areas.ota import api, jobs, progress
from console.areas.ota.views import batch_list
from console.jobs.models import Sample
from tests.areas.ota.packages import create_package

NOTE = "This list shows the batches of the newest 8 of 9 packages, and the batches that are monitored."


@pytest.fixture
def create_batches(lamps, org, clock):
    """A function that creates packages with one batch each. Returns the packages and the batches, oldest first."""

    def create(count):
        packages, batches = [], []
        for number in range(count):
            clock.advance(60)
            packages.append(create_package(org, lamps, name=f"lamp-{number}", version=f"2.{number}"))
            batches.append(create_batch(org, packages[-1], clock))
        return packages, batches

    return create


def create_batch(org, package, clock):
    """Create a batch of one device and return its ID. The console does not monitor it.

    The device waits for a confirmation, so it never gets the version of the package, which a later batch would refuse.
    """
    clock.advance(60)
    response = org.gateway().call(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=package.id,
        ProductKey=package.product_key,
        TargetSelection="SPECIFIC",
        TargetDeviceName=["lamp-1"],
        OverwriteMode=2,
        NeedConfirm=True,
    )
    return response["Data"]["JobId"]


def read_list(org, sign_in, query=""):
    """Return the IDs of the batches in the list after the page has fetched all of it, and the HTML."""
    browser = sign_in("viewer")
    page = browser.get(org.url(f"ota/batches/{query}"))
    if page.context["all_url"]:
        page = browser.get(page.context["all_url"])
    assert page.status_code == 200
    assert not page.context["all_url"]
    return [row.batch.id for row in page.context["table"].rows], page.content.decode()


def test_the_batches_of_several_packages_are_in_one_list_newest_first(create_batches, org, sign_in, clock):
    packages, batches = create_batches(4)
    batches.append(create_batch(org, packages[0], clock))
    shown, text = read_list(org, sign_in)
    assert shown == batches[::-1]
    assert NOTE not in text
    assert "To see other batches" not in text


def test_the_page_opens_in_four_calls_with_the_newest_packages_and_fetches_the_rest(
    create_batches, org, sign_in, calls
):
    _packages, batches = create_batches(6)
    browser = sign_in("viewer")
    calls.clear()
    page = browser.get(org.url("ota/batches/"), {"product": ""})
    assert len(calls) == 4
    assert [row.batch.id for row in page.context["table"].rows] == batches[:3:-1]
    text = page.content.decode()
    assert "Loading the batches of other packages…" in text
    assert f'hx-get="{page.context["all_url"]}"' in text.replace("&amp;", "&")
    assert "/batches/progress/" not in text, "the whole list fetches the progress"
    assert 'aria-label="Pages of Batches"' not in text, "the number of batches is not known yet"
    rest = browser.get(page.context["all_url"])
    assert [row.batch.id for row in rest.context["table"].rows] == batches[::-1]
    assert len(calls) <= 4 + 2 + 6


def test_a_page_without_batches_in_the_newest_packages_does_not_say_that_there_are_none(
    create_batches, lamps, org, sign_in
):
    create_batches(1)
    for number in range(3):
        create_package(org, lamps, name=f"new-{number}", version=f"3.{number}")
    text = sign_in("viewer").get(org.url("ota/batches/")).content.decode()
    assert "Loading the batches of other packages…" in text
    assert "No batches yet" not in text


def test_the_list_has_pages(create_batches, org, sign_in, clock):
    packages, batches = create_batches(1)
    batches += [create_batch(org, packages[0], clock) for _ in range(11)]
    assert read_list(org, sign_in, "?size=10")[0] == batches[:1:-1]
    assert read_list(org, sign_in, "?size=10&page=2")[0] == batches[1::-1]


def test_the_list_says_that_it_leaves_out_packages_and_the_filters_reach_them(
    create_batches, org, sign_in, lamps
):
    packages, batches = create_batches(9)
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert f"{NOTE} To see other batches, filter by product, package or version." in text
    assert f'<option value="{packages[0].id}">' in text
    for query in (f"?package={packages[0].id}", "?version=2.0", f"?product={lamps}&version=2.0"):
        shown, text = read_list(org, sign_in, query)
        assert shown == batches[:1], query
        assert NOTE not in text


def test_the_list_says_that_it_leaves_out_batches_of_a_package(
    create_batches, org, sign_in, clock, monkeypatch
):
    monkeypatch.setattr(api, "MAX_BATCHES", 2)
    packages, batches = create_batches(1)
    batches += [create_batch(org, packages[0], clock) for _ in range(2)]
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert "It shows the newest 2 batches of each package. To see other batches" in text
    shown, text = read_list(org, sign_in, f"?package={packages[0].id}")
    assert shown == batches[::-1]
    assert "To see other batches" not in text


def test_a_version_of_a_package_beyond_the_choices_is_found(create_batches, org, sign_in, monkeypatch):
    """With more packages than one call returns, the product and version still lead to each package."""
    monkeypatch.setattr(batch_list, "MAX_CHOICES", 2)
    packages, batches = create_batches(3)
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert "This list shows the batches of the newest 2 of 3 packages" in text
    assert f'<option value="{packages[0].id}">' not in text
    assert read_list(org, sign_in, "?version=2.0")[0] == batches[:1]


@pytest.mark.parametrize("query", ["", "&package={package}"])
def test_the_list_is_filtered_by_status(query, create_batches, org, sign_in):
    packages, batches = create_batches(2)
    statuses = [api.get_batch(org.gateway(), batch).batch.status for batch in batches]
    assert statuses == ["COMPLETED", "IN_PROGRESS"]  # the later batch took the device of the earlier one
    for package, batch, status in zip(packages, batches, statuses, strict=True):
        shown = read_list(org, sign_in, f"?status={status}{query.format(package=package.id)}")[0]
        assert shown == [batch]
    assert read_list(org, sign_in, f"?status=IN_PROGRESS&package={packages[0].id}")[0] == []


def test_a_batch_is_named_by_its_version_and_package(create_batches, org, sign_in):
    packages, batches = create_batches(1)
    text = read_list(org, sign_in)[1]
    assert f'<a href="{org.url(f"ota/batches/{batches[0]}/")}">Update to {packages[0].version}</a>' in text
    assert f">{packages[0].name}</a>" in text
    assert f">{batches[0]}<" not in text


def test_a_monitored_batch_of_an_older_package_is_listed(create_batches, org, sign_in, monkeypatch, lamps):
    _packages, batches = create_batches(3)
    monkeypatch.setattr(batch_list, "MAX_PACKAGES", 1)
    assert read_list(org, sign_in)[0] == [batches[2]]
    jobs.monitor_batch(org.gateway("release-engineer"), batches[0], product_key=lamps)
    assert read_list(org, sign_in)[0] == [batches[2], batches[0]]
    assert read_list(org, sign_in, f"?product={lamps}&status=COMPLETED")[0] == [batches[0]]
    assert read_list(org, sign_in, "?version=2.1")[0] == [batches[1]]


def test_the_list_takes_no_call_for_each_batch(create_batches, org, sign_in, clock, calls):
    packages, _batches = create_batches(2)
    for _ in range(5):
        create_batch(org, packages[0], clock)
    calls.clear()
    read_list(org, sign_in)
    assert len(calls) <= 4


# -- progress ----------------------------------------------------------------------------------------------------------


def read_progress(org, sign_in, query=""):
    response = sign_in("viewer").get(org.url(f"ota/batches/progress/{query}"))
    assert response.status_code == 200
    return response


def test_progress_that_monitoring_recorded_is_shown_at_once(create_batches, org, sign_in, lamps, calls):
    _packages, batches = create_batches(1)
    job = jobs.monitor_batch(org.gateway("release-engineer"), batches[0], product_key=lamps)
    Sample.objects.create(job=job, counts={"SUCCEEDED": 5, "FAILED": 2, "QUEUED": 3})
    text = read_list(org, sign_in)[1]
    assert "<span>70%</span>" in text
    assert "2 failed" in text
    assert "/batches/progress/" not in text
    calls.clear()
    assert not read_progress(org, sign_in).context["rows"]
    assert "ListOTATaskByJob" not in calls


def test_progress_that_nobody_recorded_is_fetched_in_one_request(create_batches, org, sign_in):
    _packages, batches = create_batches(3)
    text = read_list(org, sign_in, "?size=50")[1]
    assert text.count('/batches/progress/?size=50&amp;all=1"') == 1
    rows = read_progress(org, sign_in, "?size=50").content.decode()
    for batch in batches:
        assert f'id="progress-{batch}"' in rows
    assert rows.count("hx-swap-oob") == 3


def test_one_request_counts_a_few_batches_and_the_next_row_offers_more(
    create_batches, org, sign_in, monkeypatch, calls
):
    monkeypatch.setattr(progress, "MAX_COUNTED", 2)
    _packages, batches = create_batches(4)
    calls.clear()
    first = read_progress(org, sign_in)
    assert calls.count("ListOTATaskByJob") == 8
    assert [row.batch.id for row in first.context["rows"] if row.counts] == batches[:1:-1]
    assert "skip=2" in first.content.decode()
    second = read_progress(org, sign_in, "?skip=2")
    assert [row.batch.id for row in second.context["rows"] if row.counts] == batches[1::-1]
    assert "skip=" not in second.content.decode()


def test_a_batch_that_cannot_be_counted_stays_without_progress(create_batches, emulator, org, sign_in):
    create_batches(1)
    emulator.faults.add("ListOTATaskByJob", kind="error", code="Forbidden.RAM", status=403, times=99)
    assert read_progress(org, sign_in).context["rows"][0].counts is None


def test_only_those_who_may_create_batches_are_led_to_the_choice_of_a_package(create_batches, org, sign_in):
    create_batches(1)
    for role, offered in (("viewer", False), ("release-engineer", True)):
        text = sign_in(role).get(org.url("ota/batches/")).content.decode()
        assert (org.url("ota/batches/new/") in text) is offered
