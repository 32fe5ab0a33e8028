"""Whatever shape of JSON an address answers with, a page shows it or says that it is no answer of the platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import Client

from console.access.models import AuditRecord
from console.cloud.errors import BadResponse
from console.connections import clients
from tests.conftest import Organization
from tests.populated import PopulatedTeam, fleet_copied, populated, seeded
from tests.test_urls_by_role import MEMBERS_ONLY

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]


def each(value: Any, change: Callable[[Any], Any], depth: int = 0) -> Any:
    """The answer with `change` made to everything below its top level."""
    if isinstance(value, dict):
        value = {name: each(inner, change, depth + 1) for name, inner in value.items()}
    elif isinstance(value, list):
        value = [each(inner, change, depth + 1) for inner in value]
    return change(value) if depth else value


def swapped(of: type, instead: Any) -> Callable[[Any], Any]:
    return lambda value: instead if type(value) is of else value


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing but success": lambda answer: {"Success": True, "RequestId": "r"},
    "another program's": lambda answer: {"status": "ok"},
    "the payload is null": lambda answer: dict.fromkeys(answer) | {"Success": True},
    "structures are lists": lambda answer: each(answer, swapped(dict, ["x"])),
    "structures are texts": lambda answer: each(answer, swapped(dict, "x")),
    "structures are empty": lambda answer: each(answer, swapped(dict, {})),
    "lists are structures": lambda answer: each(answer, swapped(list, {"x": 1})),
    "lists are texts": lambda answer: each(answer, swapped(list, "x")),
    "lists are numbers": lambda answer: each(answer, swapped(list, 7)),
    "lists are null": lambda answer: each(answer, swapped(list, None)),
    "lists hold null": lambda answer: each(answer, swapped(list, [None])),
    "lists hold lists": lambda answer: each(answer, swapped(list, [[]])),
    "texts are structures": lambda answer: each(answer, swapped(str, {"x": 1})),
    "texts are lists": lambda answer: each(answer, swapped(str, ["x"])),
    "texts are numbers": lambda answer: each(answer, swapped(str, 7)),
    "texts are null": lambda answer: each(answer, swapped(str, None)),
    "texts are others": lambda answer: each(answer, swapped(str, "\x00<b>%s")),
    "numbers are texts": lambda answer: each(answer, swapped(int, "many")),
    "numbers are null": lambda answer: each(answer, swapped(int, None)),
    "numbers are huge": lambda answer: each(answer, swapped(int, 10**19)),
    "numbers are negative": lambda answer: each(answer, swapped(int, -(10**15))),
    "numbers are broken": lambda answer: each(answer, swapped(int, 0.5)),
}


class Damaged(httpx.BaseTransport):
    """The platform, its good answers damaged."""

    def __init__(self, under: httpx.BaseTransport, how: Callable[[dict[str, Any]], Any]) -> None:
        self.under, self.how = under, how

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.under.handle_request(request)
        response.read()
        return httpx.Response(
            response.status_code, content=json.dumps(self.how(json.loads(response.content)))
        )


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_page_breaks_on_an_answer_of_another_shape(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, settings: Any, damage: str
) -> None:
    settings.CLOUD_CACHE_SECONDS = 0
    damaged = Damaged(populated.upstream, DAMAGES[damage])
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    clients.drop_clients()
    client = sign_in("owner")
    client.raise_request_exception = False
    broken = []
    for name, may in MEMBERS_ONLY.items():
        if may.get and not name.startswith(("access:", "connections:")):
            status = client.get(populated.url(name)).status_code
            if status == 500:
                broken.append(name)
    assert broken == []


def test_an_answer_without_what_a_page_reads_is_told_as_no_answer_of_the_platform(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Damaged(populated.upstream, DAMAGES["another program's"])
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    clients.drop_clients()
    page = sign_in("viewer").get(populated.url("ota:packages"))
    assert page.status_code == 502
    assert "Client.BadResponse" in page.content.decode()


def test_a_write_that_is_answered_so_is_recorded_as_not_known(
    emulator: Any, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Damaged(httpx.WSGITransport(app=emulator), DAMAGES["nothing but success"])
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    with pytest.raises(BadResponse):
        org.gateway().call("CreateProduct", ProductName="meter", NodeType=0)
    assert AuditRecord.objects.get(operation="CreateProduct").outcome == AuditRecord.Outcome.UNKNOWN
