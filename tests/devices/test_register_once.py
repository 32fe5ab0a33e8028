"""Registering one device by its form: a form that is sent twice registers one, with or without a name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.connections import clients
from console.connections.models import Submission
from tests.populated import PopulatedTeam, fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures


def count(populated: PopulatedTeam) -> int:
    answer = populated.org.gateway().call(
        "QueryDevice", ProductKey=populated.things["products"]["key"], PageSize=1, fresh=True
    )
    return int(answer["Total"])


def form_of(page: Any) -> str:
    token = page.context["form"]["token"].value()
    assert token
    return str(token)


@pytest.mark.parametrize("name", ["", "only-one"])
def test_a_form_that_is_sent_twice_registers_one_device(
    populated: PopulatedTeam, sign_in: Any, name: str
) -> None:
    client, url, before = sign_in("operator"), populated.url("devices:create"), count(populated)
    token = form_of(client.get(url))
    data = {"product_key": populated.things["products"]["key"], "device_name": name, "token": token}
    made = client.post(url, data).context["made"]
    again = client.post(url, data)
    assert again["Location"] == populated.org.url(f"devices/{made.product_key}/{made.name}/")
    assert count(populated) == before + 1
    assert populated.upstream.writes == ["RegisterDevice"]


def test_a_form_that_is_still_being_sent_is_not_sent_again(populated: PopulatedTeam, sign_in: Any) -> None:
    Submission.objects.create(
        connection=populated.org.connection, user=populated.org.members["operator"], token="one-token"
    )
    data = {"product_key": populated.things["products"]["key"], "token": "one-token"}
    answer = sign_in("operator").post(populated.url("devices:create"), data)
    assert answer["Location"] == populated.url("devices:list")
    assert populated.upstream.writes == []


def test_after_a_lost_answer_the_same_form_registers_nothing_more_and_the_page_brings_a_new_one(
    populated: PopulatedTeam, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = populated.upstream.handle_request(request)
            if b"Action=RegisterDevice" in request.url.query:
                raise httpx.ReadTimeout("lost")
            return answer

    before = count(populated)
    monkeypatch.setattr(clients, "transport_for", lambda connection: Losing())
    clients.drop_clients()
    client, url = sign_in("operator"), populated.url("devices:create")
    data = {"product_key": populated.things["products"]["key"], "token": form_of(client.get(url))}
    lost = client.post(url, data)
    assert lost.status_code == 422
    assert form_of(lost) != data["token"]
    assert client.post(url, data).status_code == 302
    assert count(populated) == before + 1


def test_a_refused_form_can_be_sent_again_as_it_is(
    populated: PopulatedTeam, sign_in: Any, emulator: Any
) -> None:
    client, url = sign_in("operator"), populated.url("devices:create")
    data = {"product_key": populated.things["products"]["key"], "token": form_of(client.get(url))}
    emulator.faults.add("RegisterDevice", "error", code="iot.common.RamActionPermissionDeny", status=200)
    assert client.post(url, data).status_code == 422
    assert client.post(url, data).context["made"].name
