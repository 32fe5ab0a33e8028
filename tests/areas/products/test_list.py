"""The list of products: search, filters, sort, paging, export, number of calls."""

from __future__ import annotations

import csv
import io

import pytest

from console.areas.products import api
from console.jobs.models import Job


def create_products(org, *names: str, **params) -> list[str]:
    gateway = org.gateway()
    return [
        api.create_product(gateway, api.NewProduct(name, **{"thing_model": False} | params)) for name in names
    ]


def listed_names(response) -> list[str]:
    return [row.name for row in response.context["table"].rows]


def test_products_are_listed_newest_first_with_one_call(emulator, org, sign_in, calls):
    create_products(org, "First_created", "Second_created")
    calls.clear()
    response = sign_in("viewer").get(org.url("products/"))
    assert listed_names(response) == ["Second_created", "First_created"]
    assert calls == ["QueryProductList"]


def test_the_search_finds_part_of_a_name_or_key_and_ignores_case(emulator, org, sign_in):
    keys = create_products(org, "Harbor_Lamp", "Harbor_Gate", "智能水表")
    browser = sign_in("viewer")
    assert listed_names(browser.get(org.url("products/?q=LAMP"))) == ["Harbor_Lamp"]
    assert listed_names(browser.get(org.url("products/?q=水"))) == ["智能水表"]
    assert listed_names(browser.get(org.url(f"products/?q={keys[1][3:]}"))) == ["Harbor_Gate"]


def test_the_list_is_filtered_by_node_type_and_thing_model(emulator, org, sign_in):
    create_products(org, "Plain_device")
    create_products(org, "Modeled_device", thing_model=True, data_format=1)
    create_products(org, "Some_gateway", gateway=True)
    browser = sign_in("viewer")
    assert listed_names(browser.get(org.url("products/?node=gateway"))) == ["Some_gateway"]
    assert listed_names(browser.get(org.url("products/?model=yes"))) == ["Modeled_device"]
    assert listed_names(browser.get(org.url("products/?model=no&node=device"))) == ["Plain_device"]


def test_the_list_is_sorted_by_the_column_in_the_address(emulator, org, sign_in):
    create_products(org, "Bravo", "alpha", "Charlie")
    browser = sign_in("viewer")
    assert listed_names(browser.get(org.url("products/?sort=name"))) == ["alpha", "Bravo", "Charlie"]
    assert listed_names(browser.get(org.url("products/?sort=-name"))) == ["Charlie", "Bravo", "alpha"]
    assert listed_names(browser.get(org.url("products/?sort=nonsense"))) == ["Charlie", "alpha", "Bravo"]


def test_a_page_has_the_requested_number_of_rows(emulator, org, sign_in):
    create_products(org, *(f"Product_{n:02}" for n in range(12)))
    response = sign_in("viewer").get(org.url("products/?size=10&page=2"))
    assert listed_names(response) == ["Product_01", "Product_00"]
    assert "11–12 of 12" in response.content.decode()


def test_a_search_through_many_products_takes_four_calls_and_says_that_it_is_partial(
    emulator, org, sign_in, calls, monkeypatch
):
    create_products(org, *(f"Product_{n:02}" for n in range(9)))
    monkeypatch.setattr(api, "MAX_PAGE_SIZE", 2)
    calls.clear()
    response = sign_in("viewer").get(org.url("products/?q=product"))
    assert calls == ["QueryProductList"] * 4
    assert len(listed_names(response)) == 8
    assert "newest 8 of 9 products" in " ".join(response.content.decode().split())


def test_the_export_has_all_matches_and_no_formulas(emulator, org, sign_in):
    create_products(org, "Harbor_Lamp", description="=1+1")
    create_products(org, "Other_thing")
    response = sign_in("viewer").get(org.url("products/?q=lamp&format=csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert [(row["Name"], row["Description"]) for row in rows] == [("Harbor_Lamp", "'=1+1")]
    assert "attachment" in response["Content-Disposition"]


def test_an_empty_list_offers_creation_to_roles_that_may_create(emulator, org, sign_in):
    assert "products/new/" in sign_in("operator").get(org.url("products/")).content.decode()
    assert "products/new/" not in sign_in("viewer").get(org.url("products/")).content.decode()


@pytest.mark.parametrize(("kind", "status"), [("throttle", 503), ("drop", 503), ("malformed", 502)])
def test_a_cloud_error_is_shown_in_the_list_and_the_filters_are_kept(emulator, org, sign_in, kind, status):
    emulator.faults.add(
        "QueryProductList", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    response = sign_in("viewer").get(org.url("products/?q=lamp"))
    assert response.status_code == status
    assert 'value="lamp"' in response.content.decode()
    assert "fd-cloud-error" in response.content.decode()


def test_an_htmx_request_gets_only_the_list(emulator, org, sign_in):
    response = sign_in("viewer").get(org.url("products/"), headers={"HX-Request": "true"})
    assert 'id="products-results"' in response.content.decode()
    assert "<html" not in response.content.decode()


def test_selected_products_are_published_after_a_question(emulator, org, sign_in):
    one, two = create_products(org, "Product_one", "Product_two")
    browser = sign_in("operator")
    question = browser.post(org.url("products/bulk/publish/"), {"selected": [one, two]})
    assert "Publish 2 products?" in question.content.decode()
    assert not api.get_product(org.gateway(), one, fresh=True).is_published
    result = browser.post(
        org.url("products/bulk/publish/"), {"selected": [one, two, "a1missing000"], "confirmed": "1"}
    )
    assert result.context["failed"] == 1
    assert api.get_product(org.gateway(), two, fresh=True).is_published


def test_an_empty_selection_is_refused_and_a_large_one_becomes_a_job(emulator, org, sign_in):
    browser = sign_in("operator")
    assert browser.post(org.url("products/bulk/publish/"), {}).status_code == 422
    many = [f"a1{n:09}" for n in range(51)]
    response = browser.post(org.url("products/bulk/publish/"), {"selected": many, "confirmed": "1"})
    job = Job.objects.get()
    assert (response["Location"], job.state, job.total) == (org.url(f"jobs/{job.pk}/"), Job.State.READY, 51)


def test_an_incomplete_export_says_so_in_its_last_row(emulator, org, sign_in, monkeypatch):
    monkeypatch.setattr("console.areas.products.api.MAX_PAGE_SIZE", 2)
    gateway = org.gateway()
    for number in range(3):
        gateway.call("CreateProduct", ProductName=f"Meter_{number}", NodeType=0)
    response = sign_in("viewer").get(org.url("products/?format=csv"))
    emulator.faults.add("QueryProductList", "malformed", times=9)
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert len(lines) == 4
    assert "incomplete" in lines[-1]


def test_an_export_that_cannot_start_is_an_error_page(emulator, org, sign_in):
    emulator.faults.add("QueryProductList", "malformed", times=9)
    assert sign_in("viewer").get(org.url("products/?format=csv")).status_code == 502
