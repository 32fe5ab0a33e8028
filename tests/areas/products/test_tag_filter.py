"""The list of products with tags: how tags combine with each other and with the other filters, on the page and in the HTTP API."""

from __future__ import annotations

import csv
import io

import pytest

from console.accounts.models import Membership
from console.areas.products import api
from console.areas.products.actions import BULK_PUBLISH
from console.connections.scope import lists
from console.jobs.models import Job
from console.pages.tags import Tag
from tests.api_programs import problem_kind

TAGGED = {
    "Harbor_Lamp": {"city": "Ulm"},
    "Harbor_Gate": {"city": "Ulm", "site": "north"},
    "Water_Meter": {"city": "Bonn"},
    "Gas_Meter": {"site": "north"},
    "Spare_Part": {},
}


@pytest.fixture
def keys(emulator, org, clock) -> dict[str, str]:
    """The keys of the products of TAGGED, by name. They are created in this order. One is a gateway, one has a thing model."""
    gateway = org.gateway()
    created = {}
    for name, tags in TAGGED.items():
        product = api.NewProduct(
            name,
            gateway=name == "Harbor_Gate",
            thing_model=name == "Water_Meter",
            data_format=1 if name == "Water_Meter" else None,
        )
        created[name] = api.create_product(gateway, product)
        clock.advance(1)
        for key, value in tags.items():
            api.set_tag(gateway, created[name], Tag(key, value))
    return created


def limit_access(org, role: str, **access_scope: list[str]) -> None:
    Membership.objects.filter(team=org.team, user=org.members[role]).update(access_scope=access_scope)


def listed_names(response) -> list[str]:
    return [row.name for row in response.context["table"].rows]


def page_text(response) -> str:
    return " ".join(response.content.decode().split())


# -- the list ----------------------------------------------------------------------------------------------------------


def test_a_product_is_listed_if_it_has_one_of_the_tags_and_the_page_says_so(keys, org, sign_in):
    browser = sign_in("viewer")
    one = browser.get(org.url("products/"), {"tags": "city=Ulm"})
    assert listed_names(one) == ["Harbor_Gate", "Harbor_Lamp"]
    assert "at least one of the tags" not in page_text(one)
    two = browser.get(org.url("products/"), {"tags": "city=Bonn, site=north"})
    assert listed_names(two) == ["Gas_Meter", "Water_Meter", "Harbor_Gate"]
    assert "at least one of the tags" in page_text(two)


def test_a_tag_without_a_value_finds_every_value_of_its_key(keys, org, sign_in):
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city"})
    assert listed_names(response) == ["Water_Meter", "Harbor_Gate", "Harbor_Lamp"]


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ({"q": "gate"}, ["Harbor_Gate"]),
        ({"node": "device"}, ["Gas_Meter", "Water_Meter", "Harbor_Lamp"]),
        ({"model": "yes"}, ["Water_Meter"]),
        ({"sort": "name"}, ["Gas_Meter", "Harbor_Gate", "Harbor_Lamp", "Water_Meter"]),
        ({"q": "spare"}, []),
    ],
)
def test_tags_combine_with_search_other_filters_and_sort(keys, org, sign_in, others, names):
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city, site", **others})
    assert listed_names(response) == names


def test_a_list_with_tags_has_pages_and_a_total(keys, org, sign_in, monkeypatch):
    for number in range(9):
        key = api.create_product(org.gateway(), api.NewProduct(f"Extra_{number}", thing_model=False))
        api.set_tag(org.gateway(), key, Tag("city", "Ulm"))
    # 13 products have a tag: also the platform's list of them takes several pages.
    monkeypatch.setattr(api, "MAX_TAGGED_PAGE_SIZE", 4)
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city,site", "size": "10", "page": "2"})
    assert listed_names(response) == ["Water_Meter", "Harbor_Gate", "Harbor_Lamp"]
    assert "11–13 of 13" in page_text(response)


def test_the_columns_of_a_list_with_tags_are_complete(keys, org, sign_in):
    row = sign_in("viewer").get(org.url("products/"), {"tags": "city=Bonn"}).context["table"].rows[0]
    assert (row.key, row.data_format, row.auth_type) == (keys["Water_Meter"], 1, "secret")


@pytest.mark.parametrize(
    "text", ["city=Ulm west", "two words", "=Ulm", "city=a,,=,b", ",", " , ,", ",".join("abcdefghijk")]
)
def test_invalid_tags_list_and_select_nothing_and_the_list_says_why(keys, org, sign_in, calls, text):
    browser = sign_in("operator")
    calls.clear()
    response = browser.get(org.url("products/"), {"tags": text}, headers={"HX-Request": "true"})
    assert listed_names(response) == []
    assert "cannot be a tag" in page_text(response) or "up to 10 tags" in page_text(response)
    data = {"all_matching": "1", "query": f"tags={text}"}
    assert browser.post(org.url("products/bulk/publish/"), data).status_code == 422
    export = browser.get(org.url("products/"), {"tags": text, "format": "csv"})
    assert len(b"".join(export.streaming_content).splitlines()) == 1
    assert calls == []


def test_an_error_of_the_tag_search_is_shown_instead_of_a_list(keys, emulator, org, sign_in):
    emulator.faults.add("ListProductByTags", kind="malformed", times=9)
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city"})
    assert response.status_code == 502
    assert 'value="city"' in response.content.decode()
    assert keys["Harbor_Lamp"] not in response.content.decode()


