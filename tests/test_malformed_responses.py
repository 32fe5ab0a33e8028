"""Pages show a response of any JSON shape, or report that it is not a response of the platform."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from itertools import cycle
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from console.audit.models import AuditRecord
from console.connections import clients
from iot_client.errors import BadResponse
from tests.conftest import Organization
from tests.damage import DamagingTransport, change_values, lengthen_lists
from tests.expectations import MEMBERS_ONLY
from tests.populated import PopulatedTeam
from tests.recorded_calls import RecordedNetwork

SignIn = Callable[[str], Client]
Damage = Callable[[dict[str, Any]], Any]


def replace_type(old_type: type, replacement: Any) -> Callable[[Any], Any]:
    return lambda value: replacement if type(value) is old_type else value


DAMAGES: dict[str, Damage] = {
    "nothing but success": lambda response: {"Success": True, "RequestId": "r"},
    "another program's": lambda response: {"status": "ok"},
    "the payload is null": lambda response: dict.fromkeys(response) | {"Success": True},
    "structures are lists": lambda response: change_values(response, replace_type(dict, ["x"])),
    "structures are texts": lambda response: change_values(response, replace_type(dict, "x")),
    "structures are empty": lambda response: change_values(response, replace_type(dict, {})),
    "lists are structures": lambda response: change_values(response, replace_type(list, {"x": 1})),
    "lists are texts": lambda response: change_values(response, replace_type(list, "x")),
    "lists are numbers": lambda response: change_values(response, replace_type(list, 7)),
    "lists are null": lambda response: change_values(response, replace_type(list, None)),
    "lists hold null": lambda response: change_values(response, replace_type(list, [None])),
    "lists hold lists": lambda response: change_values(response, replace_type(list, [[]])),
    "texts are structures": lambda response: change_values(response, replace_type(str, {"x": 1})),
    "texts are lists": lambda response: change_values(response, replace_type(str, ["x"])),
    "texts are numbers": lambda response: change_values(response, replace_type(str, 7)),
    "texts are null": lambda response: change_values(response, replace_type(str, None)),
    "texts are others": lambda response: change_values(response, replace_type(str, "\x00<b>%s")),
    "numbers are texts": lambda response: change_values(response, replace_type(int, "many")),
    "numbers are null": lambda response: change_values(response, replace_type(int, None)),
    "numbers are huge": lambda response: change_values(response, replace_type(int, 10**19)),
    "numbers are negative": lambda response: change_values(response, replace_type(int, -(10**15))),
    "numbers are broken": lambda response: change_values(response, replace_type(int, 0.5)),
}


@pytest.fixture
def get_pages(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Callable[[Damage], dict[str, Any]]:
    """Get all pages of an owner, by name, while the responses of the platform are damaged."""

    def get(damage: Damage) -> dict[str, Any]:
        settings.CLOUD_CACHE_SECONDS = 0
        damaged = DamagingTransport(populated.upstream, damage)
        monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
        clients.drop_clients()
        client = sign_in("owner")
        client.raise_request_exception = False
        return {
            name: client.get(populated.url(name))
            for name, may in MEMBERS_ONLY.items()
            if may.get and not name.startswith("connections:")
        }

    return get


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_page_fails_on_a_malformed_response(
    get_pages: Callable[[Damage], dict[str, Any]], damage: str
) -> None:
    pages = get_pages(DAMAGES[damage])
    assert [name for name, page in pages.items() if page.status_code == 500] == []


def test_no_page_is_large_when_a_response_has_many_entries(
    get_pages: Callable[[Damage], dict[str, Any]],
) -> None:
    pages = get_pages(lambda response: lengthen_lists(response, 1_000))
    assert [name for name, page in pages.items() if page.status_code == 500] == []
    assert [name for name, page in pages.items() if len(page.getvalue()) > 2_000_000] == []


@pytest.mark.parametrize(("count", "status"), [(200, 200), (201, 502)])
def test_a_page_with_more_entries_than_the_largest_page_size_is_refused(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, count: int, status: int
) -> None:
    damaged = DamagingTransport(populated.upstream, lambda response: lengthen_lists(response, count))
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    clients.drop_clients()
    page = sign_in("viewer").get(populated.url("products:list"))
    assert page.status_code == status


def test_a_response_without_the_fields_of_a_page_is_reported_as_not_from_the_platform(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = DamagingTransport(populated.upstream, DAMAGES["another program's"])
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    clients.drop_clients()
    page = sign_in("viewer").get(populated.url("ota:packages"))
    assert page.status_code == 502
    assert "Client.BadResponse" in page.content.decode()


def test_a_write_with_a_malformed_response_is_recorded_as_unknown(
    emulator: Any, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = DamagingTransport(httpx.WSGITransport(app=emulator), DAMAGES["nothing but success"])
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    with pytest.raises(BadResponse):
        org.gateway().call("CreateProduct", ProductName="meter", NodeType=0)
    assert AuditRecord.objects.get(operation="CreateProduct").outcome == AuditRecord.Outcome.UNKNOWN


HOSTILE_IDS = [
    "a/b",
    "/",
    "..",
    ".",
    "?x=1#y",
    "%2e%2e%2f",
    "a\r\nb",
    "~a",
    "//evil.test",
    "\\..\\x",
    "\u202eab",
    " ",
    "<i>",
]
_LINKS = re.compile(r'\s(?:href|hx-get|hx-post|action|data-url)="([^"]*)"')


def list_linked_paths(page: Any) -> set[str]:
    """Return the paths of all links and forms of a page, as a browser requests them."""
    addresses = {
        urljoin("http://testserver/", unescape(link)) for link in _LINKS.findall(page.getvalue().decode())
    }
    return {
        unquote(urlsplit(address).path) for address in addresses if address.startswith("http://testserver/")
    }


def is_page(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return path.startswith("/static/")
    return True


@pytest.mark.parametrize("start", [0, 5])
def test_identifiers_with_any_characters_are_shown_and_all_links_lead_to_a_page(
    get_pages: Callable[[Damage], dict[str, Any]], start: int
) -> None:
    names = cycle([*HOSTILE_IDS[start:], *HOSTILE_IDS[:start]])

    def replace_text(value: Any) -> Any:
        return next(names) if isinstance(value, str) else value

    pages = get_pages(lambda response: change_values(response, replace_text))
    assert [name for name, page in pages.items() if page.status_code == 500] == []
    dead_links = {
        (name, path)
        for name, page in pages.items()
        if page.headers["Content-Type"].startswith("text/html")
        for path in list_linked_paths(page)
        if not is_page(path)
    }
    assert dead_links == set()


def test_a_row_whose_identifier_has_a_slash_stays_and_its_link_opens_it(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    for name in ("Meters", "Lamps"):
        org.gateway().call("CreateProduct", ProductName=name, NodeType=0)

    def damage(content: dict[str, Any]) -> None:
        content["Data"]["List"]["ProductInfo"][0]["ProductKey"] = "a/../b"

    network.after["QueryProductList"] = damage
    client = sign_in("owner")
    page = client.get(org.url("products/")).content.decode()
    assert "Meters" in page
    assert "Lamps" in page
    opened = {
        resolve(path).kwargs.get("key")
        for path in re.findall(r'href="(/acme/sandbox/products/[^"]+/)"', page)
    }
    assert "a/../b" in opened
