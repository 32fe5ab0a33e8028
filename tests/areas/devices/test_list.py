"""The list of devices: its operations, search, filters, deep pages, export and number of calls."""

from __future__ import annotations

import csv
import io
import re

import pytest

from console.areas.devices import api, lists
from console.areas.devices.records import DeviceFilter


def read_names(response) -> list[str]:
    return [row.name for row in response.context["table"].rows]


def page_text(response) -> str:
    return " ".join(response.content.decode().split())


def test_without_filters_the_products_are_listed(register, org, sign_in, calls):
    register("lamp-0001")
    calls.clear()
    response = sign_in("viewer").get(org.url("devices/"))
    assert read_names(response) == ["Harbor_Lamp"]
    assert calls == ["QueryProductList"]


def test_a_products_devices_are_listed_newest_first_with_their_status(register, product, org, sign_in, calls):
    register("lamp-0001", "lamp-0002")
    api.disable_device(org.gateway(), product, "lamp-0001")
    calls.clear()
    response = sign_in("viewer").get(org.url(f"devices/?product={product}"))
    assert read_names(response) == ["lamp-0002", "lamp-0001"]
    assert "Not activated" in page_text(response)
    assert "Disabled" in page_text(response)
    assert calls == ["QueryProductList", "QueryDevice"]


def test_the_status_filter_works_in_one_product_and_in_all(register, product, org, sign_in, calls):
    register("lamp-0001", "lamp-0002")
    api.disable_device(org.gateway(), product, "lamp-0001")
    browser = sign_in("viewer")
    calls.clear()
    assert read_names(browser.get(org.url(f"devices/?product={product}&status=DISABLE"))) == ["lamp-0001"]
    assert read_names(browser.get(org.url("devices/?status=UNACTIVE"))) == ["lamp-0002"]
    assert calls.count("QueryDeviceByStatus") == 2


def test_in_a_small_product_any_part_of_a_name_is_found_and_combines_with_a_status(
    register, product, org, sign_in
):
    register("lamp-0001", "lamp-0002", "gate-0001")
    api.disable_device(org.gateway(), product, "gate-0001")
    browser = sign_in("viewer")
    assert read_names(browser.get(org.url(f"devices/?product={product}&q=-0001"))) == [
        "gate-0001",
        "lamp-0001",
    ]
    assert read_names(browser.get(org.url(f"devices/?product={product}&q=LAMP"))) == [
        "lamp-0002",
        "lamp-0001",
    ]
    assert read_names(browser.get(org.url(f"devices/?product={product}&q=0001&status=DISABLE"))) == [
        "gate-0001"
    ]


def test_nicknames_can_be_searched(register, product, org, sign_in):
    register("lamp-0001", nickname="At_the_pier")
    register("lamp-0002", nickname="码头路灯")
    browser = sign_in("viewer")
    assert read_names(browser.get(org.url(f"devices/?product={product}&field=nickname&q=pier"))) == [
        "lamp-0001"
    ]
    assert read_names(browser.get(org.url(f"devices/?product={product}&field=nickname&q=码头"))) == [
        "lamp-0002"
    ]
    assert read_names(browser.get(org.url("devices/?field=nickname&q=At_the_pier"))) == ["lamp-0001"]


def test_a_large_product_is_searched_by_the_platform_for_prefixes_and_full_names(
    register, product, org, sign_in, monkeypatch
):
    register("lamp0001", "lamp0002", "gate-0001")
    monkeypatch.setattr(lists, "FULL_SCAN_LIMIT", 2)
    browser = sign_in("viewer")
    beginnings = browser.get(org.url(f"devices/?product={product}&q=lamp"))
    assert read_names(beginnings) == ["lamp0001", "lamp0002"]
    assert "Search matches the start of a name" in page_text(beginnings)
    whole = browser.get(org.url(f"devices/?product={product}&q=gate-0001"))
    assert read_names(whole) == ["gate-0001"]
    assert "match full device names only" in page_text(whole)


