"""Every page of over-the-air updates: content, number of calls, access."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache

from console.accounts.models import Membership
from console.areas.ota import api, batch_tasks
from console.areas.ota.views import choose

PAGES = [
    "packages/", "packages/{package}/", "modules/", "modules/?product={product}", "modules/options/?product={product}",
    "batches/", "batches/progress/", "batches/?status=IN_PROGRESS", "batches/?package={package}", "batches/?product={product}",
    "batches/{IN_PROGRESS}/", "batches/{COMPLETED}/", "batches/{CANCELED}/", "batches/{PLANNED}/", "batches/{dynamic}/",
    "batches/{verification}/", "batches/{IN_PROGRESS}/?status=FAILED", "batches/{IN_PROGRESS}/live/",
    "batches/{IN_PROGRESS}/counts/", "batches/{IN_PROGRESS}/counts/?total=300&SUCCEEDED=1&FAILED=2&CANCELED=3",
    "batches/{COMPLETED}/history.json",
]  # fmt: skip
FORMS = [
    "packages/new/", "packages/{package}/delete/", "packages/{package}/batch/", "packages/{package}/dynamic/",
    "packages/{unverified}/verify/", "modules/{product}/new/", "batches/{IN_PROGRESS}/cancel/", "batches/{dynamic}/stop/",
]  # fmt: skip


def test_no_page_takes_more_than_four_calls_to_open(sample, org, sign_in, calls):
    browser = sign_in("owner")
    for page in [*PAGES, *FORMS, "group-options/", "group-options/?find=a"]:
        calls.clear()
        cache.clear()
        response = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert response.status_code == 200, page
        assert len(calls) <= (30 if "progress" in page else 4), (page, calls)


def find_batch_with_failures(org, sample):
    """Return the ID of a batch of the sample fleet with failed devices, and the names of these devices."""
    for status in ("COMPLETED", "CANCELED", "IN_PROGRESS"):
        page = batch_tasks.get_batch_with_tasks(org.gateway(), sample[status], status="FAILED")[1]
        if page.tasks:
            return sample[status], [task.device for task in page.tasks]
    raise AssertionError("the sample fleet has no failed update")


def test_the_failed_devices_of_a_batch_are_listed_above_all_others_with_their_message(sample, org, sign_in):
    batch_id, failed = find_batch_with_failures(org, sample)
    response = sign_in("viewer").get(org.url(f"ota/batches/{batch_id}/"))
    assert [task.device for task in response.context["failed"].rows] == failed
    assert all(task.description for task in response.context["failed"].rows)
    text = response.content.decode()
    assert f"{len(failed)} failed device" in text
    assert text.index(f">{failed[0]}<") < text.index('id="tasks-title">All devices<')


def test_of_many_failed_devices_the_first_are_shown_with_a_link_to_all(sample, org, sign_in, monkeypatch):
    monkeypatch.setattr(batch_tasks, "MAX_FAILED_SHOWN", 1)
    batch_id, failed = find_batch_with_failures(org, sample)
    assert len(failed) > 1
    response = sign_in("viewer").get(org.url(f"ota/batches/{batch_id}/"))
    assert len(response.context["failed"].rows) == 1
    text = " ".join(response.content.decode().split())
    assert f"{len(failed)} failed devices" in text
    assert "Show all failed devices" in text


def test_a_list_of_only_failed_devices_has_no_second_one(sample, org, sign_in, calls):
    batch_id, failed = find_batch_with_failures(org, sample)
    browser = sign_in("viewer")
    calls.clear()
    cache.clear()
    response = browser.get(org.url(f"ota/batches/{batch_id}/?status=FAILED"))
    assert response.context["failed"] is None
    assert [task.device for task in response.context["table"].rows] == failed
    assert len(calls) == 2


def test_a_package_that_is_being_verified_leads_to_its_verification(sample, org, sign_in):
    gateway = org.gateway()
    batch = api.get_batch(gateway, sample["verification"]).batch
    package = api.get_package(gateway, batch.package_id)
    assert package.status == "2"
    text = sign_in("viewer").get(org.url(f"ota/packages/{package.id}/")).content.decode()
    assert "View verification" in text
    assert f'href="{org.url(f"ota/batches/{batch.id}/")}"' in text


def test_a_verified_package_offers_both_kinds_of_batches_as_buttons(sample, org, sign_in):
    text = sign_in("release-engineer").get(org.url(f"ota/packages/{sample['package']}/")).content.decode()
    head = text[text.index("fd-page-actions") : text.index("</header>", text.index("fd-page-actions"))]
    for path in ("batch", "dynamic"):
        assert org.url(f"ota/packages/{sample['package']}/{path}/") in head


def test_the_batches_of_a_package_fetch_their_progress_with_the_package(sample, org, sign_in):
    package_id = api.get_batch(org.gateway(), sample["IN_PROGRESS"]).batch.package_id
    text = sign_in("viewer").get(org.url(f"ota/packages/{package_id}/")).content.decode()
    assert f"/ota/batches/progress/?package={package_id}" in text
    assert text.count('aria-label="Batches of this package"') == 2  # the section has the name "Batches"


def test_the_choice_of_a_package_shows_those_that_are_ready_and_links_to_both_forms(sample, org, sign_in):
    response = sign_in("release-engineer").get(org.url("ota/batches/new/"))
    packages = response.context["table"].rows
    assert packages
    assert all(row.is_ready for row in packages)
    text = response.content.decode()
    package = sample["package"]
    for path in ("batch", "dynamic"):
        assert f'href="{org.url(f"ota/packages/{package}/{path}/")}"' in text


def test_the_choice_of_a_package_says_that_it_leaves_out_packages(sample, org, sign_in, monkeypatch):
    monkeypatch.setattr(choose, "MAX_PACKAGES", 3)
    text = sign_in("release-engineer").get(org.url("ota/batches/new/")).content.decode()
    assert "This list shows the newest 3 of" in text


def test_the_statuses_have_the_same_names_in_tiles_filter_and_dialog(sample, org, sign_in):
    browser, batch = sign_in("release-engineer"), org.url(f"ota/batches/{sample['IN_PROGRESS']}/")
    page = browser.get(batch)
    tiles = {tile.status: str(tile.label) for tile in page.context["counts"].tiles}
    choices = page.context["filters"].fields["status"].choices
    assert {value: str(label) for value, label in choices if value} == tiles
    dialog = dict(browser.get(f"{batch}cancel/").context["form"].fields["statuses"].choices)
    assert {value: str(label) for value, label in dialog.items()}.items() <= tiles.items()
    assert dialog


def test_the_tiles_of_a_batch_have_their_place_before_the_counts_arrive(sample, org, sign_in):
    browser, batch = sign_in("viewer"), org.url(f"ota/batches/{sample['IN_PROGRESS']}/")
    before, after = browser.get(batch), browser.get(f"{batch}counts/")
    for text in (before.content.decode(), after.content.decode()):
        statuses = re.findall(r'href="[^"]+[?]status=(\w+)#ota-tasks-list">\s*<span class="ota-dot', text)
        assert statuses[0] == "FAILED"
        assert sorted(statuses) == sorted(api.TASK_STATUSES)


def test_a_tile_leads_to_the_devices_with_its_status(sample, org, sign_in):
    browser, batch = sign_in("viewer"), org.url(f"ota/batches/{sample['IN_PROGRESS']}/")
    text = browser.get(batch).content.decode()
    assert f'href="{batch}?status=FAILED#ota-tasks-list"' in text
    failed = browser.get(f"{batch}?status=FAILED").context["table"].rows
    assert {task.status for task in failed} == {"FAILED"}


def test_the_devices_of_a_batch_come_before_its_settings(sample, org, sign_in):
    text = sign_in("viewer").get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/")).content.decode()
    assert text.index('id="tasks-title"') < text.index('id="policy-title"')


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_role_that_may_only_read_is_offered_no_change(role, sample, org, sign_in):
    browser = sign_in(role)
    for page in PAGES:
        response = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert response.status_code == 200, page
        for address in [
            "new",
            "delete",
            "batch",
            "dynamic",
            "verify",
            "cancel",
            "stop",
            "tasks/bulk/confirm",
            "monitor",
            "tasks/bulk/cancel",
        ]:
            assert f'/{address}/"' not in response.content.decode(), (page, address)


def test_a_viewer_gets_no_form_and_cannot_submit_one(sample, org, sign_in, calls):
    browser = sign_in("viewer")
    before = len(calls)
    for page in FORMS:
        for method in (browser.get, browser.post):
            assert method(org.url(f"ota/{page.format(**sample)}")).status_code == 403, page
    for page in ("tasks/bulk/confirm", "tasks/bulk/cancel", "monitor"):
        data = {"selected": "task/device", "confirmed": "1"}
        assert browser.post(org.url(f"ota/batches/{sample['IN_PROGRESS']}/{page}/"), data).status_code == 403
    assert len(calls) == before


def test_a_role_without_rights_reads_nothing(sample, org, sign_in):
    Membership.objects.filter(user=org.members["viewer"]).update(role_slug="made-up")
    browser = sign_in("viewer")
    for page in [*PAGES, *FORMS, "group-options/"]:
        assert browser.get(org.url(f"ota/{page.format(**sample)}")).status_code == 403, page


def test_another_team_gets_404_everywhere(sample, org, sign_in):
    browser = sign_in("outsider")
    for page in PAGES + FORMS:
        for method in (browser.get, browser.post):
            assert method(org.url(f"ota/{page.format(**sample)}")).status_code == 404, page


def test_an_object_that_does_not_exist_is_404(sample, org, sign_in):
    browser = sign_in("owner")
    for page in ("packages/nope/", "batches/nope/", "batches/nope/cancel/", "packages/nope/batch/"):
        assert browser.get(org.url(f"ota/{page}")).status_code == 404, page


@pytest.mark.parametrize("page", ["packages/{package}/", "batches/{IN_PROGRESS}/"])
def test_an_object_with_one_page_has_a_menu_and_no_tab_bar(page, sample, org, sign_in):
    text = sign_in("owner").get(org.url(f"ota/{page.format(**sample)}")).content.decode()
    assert "View API call" in text
    assert "Audit trail" in text
    assert 'id="tabs"' not in text


def test_the_button_that_cancels_a_batch_opens_its_dialog(sample, org, sign_in):
    page = org.url(f"ota/batches/{sample['IN_PROGRESS']}/")
    text = sign_in("owner").get(page).content.decode()
    assert f'href="{page}cancel/" data-dialog>' in text
    assert f'action="{page}cancel/"' not in text


def test_the_dialog_that_cancels_a_batch_is_closed_with_back(sample, org, sign_in):
    text = sign_in("owner").get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/cancel/")).content.decode()
    assert "data-dialog-close>Back</a>" in text
    assert "data-dialog-close>Cancel</a>" not in text


@pytest.mark.parametrize("kind", ["throttle", "drop", "malformed"])
def test_a_cloud_error_is_a_page_with_an_explanation(kind, sample, fleet, org, sign_in):
    browser = sign_in("viewer")
    for page, operation in [
        ("packages/", "ListOTAFirmware"),
        ("packages/{package}/", "QueryOTAFirmware"),
        ("modules/?product={product}", "ListOTAModuleByProduct"),
        ("batches/?package={package}", "ListOTAJobByFirmware"),
        ("batches/{COMPLETED}/", "ListOTATaskByJob"),
    ]:
        cache.clear()
        fleet.faults.add(operation, kind=kind, times=99, delay=0)
        response = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert response.status_code in (502, 503), page
        assert operation in response.content.decode()
        fleet.faults.clear()


def test_the_list_is_filtered_by_product_and_version(sample, org, sign_in):
    all_packages = sign_in("viewer").get(org.url("ota/packages/")).context["table"].rows
    package = all_packages[0]
    response = sign_in("viewer").get(
        org.url(f"ota/packages/?product={package.product_key}&version={package.version}")
    )
    packages = response.context["table"].rows
    assert package.id in {one.id for one in packages}
    assert {(one.product_key, one.version) for one in packages} == {(package.product_key, package.version)}
    assert len(packages) < len(all_packages)


def test_an_empty_list_explains_packages_and_offers_to_create_one(emulator, org, sign_in):
    text = sign_in("release-engineer").get(org.url("ota/packages/")).content.decode()
    assert "No packages yet" in text
    assert "/packages/new/" in text


def test_the_devices_of_a_batch_are_filtered_by_status(sample, org, sign_in):
    response = sign_in("viewer").get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/?status=SUCCEEDED"))
    assert {task.status for task in response.context["table"].rows} == {"SUCCEEDED"}


def test_an_unmonitored_batch_is_counted_exactly_in_two_requests(sample, org, sign_in):
    browser = sign_in("viewer")
    first = browser.get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/counts/"))
    rest = first.context["rest"]
    assert rest
    total = first.context["counts"].total
    second = browser.get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/counts/?{rest}"))
    tiles = {tile.status: tile.count for tile in second.context["counts"].tiles}
    assert sum(tiles.values()) == total
    gateway = org.gateway()
    for status, count in tiles.items():
        response = gateway.call(
            "ListOTATaskByJob", JobId=sample["IN_PROGRESS"], TaskStatus=status, PageSize=1
        )
        assert response["Total"] == count


def test_a_finished_batch_is_counted_in_one_request(sample, org, sign_in):
    response = sign_in("viewer").get(org.url(f"ota/batches/{sample['COMPLETED']}/counts/"))
    assert not response.context["rest"]
    assert response.context["counts"].finished == response.context["counts"].total


def test_the_live_part_reloads_the_page_when_the_status_has_changed(sample, org, sign_in):
    url = org.url(f"ota/batches/{sample['COMPLETED']}/live/")
    assert sign_in("viewer").get(f"{url}?status=IN_PROGRESS").headers["HX-Refresh"] == "true"
    assert "HX-Refresh" not in sign_in("viewer").get(f"{url}?status=COMPLETED").headers
