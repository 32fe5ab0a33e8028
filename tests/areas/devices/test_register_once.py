"""Registering one device with the form: submitting the same form twice registers one device, with or without a name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.connections import clients
from console.connections.models import Submission
from tests.populated import PopulatedTeam


def count_devices(populated: PopulatedTeam) -> int:
    response = populated.org.gateway().call(
        "QueryDevice", ProductKey=populated.things["products"]["key"], PageSize=1, fresh=True
    )
    return int(response["Total"])


def read_token(page: Any) -> str:
    token = page.context["form"]["token"].value()
    assert token
    return str(token)


@pytest.mark.parametrize("name", ["", "only-one"])
def test_submitting_a_form_twice_registers_one_device(
    populated: PopulatedTeam, sign_in: Any, name: str
) -> None:
    client, url, before = sign_in("operator"), populated.url("devices:create"), count_devices(populated)
    token = read_token(client.get(url))
    data = {"product_key": populated.things["products"]["key"], "device_name": name, "token": token}
    credentials = client.post(url, data).context["credentials"]
    repeated = client.post(url, data)
    assert repeated["Location"] == populated.org.url(f"devices/{credentials.product_key}/{credentials.name}/")
    assert count_devices(populated) == before + 1
    assert populated.upstream.writes == ["RegisterDevice"]


def test_a_form_that_is_being_processed_is_not_sent_again(populated: PopulatedTeam, sign_in: Any) -> None:
    Submission.objects.create(
        connection=populated.org.connection, user=populated.org.members["operator"], token="one-token"
    )
    data = {"product_key": populated.things["products"]["key"], "token": "one-token"}
    response = sign_in("operator").post(populated.url("devices:create"), data)
    assert response["Location"] == populated.url("devices:list")
    assert populated.upstream.writes == []


def test_after_a_lost_response_the_same_form_registers_nothing_and_the_page_has_a_new_token(
    populated: PopulatedTeam, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LostResponse(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = populated.upstream.handle_request(request)
            if b"Action=RegisterDevice" in request.url.query:
                raise httpx.ReadTimeout("lost")
            return response

    before = count_devices(populated)
    monkeypatch.setattr(clients, "transport_for", lambda connection: LostResponse())
    clients.drop_clients()
    client, url = sign_in("operator"), populated.url("devices:create")
    data = {"product_key": populated.things["products"]["key"], "token": read_token(client.get(url))}
    response = client.post(url, data)
    assert response.status_code == 422
    assert read_token(response) != data["token"]
    assert client.post(url, data).status_code == 302
    assert count_devices(populated) == before + 1


def test_a_rejected_form_can_be_submitted_again(
    populated: PopulatedTeam, sign_in: Any, emulator: Any
) -> None:
    client, url = sign_in("operator"), populated.url("devices:create")
    data = {"product_key": populated.things["products"]["key"], "token": read_token(client.get(url))}
    emulator.faults.add("RegisterDevice", "error", code="iot.common.RamActionPermissionDeny", status=200)
    assert client.post(url, data).status_code == 422
    assert client.post(url, data).context["credentials"].name
