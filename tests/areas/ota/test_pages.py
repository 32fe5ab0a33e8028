"""Every page of over-the-air updates: content, number of calls, access."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from console.accounts.models import Membership

PAGES = [
    "packages/", "packages/{package}/", "modules/", "modules/?product={product}", "modules/options/?product={product}",
    "batches/", "batches/?package={package}", "batches/?product={product}",
    "batches/{IN_PROGRESS}/", "batches/{COMPLETED}/", "batches/{CANCELED}/", "batches/{PLANNED}/", "batches/{dynamic}/",
    "batches/{verification}/", "batches/{IN_PROGRESS}/?status=FAILED", "batches/{IN_PROGRESS}/live/",
    "batches/{IN_PROGRESS}/counts/", "batches/{IN_PROGRESS}/counts/?total=300&SUCCEEDED=1&FAILED=2&CANCELED=3",
    "batches/{COMPLETED}/history.json",
]  # fmt: skip
FORMS = [
    "packages/new/", "packages/{package}/delete/", "packages/{package}/batch/", "packages/{package}/dynamic/",
    "packages/{unverified}/verify/", "modules/{product}/new/", "batches/{IN_PROGRESS}/cancel/", "batches/{dynamic}/stop/",
]  # fmt: skip


def test_no_page_takes_more_than_four_calls_and_the_list_of_batches_six(sample, org, sign_in, calls):
    browser = sign_in("owner")
    for page in [*PAGES, *FORMS, "group-options/", "group-options/?find=a"]:
        calls.clear()
        cache.clear()
        response = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert response.status_code == 200, page
        assert len(calls) <= (6 if page.startswith("batches/") else 4), (page, calls)


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