def test_if_the_platform_finds_nothing_the_newest_devices_are_searched(
    register, product, org, sign_in, monkeypatch, calls
):
    register(*(f"gate-{n:04}" for n in range(4)))
    monkeypatch.setattr(lists, "FULL_SCAN_LIMIT", 2)
    calls.clear()
    response = sign_in("viewer").get(org.url(f"devices/?product={product}&q=-000"))
    assert len(read_names(response)) == 4
    assert "among the newest 100 of 4 devices" in page_text(response)
    assert len(calls) <= 4


def test_a_search_of_the_platform_is_paged_and_counted(register, product, org, monkeypatch):
    register(*(f"lamp{n:04}" for n in range(7)))
    device_filter = DeviceFilter(product, "lamp")
    first = lists.list_devices(org.gateway(), device_filter, size=5)
    second = lists.list_devices(org.gateway(), device_filter, size=5, page=2)
    assert (first.total, second.total) == (7, 7)
    assert [d.name for d in (*first.devices, *second.devices)] == [f"lamp{n:04}" for n in range(7)]


@pytest.mark.parametrize("text", ['"', "a' OR '1'='1", "back\\slash", "two words"])
def test_a_text_that_no_device_can_have_is_refused_before_it_reaches_a_statement(
    register, product, org, sign_in, calls, text
):
    register("lamp-0001")
    calls.clear()
    response = sign_in("viewer").get(org.url("devices/"), {"q": text, "product": product})
    assert response.status_code == 200
    assert "Device names contain only English letters" in page_text(response)
    assert calls == ["QueryProductList"]


def test_an_unknown_product_shows_a_clear_error(emulator, org, sign_in):
    response = sign_in("viewer").get(org.url("devices/?product=a1missing000"))
    assert response.status_code == 404
    assert "iot.prod.NotExistedProduct" in page_text(response)


def test_pages_beyond_the_limit_of_page_numbers_use_tokens(register, product, org, sign_in, monkeypatch):
    register(*(f"lamp-{n:04}" for n in range(25)))
    monkeypatch.setattr(lists, "PAGING_LIMIT", 20)
    browser = sign_in("viewer")
    seen: list[str] = []
    address = org.url(f"devices/?product={product}&size=10")
    response = browser.get(address)
    seen += read_names(response)
    response = browser.get(f"{address}&page=2")
    seen += read_names(response)
    page = response.context["table"].page
    assert page.total == 25
    assert (page.url(response.wsgi_request, None), response.wsgi_request.GET["page"]) == (address, "2")
    assert not re.search(r'href="[^"]*page=2', response.content.decode())
    response = browser.get(page.url(response.wsgi_request, page.next))
    seen += read_names(response)
    assert "21–25 of 25" in response.content.decode()
    assert seen == [f"lamp-{n:04}" for n in reversed(range(25))]
    assert response.context["table"].page.next is None


@pytest.mark.parametrize("token", ["nonsense", "7.", "x.y", ".", "9" * 3000])
def test_an_invalid_token_causes_no_server_error(register, product, org, sign_in, token):
    register("lamp-0001")
    response = sign_in("viewer").get(org.url("devices/"), {"product": product, "token": token})
    assert response.status_code in {200, 400, 409, 502}


def test_an_empty_product_shows_a_message_and_a_link_to_register(product, org, sign_in):
    assert "No devices yet" in page_text(sign_in("operator").get(org.url(f"devices/?product={product}")))
    text = page_text(sign_in("viewer").get(org.url(f"devices/?product={product}")))
    assert "devices/new/" not in text
    assert "No results for these filters" in page_text(
        sign_in("viewer").get(org.url(f"devices/?product={product}&q=nothing"))
    )