def test_the_export_has_the_products_with_the_tags(keys, org, sign_in):
    response = sign_in("viewer").get(org.url("products/"), {"tags": "site", "format": "csv"})
    rows = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig")))
    assert [row["Name"] for row in rows] == ["Gas_Meter", "Harbor_Gate"]


# -- all that match ----------------------------------------------------------------------------------------------------


def test_all_that_match_are_the_products_that_have_the_tags_when_the_user_asks(keys, org, sign_in):
    browser = sign_in("operator")
    data = {"all_matching": "1", "query": "tags=city%3DUlm&q=harbor"}
    question = browser.post(org.url("products/bulk/publish/"), data)
    assert question.context["keys"] == [keys["Harbor_Gate"], keys["Harbor_Lamp"]]
    api.set_tag(org.gateway(), keys["Spare_Part"], Tag("city", "Ulm"))
    browser.post(org.url("products/bulk/publish/"), {"selected": question.context["keys"], "confirmed": "1"})
    published = {
        name for name, key in keys.items() if api.get_product(org.gateway(), key, fresh=True).is_published
    }
    assert published == {"Harbor_Gate", "Harbor_Lamp"}


def test_the_job_for_many_freezes_the_products_that_have_the_tags(keys, org, sign_in, run_job, monkeypatch):
    monkeypatch.setitem(BULK_PUBLISH.__dict__, "direct", 1)
    data = {"all_matching": "1", "query": "tags=city%3DUlm"}
    sign_in("operator").post(org.url("products/bulk/publish/"), data)
    job = run_job(Job.objects.get())
    api.set_tag(org.gateway(), keys["Spare_Part"], Tag("city", "Ulm"))
    assert sorted(job.items.values_list("key", flat=True)) == sorted(
        [keys["Harbor_Gate"], keys["Harbor_Lamp"]]
    )


# -- access scope ------------------------------------------------------------------------------------------------------


def test_a_limited_member_sees_only_products_in_scope(keys, org, sign_in):
    limit_access(org, "viewer", products=[keys["Harbor_Lamp"], keys["Gas_Meter"]])
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city,site"})
    assert listed_names(response) == ["Gas_Meter", "Harbor_Lamp"]
    assert response.context["table"].total == 2
    for name in ("Harbor_Gate", "Water_Meter"):
        assert keys[name] not in response.content.decode()


def test_the_pages_of_the_operation_count_only_products_in_scope(keys, org):
    limit_access(org, "viewer", products=[keys["Harbor_Lamp"], keys["Harbor_Gate"]])
    pages = [
        org.gateway("viewer").call(
            "ListProductByTags", ProductTag=[{"TagKey": "city"}], CurrentPage=page, PageSize=1
        )
        for page in (1, 2, 3)
    ]
    listed = [page["ProductInfos"]["ProductInfo"] for page in pages]
    assert [[item["ProductName"] for item in items] for items in listed] == [
        ["Harbor_Gate"],
        ["Harbor_Lamp"],
        [],
    ]


def test_a_member_limited_to_groups_finds_no_product_by_tags(keys, org, sign_in, calls):
    limit_access(org, "viewer", groups=["somewhere"])
    calls.clear()
    assert listed_names(sign_in("viewer").get(org.url("products/"), {"tags": "city"})) == []
    assert calls == []


def test_more_products_than_can_be_checked_are_refused_and_not_shown_in_part(keys, org, sign_in, monkeypatch):
    monkeypatch.setattr(lists, "_MAX_TAGGED_PRODUCTS", 1)
    monkeypatch.setattr(lists, "MAX_PAGES", 2)
    limit_access(org, "viewer", products=[keys["Harbor_Lamp"]])
    response = sign_in("viewer").get(org.url("products/"), {"tags": "city"})
    assert response.status_code == 403
    assert "Too many products have these tags" in response.content.decode()


# -- links, HTTP API ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", "tags/"])
def test_a_tag_on_the_pages_of_a_product_leads_to_the_products_with_this_tag(keys, org, sign_in, page):
    browser = sign_in("viewer")
    address = org.url("products/?tags=site%3Dnorth")
    text = browser.get(org.url(f"products/{keys['Gas_Meter']}/{page}")).content.decode()
    assert f'<a href="{address}">north</a>' in text
    assert listed_names(browser.get(address)) == ["Gas_Meter", "Harbor_Gate"]


def test_a_program_lists_the_products_with_one_of_the_tags(keys, create_program):
    program = create_program("viewer", "viewer")
    page = program.get("sandbox/products?tag=city%3DBonn&tag=site&limit=2").json()
    assert ([item["name"] for item in page["items"]], page["total"]) == (["Gas_Meter", "Water_Meter"], 3)
    rest = program.get(
        f"sandbox/products?tag=city%3DBonn&tag=site&page_token={page['next_page_token']}"
    ).json()
    assert [item["name"] for item in rest["items"]] == ["Harbor_Gate"]


@pytest.mark.parametrize("query", ["tag=two%20words", "&".join(f"tag=k{number}" for number in range(11))])
def test_a_program_learns_that_its_tags_are_invalid(keys, create_program, calls, query):
    calls.clear()
    response = create_program("viewer", "viewer").get(f"sandbox/products?{query}")
    assert problem_kind(response) == "validation-failed"
    assert {error["field"] for error in response.json()["errors"]} == {"tag"}
    assert calls == []
