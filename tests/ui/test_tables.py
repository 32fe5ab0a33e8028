"""Tables: columns, sorting, export, selection, paging."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from django import forms
from django.http import QueryDict
from django.template.loader import render_to_string

from console.ui.forms import FilterForm
from console.ui.paging import Page, TokenPage, page_number, page_size
from console.ui.tables import BulkAction, Column, Empty, Selection, Table


@dataclass(frozen=True)
class Thing:
    name: str
    state: str = "ONLINE"
    at: datetime | None = None
    secret: str = "s3"
    count: int = 1200


THINGS: Table[Thing] = Table(
    id="things",
    caption="Things",
    columns=(
        Column("name", "Name", primary=True, sort=True, link=lambda request, row: f"/things/{row.name}"),
        Column("state", "State", kind="status", status="device"),
        Column("at", "Seen", kind="time", hidden=True),
        Column("count", "Count", kind="number"),
        Column("secret", "Secret", csv=False),
    ),
    key=lambda row: row.name,
    actions=(BulkAction("Delete", "trash", lambda request: "/delete", danger=True),),
    export=True,
)


class Filters(FilterForm):
    q = forms.CharField(label="Find", required=False, max_length=8)
    state = forms.ChoiceField(label="State", required=False, choices=[("", "Any"), ("ONLINE", "Online")])


def render_list(request, rows, template="ui/list.html", **options):
    table = THINGS.bind(request, rows, **options)
    return render_to_string(template, {"table": table, "filters": Filters(request)}, request=request)


def cells(text):
    return list(csv.reader(io.StringIO(text)))


def test_cells_are_linked_and_escaped(rf):
    html = render_list(rf.get("/"), [Thing('<b>"x"</b>')])
    assert "<b>" not in html
    assert 'href="/things/&lt;b&gt;' in html


def test_a_hidden_column_can_be_shown_and_the_choice_is_stored(rf):
    request = rf.get("/")
    assert [c.shown for c in THINGS.bind(request, []).columns] == [True, True, False, True, True]
    request.COOKIES["columns-things"] = "at"
    assert [c.shown for c in THINGS.bind(request, []).columns] == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("asked", "sort"),
    [("name", "name"), ("-name", "-name"), ("state", ""), ("'; drop", ""), ("", "")],
)
def test_only_declared_columns_sort(rf, asked, sort):
    assert THINGS.sort(rf.get("/", {"sort": asked})) == sort


def test_sorting_again_reverses_the_order_and_returns_to_page_one(rf):
    column = THINGS.bind(rf.get("/?sort=name&page=4&q=a"), []).columns[0]
    assert column.sorted == "ascending"
    assert column.sort_url == "/?sort=-name&q=a"


def test_the_export_has_all_columns_except_excluded_ones_and_times_in_utc():
    rows = cells("".join(THINGS.csv_lines([Thing("a", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))])))
    assert rows == [["\ufeffName", "State", "Seen", "Count"], ["a", "ONLINE", "2026-01-02T03:04:05Z", "1200"]]


@pytest.mark.parametrize("blanks", ["", "\t", "\r", "\n"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d"])
def test_the_export_contains_no_formula(blanks, sign):
    exported = "".join(THINGS.csv_lines([Thing(f"{blanks}{sign}cmd|' /C calc'!A0")]))
    rows = list(csv.reader(io.StringIO(exported, newline="")))
    assert rows[1][0] == f"{blanks}'{sign}cmd|' /C calc'!A0"


def test_a_selection_has_each_key_once_or_all_matching(rf):
    some = Selection.from_request(rf.post("/", {"selected": ["a", "b", "a"], "query": "q=x"}))
    assert some.keys == ("a", "b")
    assert not some.all_matching
    every = Selection.from_request(rf.post("/", {"all_matching": "1", "query": "q=x&state=ONLINE"}))
    assert every.all_matching
    assert every.query == QueryDict("q=x&state=ONLINE")
    assert not Selection.from_request(rf.post("/", {}))


def test_rows_can_be_selected_only_if_an_action_is_allowed(rf):
    locked = Table(
        id="locked",
        caption="x",
        columns=THINGS.columns,
        key=THINGS.key,
        actions=(BulkAction("Delete", "trash", lambda request: "/", allowed=lambda request: False),),
    )
    assert not locked.bind(rf.get("/"), []).is_selectable
    assert "data-tick-page" in render_list(rf.get("/"), [Thing("a")])
    assert "data-tick-page" not in render_to_string(
        "ui/table.html", {"table": locked.bind(rf.get("/"), [Thing("a")])}
    )


def test_select_all_is_offered_for_more_than_one_page(rf):
    assert "data-select-all" in render_list(rf.get("/"), [Thing("a")], page=Page(1, 25, 4000))
    assert "data-select-all" not in render_list(rf.get("/"), [Thing("a")], page=Page(1, 25, 1))


def test_an_empty_list_shows_the_next_step_and_a_filtered_one_how_to_clear(rf):
    empty = Empty("No things yet", "Make one.", url="/new", action="Make")
    assert "No things yet" in render_list(rf.get("/"), [], empty=empty)
    filtered = render_list(rf.get("/?q=zz"), [], empty=empty)
    assert "No results for these filters" in filtered
    assert "No things yet" not in filtered


def test_each_active_filter_is_a_chip_that_removes_it(rf):
    filters = Filters(rf.get("/?q=ab&state=ONLINE&page=3&size=50"))
    assert [(c.label, c.value, c.url) for c in filters.chips] == [
        ("Search", "ab", "/?state=ONLINE&size=50"),
        ("State", "Online", "/?q=ab&size=50"),
    ]
    assert filters.clear_url == "/?size=50"


def test_an_invalid_filter_value_is_ignored_and_reported(rf):
    filters = Filters(rf.get("/?state=BOGUS&q=ok"))
    assert filters.values == {"q": "ok"}
    assert filters.errors["state"]


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("0", 1), ("-2", 1), ("x", 1), ("٣", 1), ("9" * 30, 1)]
)
def test_page_numbers_are_bounded(rf, text, number):
    assert page_number(rf.get("/", {"page": text})) == number


@pytest.mark.parametrize(("text", "size"), [("50", 50), ("51", 25), ("1000000", 25), ("", 25)])
def test_only_offered_page_sizes_are_accepted(rf, text, size):
    assert page_size(rf.get("/", {"size": text})) == size


@pytest.mark.parametrize(
    ("number", "total", "numbers"),
    [
        (1, 0, [1]),
        (1, 100, [1, 2, 3, 4]),
        (7, 500, [1, None, 6, 7, 8, None, 20]),
        (3, 500, [1, 2, 3, 4, None, 20]),
        (20, 500, [1, None, 19, 20]),
    ],
)
def test_paging_links_first_last_and_neighbors(number, total, numbers):
    assert list(Page(number, 25, total).numbers) == numbers


def test_pages_beyond_the_platforms_limit_are_not_linked():
    page = Page(10, 50, 1_000_000, last=10)
    assert page.next is None
    assert page.pages == 10


def test_a_token_page_links_the_next_and_the_first_page(rf):
    html = render_list(rf.get("/?token=abc"), [Thing("a")], page=TokenPage(25, 1, "abc", "def"))
    assert "token=def" in html
    assert 'href="/"' in html


def test_links_of_a_page_have_a_number_or_a_token_and_never_both(rf):
    request = rf.get("/?q=a&page=3&token=abc")
    assert Page(3, 25, 200).url(request, 4) == "/?q=a&page=4"
    assert TokenPage(25, 1, "abc", "def").url(request, "def") == "/?q=a&token=def"
    assert TokenPage(25, 1, "abc", "def").url(request, None) == "/?q=a"


def names(bound):
    return [row.name for row in bound.rows]


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ["beta", "Alpha", "gamma"]),
        ("?sort=name", ["Alpha", "beta", "gamma"]),
        ("?sort=-name", ["gamma", "beta", "Alpha"]),
        ("?sort=state", ["beta", "Alpha", "gamma"]),
    ],
)
def test_a_list_without_pages_is_sorted_without_case_by_its_sortable_columns(rf, query, order):
    rows = [Thing("beta", state="OFFLINE"), Thing("Alpha"), Thing("gamma")]
    assert names(THINGS.bind(rf.get(f"/{query}"), rows)) == order


def test_rows_without_a_value_come_last_in_both_directions(rf):
    table = replace(THINGS, columns=[Column("name", "Name"), Column("at", "Seen", sort=True)])
    rows = [Thing("never"), *(Thing(f"day {day}", at=datetime(2026, 1, day, tzinfo=UTC)) for day in (2, 1))]
    assert names(table.bind(rf.get("/?sort=at"), rows)) == ["day 1", "day 2", "never"]
    assert names(table.bind(rf.get("/?sort=-at"), rows)) == ["day 2", "day 1", "never"]


def test_a_status_is_sorted_by_its_label(rf):
    table = replace(THINGS, columns=[Column("state", "State", kind="status", status="device", sort=True)])
    rows = [Thing("a", state="UNACTIVE"), Thing("b", state="OFFLINE"), Thing("c", state="DISABLE")]
    assert names(table.bind(rf.get("/?sort=state"), rows)) == [
        "c",
        "a",
        "b",
    ]  # Disabled, Not activated, Offline


def test_the_order_without_a_choice_is_shown_at_its_column(rf):
    table = replace(THINGS, default_sort="-name")
    assert 'aria-sort="descending"' in render_to_string(
        "ui/table.html", {"table": table.bind(rf.get("/"), [Thing("a")])}
    )
    assert table.bind(rf.get("/"), []).columns[0].sort_url == "/?sort=name"


@pytest.mark.parametrize(("total", "offered"), [(10, False), (11, True)])
def test_page_sizes_are_offered_for_more_rows_than_the_smallest_page_has(rf, total, offered):
    html = render_list(rf.get("/"), [Thing("a")], page=Page(1, 25, total))
    assert ("rows per page" in html) is offered
    last = TokenPage(25, total, "", None)
    assert ("rows per page" in render_list(rf.get("/"), [Thing("a")], page=last)) is offered


@pytest.mark.parametrize(
    ("page", "is_said"),
    [(Page(1, 25, 60), True), (Page(1, 25, 2), False), (TokenPage(25, 60, "", "t"), True)],
)
def test_a_list_of_several_pages_says_that_the_platform_sets_its_order(page, is_said, rf):
    rows = [Thing("a"), Thing("b")]
    bound = replace(THINGS, platform_order=True).bind(rf.get("/"), rows, page=page)
    assert ("The platform sets the order" in render_to_string("ui/results.html", {"table": bound})) is is_said
    assert "The platform sets the order" not in render_list(rf.get("/"), rows, page=page)


def test_all_that_match_are_counted_in_the_unit_of_the_list(rf):
    bound = replace(THINGS, unit="devices").bind(rf.get("/"), [Thing("a")], page=Page(1, 25, 499))
    html = render_to_string("ui/results.html", {"table": bound})
    assert "Select all 499 matching devices" in html
    assert "All 499 matching devices selected" in html


def test_each_row_has_a_button_that_fetches_its_menu(rf):
    table = replace(THINGS, menu=lambda request, row: f"/things/{row.name}/menu/")
    html = render_to_string("ui/table.html", {"table": table.bind(rf.get("/"), [Thing("<a>"), Thing("b")])})
    assert 'data-menu="/things/&lt;a&gt;/menu/"' in html
    assert 'aria-label="Actions for b"' in html
    assert html.count('id="things-menu"') == 1


def test_the_menu_of_columns_is_in_the_head_of_a_list_with_rows(rf):
    assert 'popovertarget="things-columns"' in render_list(rf.get("/"), [Thing("a")])
    assert "things-columns" not in render_list(rf.get("/"), [])
    plain = {"table": THINGS.bind(rf.get("/"), [Thing("a")])}
    assert "things-columns" not in render_to_string("ui/table.html", plain), "nothing fetches it again"


def test_of_many_filters_all_but_two_and_the_period_are_behind_a_button(rf):
    class Many(FilterForm):
        q = forms.CharField(required=False)
        person = forms.CharField(required=False)
        operation = forms.CharField(required=False)
        outcome = forms.CharField(required=False)
        token = forms.CharField(required=False)
        since = forms.DateField(required=False)

    filters = Many(rf.get("/"))
    assert [field.name for field in filters.shown_fields] == ["person", "operation", "since"]
    assert [field.name for field in filters.extra_fields] == ["outcome", "token"]
    assert Filters(rf.get("/")).extra_fields == []
