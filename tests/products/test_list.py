"""The list of products: search, filters, order, paging, export, and what it costs."""

from __future__ import annotations

import csv
import io

import pytest

from console.products import api


def make(org, *names: str, **params) -> list[str]:
    gateway = org.gateway()
    return [api.create_product(gateway, {"ProductName": name, "NodeType": 0, **params}) for name in names]


def shown(answer) -> list[str]:
    return [bound.row.name for bound in answer.context["table"].rows]


def test_products_are_listed_newest_first_with_one_call(emulator, org, sign_in, calls):
    make(org, "First_made", "Second_made")
    calls.clear()
    answer = sign_in("viewer").get(org.url("products/"))
    assert shown(answer) == ["Second_made", "First_made"]
    assert calls == ["QueryProductList"]


def test_search_finds_any_part_of_a_name_or_key_in_any_case(emulator, org, sign_in):
    keys = make(org, "Harbour_Lamp", "Harbour_Gate", "智能水表")
    browser = sign_in("viewer")
    assert shown(browser.get(org.url("products/?q=LAMP"))) == ["Harbour_Lamp"]
    assert shown(browser.get(org.url("products/?q=水"))) == ["智能水表"]
    assert shown(browser.get(org.url(f"products/?q={keys[1][3:]}"))) == ["Harbour_Gate"]


def test_gateways_and_thing_models_can_be_filtered_for(emulator, org, sign_in):
    make(org, "Plain_device")
    make(org, "Modelled_device", AliyunCommodityCode="iothub_senior", DataFormat=1)
    make(org, "Some_gateway", NodeType=1)
    browser = sign_in("viewer")
    assert shown(browser.get(org.url("products/?node=gateway"))) == ["Some_gateway"]
    assert shown(browser.get(org.url("products/?model=yes"))) == ["Modelled_device"]
    assert shown(browser.get(org.url("products/?model=no&node=device"))) == ["Plain_device"]


def test_the_list_is_sorted_by_the_column_that_the_address_names(emulator, org, sign_in):
    make(org, "Bravo", "alpha", "Charlie")
    browser = sign_in("viewer")
    assert shown(browser.get(org.url("products/?sort=name"))) == ["alpha", "Bravo", "Charlie"]
    assert shown(browser.get(org.url("products/?sort=-name"))) == ["Charlie", "Bravo", "alpha"]
    assert shown(browser.get(org.url("products/?sort=nonsense"))) == ["Charlie", "alpha", "Bravo"]


def test_pages_hold_as_many_rows_as_asked_for(emulator, org, sign_in):
    make(org, *(f"Product_{n:02}" for n in range(12)))
    answer = sign_in("viewer").get(org.url("products/?size=10&page=2"))
    assert shown(answer) == ["Product_01", "Product_00"]
    assert "11–12 of 12" in answer.content.decode()


def test_a_search_through_many_products_takes_four_calls_and_says_what_it_left_out(
    emulator, org, sign_in, calls, monkeypatch
):
    make(org, *(f"Product_{n:02}" for n in range(9)))
    monkeypatch.setattr(api, "LIST_PAGE", 2)
    calls.clear()
    answer = sign_in("viewer").get(org.url("products/?q=product"))
    assert calls == ["QueryProductList"] * 4
    assert len(shown(answer)) == 8
    assert "newest 8 of 9 products" in " ".join(answer.content.decode().split())


def test_the_export_has_all_that_match_and_nothing_a_spreadsheet_would_run(emulator, org, sign_in):
    make(org, "Harbour_Lamp", Description="=1+1")
    make(org, "Other_thing")
    answer = sign_in("viewer").get(org.url("products/?q=lamp&format=csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [(row["Name"], row["Description"]) for row in rows] == [("Harbour_Lamp", "'=1+1")]
    assert "attachment" in answer["Content-Disposition"]


def test_an_empty_list_offers_to_create_one_to_those_who_may(emulator, org, sign_in):
    assert "products/new/" in sign_in("operator").get(org.url("products/")).content.decode()
    assert "products/new/" not in sign_in("viewer").get(org.url("products/")).content.decode()


@pytest.mark.parametrize(("kind", "status"), [("throttle", 503), ("drop", 503), ("malformed", 502)])
def test_an_error_of_the_cloud_is_said_in_the_list_with_the_filters_kept(
    emulator, org, sign_in, kind, status
):
    emulator.faults.add(
        "QueryProductList", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    answer = sign_in("viewer").get(org.url("products/?q=lamp"))
    assert answer.status_code == status
    assert 'value="lamp"' in answer.content.decode()
    assert "fd-cloud-error" in answer.content.decode()


def test_htmx_gets_the_list_without_the_page_around_it(emulator, org, sign_in):
    answer = sign_in("viewer").get(org.url("products/"), headers={"HX-Request": "true"})
    assert 'id="products-results"' in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_ticked_products_are_published_after_a_question(emulator, org, sign_in):
    one, two = make(org, "Product_one", "Product_two")
    browser = sign_in("operator")
    asked = browser.post(org.url("products/publish/"), {"selected": [one, two]})
    assert "2 products are selected" in asked.content.decode()
    assert not api.product_detail(org.gateway(), one, fresh=True).published
    done = browser.post(
        org.url("products/publish/"), {"selected": [one, two, "a1missing000"], "confirmed": "1"}
    )
    assert done.context["failed"] == 1
    assert api.product_detail(org.gateway(), two, fresh=True).published


def test_nothing_ticked_or_too_much_is_refused(emulator, org, sign_in):
    browser = sign_in("operator")
    assert browser.post(org.url("products/publish/"), {}).status_code == 422
    many = [f"a1{n:09}" for n in range(51)]
    assert browser.post(org.url("products/publish/"), {"selected": many, "confirmed": "1"}).status_code == 422


def test_an_export_that_breaks_off_says_so_in_its_last_line(emulator, org, sign_in, monkeypatch):
    monkeypatch.setattr("console.products.api.LIST_PAGE", 2)
    gateway = org.gateway()
    for number in range(3):
        gateway.call("CreateProduct", ProductName=f"Meter_{number}", NodeType=0)
    response = sign_in("viewer").get(org.url("products/?format=csv"))
    emulator.faults.add("QueryProductList", "malformed", times=9)
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert len(lines) == 4
    assert "not complete" in lines[-1]


def test_an_export_that_cannot_begin_is_a_page_with_words(emulator, org, sign_in):
    emulator.faults.add("QueryProductList", "malformed", times=9)
    assert sign_in("viewer").get(org.url("products/?format=csv")).status_code == 502
