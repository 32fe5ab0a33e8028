"""Every page of updates: what it shows, what it costs, who gets it."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from console.access.models import Membership

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


def test_no_page_costs_more_than_four_calls(sample, org, sign_in, calls):
    browser = sign_in("owner")
    for page in [*PAGES, *FORMS, "group-options/", "group-options/?find=a"]:
        calls.clear()
        cache.clear()
        answer = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert answer.status_code == 200, page
        assert len(calls) <= 4, (page, calls)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_only_read_is_offered_no_change(role, sample, org, sign_in):
    browser = sign_in(role)
    for page in PAGES:
        answer = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert answer.status_code == 200, page
        for address in [
            "new",
            "delete",
            "batch",
            "dynamic",
            "verify",
            "cancel",
            "stop",
            "confirm",
            "watch",
            "cancel-devices",
        ]:
            assert f'/{address}/"' not in answer.content.decode(), (page, address)


def test_a_viewer_gets_no_form_and_cannot_forge_one(sample, org, sign_in, calls):
    browser = sign_in("viewer")
    before = len(calls)
    for page in FORMS:
        for ask in (browser.get, browser.post):
            assert ask(org.url(f"ota/{page.format(**sample)}")).status_code == 403, page
    for page in ("confirm", "cancel-devices", "watch"):
        asked = {"selected": "task/device", "confirmed": "1"}
        assert browser.post(org.url(f"ota/batches/{sample['IN_PROGRESS']}/{page}/"), asked).status_code == 403
    assert len(calls) == before


def test_a_role_that_may_do_nothing_reads_nothing(sample, org, sign_in):
    Membership.objects.filter(user=org.members["viewer"]).update(role_slug="made-up")
    browser = sign_in("viewer")
    for page in [*PAGES, *FORMS, "group-options/"]:
        assert browser.get(org.url(f"ota/{page.format(**sample)}")).status_code == 403, page


def test_another_team_gets_404_everywhere(sample, org, sign_in):
    browser = sign_in("outsider")
    for page in PAGES + FORMS:
        for ask in (browser.get, browser.post):
            assert ask(org.url(f"ota/{page.format(**sample)}")).status_code == 404, page


def test_what_is_not_there_is_404(sample, org, sign_in):
    browser = sign_in("owner")
    for page in ("packages/nope/", "batches/nope/", "batches/nope/cancel/", "packages/nope/batch/"):
        assert browser.get(org.url(f"ota/{page}")).status_code == 404, page


@pytest.mark.parametrize("kind", ["throttle", "drop", "malformed"])
def test_an_error_of_the_cloud_is_a_page_with_words(kind, sample, fleet, org, sign_in):
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
        answer = browser.get(org.url(f"ota/{page.format(**sample)}"))
        assert answer.status_code in (502, 503), page
        assert operation in answer.content.decode()
        fleet.faults.clear()


def test_the_list_narrows_to_a_product_and_a_version(sample, org, sign_in):
    whole = sign_in("viewer").get(org.url("ota/packages/")).context["table"].data
    package = whole[0]
    narrowed = sign_in("viewer").get(
        org.url(f"ota/packages/?product={package.product_key}&version={package.version}")
    )
    shown = narrowed.context["table"].data
    assert package.id in {one.id for one in shown}
    assert {(one.product_key, one.version) for one in shown} == {(package.product_key, package.version)}
    assert len(shown) < len(whole)


def test_an_empty_platform_says_what_packages_are_for(emulator, org, sign_in):
    text = sign_in("release-engineer").get(org.url("ota/packages/")).content.decode()
    assert "No update packages yet" in text
    assert "/packages/new/" in text


def test_a_batch_shows_its_devices_and_narrows_to_a_state(sample, org, sign_in):
    answer = sign_in("viewer").get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/?status=SUCCEEDED"))
    assert {task.status for task in answer.context["table"].data} == {"SUCCEEDED"}


def test_a_batch_nobody_watches_is_counted_exactly_in_two_parts(sample, org, sign_in):
    browser = sign_in("viewer")
    first = browser.get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/counts/"))
    rest = first.context["rest"]
    assert rest is not None
    query = "&".join(f"{state}={count}" for state, count in rest.items())
    total = first.context["counts"].total
    second = browser.get(org.url(f"ota/batches/{sample['IN_PROGRESS']}/counts/?total={total}&{query}"))
    tiles = {tile.state: tile.count for tile in second.context["counts"].tiles}
    assert sum(tiles.values()) == total
    gateway = org.gateway()
    for state, count in tiles.items():
        answer = gateway.call("ListOTATaskByJob", JobId=sample["IN_PROGRESS"], TaskStatus=state, PageSize=1)
        assert answer["Total"] == count


def test_a_batch_that_is_over_is_counted_in_one_part(sample, org, sign_in):
    answer = sign_in("viewer").get(org.url(f"ota/batches/{sample['COMPLETED']}/counts/"))
    assert answer.context["rest"] is None
    assert answer.context["counts"].finished == answer.context["counts"].total


def test_the_live_part_reloads_the_page_when_the_state_has_changed(sample, org, sign_in):
    url = org.url(f"ota/batches/{sample['COMPLETED']}/live/")
    assert sign_in("viewer").get(f"{url}?status=IN_PROGRESS").headers["HX-Refresh"] == "true"
    assert "HX-Refresh" not in sign_in("viewer").get(f"{url}?status=COMPLETED").headers
