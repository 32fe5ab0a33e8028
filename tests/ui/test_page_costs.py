"""What a page costs: bytes of a table row, and database queries of the frame."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.populated import PopulatedTeam

SignIn = Callable[[str], Client]
ROW_BYTES = 1_000
DEVICE_LIST_BYTES = 40_000
REQUEST_QUERIES = 4  # session, user, membership, connection


def test_a_row_of_the_device_list_costs_less_than_a_kilobyte(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    url, product = populated.url("devices:list"), populated.things["products"]["key"]
    pages = {size: client.get(url, {"product": product, "size": size}).content for size in (10, 25, 50)}
    rows = {size: page.count(b'name="selected"') for size, page in pages.items()}
    assert rows[10] < rows[25], "the product needs more devices than fit on the first page"
    assert (len(pages[25]) - len(pages[10])) / (rows[25] - rows[10]) < ROW_BYTES
    assert len(pages[25]) < DEVICE_LIST_BYTES


def test_a_page_has_no_indentation(populated: PopulatedTeam, sign_in: SignIn) -> None:
    page = sign_in("owner").get(populated.url("groups:list")).content.decode()
    assert [line for line in page.splitlines() if line.startswith("  ")] == []


def test_the_frame_makes_no_queries(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.get(populated.url("groups:list"))  # stores when the session was used and the last visited place
    with CaptureQueriesContext(connection) as queries:
        assert client.get(populated.url("groups:list")).status_code == 200
    assert len(queries) == REQUEST_QUERIES, [query["sql"] for query in queries]


def test_the_switcher_is_fetched_when_it_is_opened(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    page = client.get(populated.org.url()).content.decode()
    url = reverse("teams:switcher", args=[populated.org.team.slug])
    assert f'data-src="{url}?connection={populated.org.connection.slug}"' in page
    menu = client.get(url, {"connection": populated.org.connection.slug}).content.decode()
    assert populated.org.connection.name in menu
    assert menu.count('aria-current="true"') == 2, "the team and the connection"


def test_kept_parts_of_the_frame_are_those_of_the_user(populated: PopulatedTeam, sign_in: SignIn) -> None:
    owner, viewer = (sign_in(role).get(populated.org.url()).content.decode() for role in ("owner", "viewer"))
    settings = reverse("teams:members", args=[populated.org.team.slug])
    assert settings in owner
    assert settings not in viewer
    assert populated.org.members["owner"].email in owner
    assert populated.org.members["owner"].email not in viewer
    populated.org.team.name = "<b>Renamed</b>"
    populated.org.team.save()
    renamed = sign_in("owner").get(populated.org.url()).content.decode()
    assert "&lt;b&gt;Renamed&lt;/b&gt;" in renamed
    assert "<b>Renamed" not in renamed