@pytest.mark.parametrize(("kind", "status"), [("throttle", 503), ("drop", 503), ("malformed", 502)])
@pytest.mark.parametrize("operation", ["QueryDevice", "QueryProductList"])
def test_a_platform_error_is_shown_in_the_list(
    register, product, org, sign_in, emulator, kind, status, operation
):
    register("lamp-0001")
    emulator.faults.add(operation, kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {}))
    response = sign_in("viewer").get(org.url(f"devices/?product={product}"))
    assert response.status_code == status
    assert "fd-cloud-error" in page_text(response)
    part = sign_in("viewer").get(org.url(f"devices/?product={product}"), headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "fd-cloud-error" in page_text(part)


def test_every_list_takes_at_most_four_calls(fleet, org, sign_in, calls):
    browser = sign_in("owner")
    from django.core.cache import cache

    from console.areas.products import api as products_api

    key = max(products_api.list_newest_products(org.gateway()), key=lambda product: product.devices).key
    for query in ["", f"?product={key}", f"?product={key}&status=ONLINE", f"?product={key}&q=DDS",
                  f"?product={key}&q=nothing-at-all", "?q=DDS720", "?status=OFFLINE", f"?product={key}&page=9999"]:  # fmt: skip
        cache.clear()
        calls.clear()
        assert browser.get(org.url(f"devices/{query}")).status_code == 200, query
        assert len(calls) <= 4, (query, calls)


# -- export ----------------------------------------------------------------------------------------------------------


def read_export(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_export_has_all_devices_of_the_filter_page_by_page(register, product, org, sign_in, calls):
    register(*(f"lamp-{n:04}" for n in range(120)))
    calls.clear()
    rows = read_export(sign_in("viewer").get(org.url(f"devices/?product={product}&format=csv&size=10")))
    assert len(rows) == 120
    assert calls.count("QueryDevice") == 3
    assert rows[0]["Name"] == "lamp-0119"
    assert "DeviceSecret" not in str(rows[0])


def test_the_export_follows_the_filters(register, product, org, sign_in):
    register("lamp-0001", "lamp-0002", "gate-0001")
    api.disable_device(org.gateway(), product, "lamp-0002")
    browser = sign_in("viewer")
    for query, names in {
        f"product={product}&q=lamp": ["lamp-0002", "lamp-0001"],
        "status=DISABLE": ["lamp-0002"],
        "q=lamp-0001": ["lamp-0001"],
    }.items():
        assert [
            row["Name"] for row in read_export(browser.get(org.url(f"devices/?{query}&format=csv")))
        ] == names


def test_an_export_larger_than_the_limit_of_the_platform_is_refused_and_not_cut(
    register, product, org, sign_in, monkeypatch
):
    from console.areas.devices import sql

    register(*(f"lamp{n:04}" for n in range(4)))
    monkeypatch.setattr(sql, "MAX_ROWS", 3)
    response = sign_in("viewer").get(org.url("devices/?q=lamp&format=csv"), follow=True)
    assert "4 devices match" in page_text(response)


def test_an_interrupted_export_says_so_at_its_end(register, product, org, sign_in, emulator):
    register(*(f"lamp-{n:04}" for n in range(60)))
    response = sign_in("viewer").get(org.url(f"devices/?product={product}&format=csv"))
    emulator.faults.add("QueryDevice", kind="malformed", times=50)
    text = b"".join(response.streaming_content).decode()
    assert text.count("\r\n") == 1 + 50 + 1
    assert "This file is incomplete" in text.splitlines()[-1]


def test_an_export_that_cannot_start_shows_an_error_page(register, product, org, sign_in, emulator):
    register("lamp-0001")
    emulator.faults.add("QueryDevice", kind="malformed", times=50)
    response = sign_in("viewer").get(org.url(f"devices/?product={product}&format=csv"))
    assert response.status_code == 502
    assert "Content-Disposition" not in response


# -- search ----------------------------------------------------------------------------------------------------------


def test_a_full_name_or_iot_id_opens_the_device(register, product, org, sign_in):
    register("lamp-0001")
    browser = sign_in("viewer")
    found = api.get_device(org.gateway(), product, "lamp-0001").device
    for text in ("lamp-0001", found.iot_id):
        response = browser.get(org.url("devices/search/"), {"q": text})
        assert response.status_code == 302
        assert response["Location"] == org.url(f"devices/{product}/lamp-0001/")


def test_a_prefix_lists_devices_of_all_products_and_products_by_name(register, product, org, sign_in, calls):
    register("Harbor01", "Harbor02")
    calls.clear()
    response = sign_in("viewer").get(org.url("devices/search/?q=Harbor"))
    assert read_names(response) == ["Harbor01", "Harbor02"]
    assert "Harbor_Lamp" in page_text(response)
    assert len(calls) <= 4


@pytest.mark.parametrize("text", ["", "nothing-like-it", '"', "x" * 500])
def test_a_search_without_results_explains_why(product, org, sign_in, text):
    response = sign_in("viewer").get(org.url("devices/search/"), {"q": text})
    assert response.status_code == 200
    assert ("Nothing found" in page_text(response)) is bool(text)


def test_a_filter_that_changes_products_to_devices_brings_columns_and_export(org, product, sign_in):
    """The list of products to choose from has neither; htmx replaces them with the list."""
    browser, url = sign_in("operator"), org.url("devices/")
    chosen = f"{url}?product={product}"

    def renews_tools(address: str, current: str) -> bool:
        page = browser.get(
            address, headers={"HX-Request": "true", "HX-Current-URL": current}
        ).content.decode()
        return 'id="devices-tools" hx-swap-oob="true"' in page

    assert renews_tools(chosen, url)
    assert renews_tools(url, chosen)
    assert not renews_tools(f"{chosen}&q=lamp", chosen), "an open menu of columns stays"
    assert not renews_tools(url, url)


def test_the_tab_of_a_product_has_its_devices_with_filters_and_export(register, product, org, sign_in, calls):
    register("lamp-0001", "lamp-0002")
    api.disable_device(org.gateway(), product, "lamp-0001")
    url, browser = org.url(f"devices/of/{product}/"), sign_in("operator")
    calls.clear()
    response = browser.get(url)
    assert read_names(response) == ["lamp-0002", "lamp-0001"]
    assert sorted(calls) == ["QueryDevice", "QueryProduct"]
    assert 'aria-current="page"' in page_text(response)
    assert read_names(browser.get(f"{url}?status=DISABLE")) == ["lamp-0001"]
    exported = b"".join(browser.get(f"{url}?format=csv").streaming_content).decode()
    assert "lamp-0001" in exported


def test_all_that_match_in_the_tab_of_a_product_are_devices_of_this_product(register, product, org, sign_in):
    register("lamp-0001")
    other = org.url(f"devices/of/{product}/?product=another&status=UNACTIVE")
    page = sign_in("operator").get(other)
    assert page.context["table"].query == f"product={product}&status=UNACTIVE"


def test_the_menu_of_a_row_has_the_actions_of_the_device_in_its_state(register, product, org, sign_in, calls):
    register("lamp-0001")
    url, browser = org.url(f"devices/{product}/lamp-0001/"), sign_in("operator")
    assert f'data-menu="{url}menu/"' in browser.get(org.url(f"devices/?product={product}")).content.decode()
    calls.clear()
    menu = page_text(browser.get(f"{url}menu/"))
    assert calls == ["QueryDeviceDetail"]
    assert f"{url}disable/" in menu
    assert f"{url}enable/" not in menu
    api.disable_device(org.gateway(), product, "lamp-0001")
    menu = page_text(browser.get(f"{url}menu/"))
    assert f"{url}enable/" in menu
    assert f"{url}disable/" not in menu
    assert f"{url}delete/" not in page_text(sign_in("viewer").get(f"{url}menu/"))
