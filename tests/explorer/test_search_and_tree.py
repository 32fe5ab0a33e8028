"""The search for operations, and the tree of a response."""

from __future__ import annotations

import re
from html import unescape

import pytest

from console.explorer.search import find_best_match
from console.explorer.tree import MAX_NODES, MAX_SHOWN, render_tree
from iot_client.catalogue import operations


def listed_operations(response) -> list[str]:
    return re.findall(r"<b>(\w+)</b>", response.content.decode())


def test_all_operations_are_listed_by_area_with_their_levels(emulator, org, sign_in):
    response = sign_in("viewer").get(org.url("explorer/"))
    assert set(listed_operations(response)) == set(operations())
    html = unescape(response.content.decode())
    for word in ("Thing models", "Edge instances", "Read", "Write", "Delete", "No permission"):
        assert word in html
    assert "No permission" not in sign_in("owner").get(org.url("explorer/")).content.decode()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("QueryDevice", "QueryDevice"),
        ("querydevicedetail", "QueryDeviceDetail"),
        ("qdd", "QueryDeviceDetail"),
        ("device sql", "QueryDeviceBySQL"),
        ("rrpc", "RRpc"),
        ("quprodli", "QueryProductList"),
        ("ota firmware delete", "DeleteOTAFirmware"),
    ],
)
def test_an_operation_is_found_by_part_of_its_name_or_its_capitals(emulator, org, sign_in, text, first):
    assert find_best_match(text).name == first
    browser = sign_in("viewer")
    assert listed_operations(browser.get(org.url("explorer/"), {"q": text}))[0] == first
    response = browser.get(org.url("explorer/"), {"q": text, "go": "1"})
    assert response["Location"] == org.url(f"explorer/{first}/")


def test_an_operation_is_found_by_group_area_and_words_of_its_description(emulator, org, sign_in):
    browser = sign_in("viewer")
    assert "PubBroadcast" in listed_operations(browser.get(org.url("explorer/"), {"q": "communications"}))
    assert len(listed_operations(browser.get(org.url("explorer/"), {"area": "edge"}))) == 25
    assert "DeleteProduct" in listed_operations(
        browser.get(org.url("explorer/"), {"q": "deletes ProductKey"})
    )


def test_a_search_without_results_says_so_and_does_not_redirect(emulator, org, sign_in):
    response = sign_in("viewer").get(org.url("explorer/"), {"q": "<b>nothing</b>", "go": "1"})
    assert response.status_code == 200
    assert "No operations found." in response.content.decode()
    assert "<b>nothing" not in response.content.decode()


# -- the tree ----------------------------------------------------------------------------------------------------------


def test_a_tree_shows_names_values_and_sizes():
    html = str(
        render_tree(
            {"Total": 12345678901234567890, "Ok": True, "None": None, "List": [{"a": "x"}], "Empty": []}
        )
    )
    for part in ("12345678901234567890", "true", "null", "1 entry", "0 entries", "<details"):
        assert part in html


def test_names_and_values_are_escaped():
    html = str(render_tree({"<b>": "<script>alert(1)</script>", "json": '{"<i>": "<u>"}'}))
    assert not re.search(r"<(b|i|u|script)>", html)


def test_a_json_text_can_be_expanded():
    html = str(
        render_tree(
            {"TslStr": '{"properties": [{"identifier": "temperature"}]}', "NotJson": "{x", "Number": "[]"}
        )
    )
    assert "JSON text" in html
    assert "temperature" in html
    assert html.count("JSON text") == 1


def test_the_rest_of_a_long_list_is_hidden_at_first():
    html = str(render_tree({"List": [f"entry-{number}" for number in range(1000)]}))
    before, after = html.split("<template>", 1)
    assert f"entry-{MAX_SHOWN - 1}<" in before
    assert f"entry-{MAX_SHOWN}<" not in before
    assert "entry-999<" in after
    assert "Show 950 more" in before


def test_a_huge_response_is_cut_and_a_deep_one_ends():
    html = str(render_tree({"List": [list(range(10)) for _ in range(MAX_NODES)]}))
    assert html.count("The raw response contains the rest.") >= 1
    assert len(html) < 5_000_000
    deep: dict = {}
    for _ in range(500):
        deep = {"x": deep}
    assert "<details" in str(render_tree(deep))
