"""Finding an operation, and the tree of its answer."""

from __future__ import annotations

import re
from html import unescape

import pytest

from console.cloud.catalogue import operations
from console.explorer.search import best
from console.explorer.tree import MOST, SHOWN, tree


def found(answer) -> list[str]:
    return re.findall(r'class="ex-operation-name">(\w+)<', answer.content.decode())


def test_all_operations_are_listed_by_area_with_their_levels(emulator, org, sign_in):
    answer = sign_in("viewer").get(org.url("explorer/"))
    assert set(found(answer)) == set(operations())
    html = unescape(answer.content.decode())
    for word in ("Thing models", "Edge instances", "Read", "Write", "Destroy", "not for you"):
        assert word in html
    assert "not for you" not in sign_in("owner").get(org.url("explorer/")).content.decode()


@pytest.mark.parametrize(
    ("typed", "first"),
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
def test_part_of_the_name_or_its_capitals_find_it(emulator, org, sign_in, typed, first):
    assert best(typed).name == first
    browser = sign_in("viewer")
    assert found(browser.get(org.url("explorer/"), {"q": typed}))[0] == first
    answer = browser.get(org.url("explorer/"), {"q": typed, "go": "1"})
    assert answer["Location"] == org.url(f"explorer/{first}/")


def test_group_area_and_words_of_the_description_find_too(emulator, org, sign_in):
    browser = sign_in("viewer")
    assert "PubBroadcast" in found(browser.get(org.url("explorer/"), {"q": "communications"}))
    assert len(found(browser.get(org.url("explorer/"), {"area": "edge"}))) == 25
    assert "DeleteProduct" in found(browser.get(org.url("explorer/"), {"q": "permanently"}))


def test_nothing_found_says_so_and_leads_nowhere(emulator, org, sign_in):
    answer = sign_in("viewer").get(org.url("explorer/"), {"q": "<b>nothing</b>", "go": "1"})
    assert answer.status_code == 200
    assert "No operation is called like that." in answer.content.decode()
    assert "<b>nothing" not in answer.content.decode()


# -- the tree ----------------------------------------------------------------------------------------------------------


def test_a_tree_shows_names_values_and_sizes():
    html = str(
        tree({"Total": 12345678901234567890, "Ok": True, "None": None, "List": [{"a": "x"}], "Empty": []})
    )
    for part in ("12345678901234567890", "true", "null", "1 entry", "0 entries", "<details"):
        assert part in html


def test_names_and_values_are_escaped():
    html = str(tree({"<b>": "<script>alert(1)</script>", "json": '{"<i>": "<u>"}'}))
    assert not re.search(r"<(b|i|u|script)>", html)


def test_a_text_that_is_json_unfolds():
    html = str(
        tree({"TslStr": '{"properties": [{"identifier": "temperature"}]}', "NotJson": "{x", "Number": "[]"})
    )
    assert "JSON text" in html
    assert "temperature" in html
    assert html.count("JSON text") == 1


def test_the_rest_of_a_long_list_waits_until_it_is_asked_for():
    html = str(tree({"List": [f"entry-{number}" for number in range(1000)]}))
    before, after = html.split("<template>", 1)
    assert f"entry-{SHOWN - 1}<" in before
    assert f"entry-{SHOWN}<" not in before
    assert "entry-999<" in after
    assert "Show 950 more" in before


def test_an_enormous_answer_is_cut_and_a_deep_one_ends():
    html = str(tree({"List": [list(range(10)) for _ in range(MOST)]}))
    assert html.count("The rest is in the raw answer.") >= 1
    assert len(html) < 5_000_000
    deep: dict = {}
    for _ in range(500):
        deep = {"x": deep}
    assert "<details" in str(tree(deep))
