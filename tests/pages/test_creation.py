"""Creating an object with a form: submitting the same form twice creates it once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.connections.models import Submission
from console.pages import creation
from tests.recorded_calls import RecordedNetwork

PRODUCT = {
    "product_name": "Quay_Lamp",
    "node_type": "0",
    "net_type": "CELLULAR",
    "data_format": "1",
    "validate_type": "1",
    "auth_type": "secret",
}
FORMS = {
    "products/new/": ("CreateProduct", PRODUCT),
    "messaging/products/{product}/new/": (
        "CreateProductTopic",
        {"short_name": "alarm", "permission": "PUB", "description": ""},
    ),
    "groups/new/": ("CreateDeviceGroup", {"name": "Region_North", "description": ""}),
    "ota/modules/{product}/new/": ("CreateOTAModule", {"name": "radio", "alias": "", "description": ""}),
}


@pytest.fixture(params=FORMS)
def form(request, org, product, sign_in) -> tuple[Any, str, str, dict[str, str]]:
    """A client, the address of a form, the operation that it calls, and its input, with the token of the form that is shown."""
    operation, values = FORMS[request.param]
    client, url = sign_in("owner"), org.url(request.param.format(product=product))
    return client, url, operation, {**values, creation.FORM_FIELD: read_token(client.get(url))}


def read_token(response: Any) -> str:
    return str(response.context["form"][creation.FORM_FIELD].value())


def test_submitting_a_form_twice_creates_one_object_and_leads_to_it(form, network: RecordedNetwork):
    client, url, operation, data = form
    first, second = client.post(url, data), client.post(url, data)
    assert (first.status_code, second.status_code) == (302, 302)
    assert second["Location"] == first["Location"]
    assert network.calls.count(operation) == 1


def test_a_form_that_is_being_processed_is_not_sent_again(form, org, network: RecordedNetwork):
    client, url, operation, data = form
    token = data[creation.FORM_FIELD]
    Submission.objects.create(connection=org.connection, user=org.members["owner"], token=token)
    again = client.post(url, data, follow=True)
    assert "no response was received yet" in again.content.decode()
    assert operation not in network.calls


def test_after_a_lost_response_the_same_form_creates_nothing_and_the_page_has_a_new_token(
    form, network: RecordedNetwork
):
    def lose(response: dict[str, Any]) -> None:
        raise httpx.ReadTimeout("lost")

    client, url, operation, data = form
    network.after[operation] = lose
    shown_again = client.post(url, data)
    assert shown_again.status_code == 422
    assert read_token(shown_again) != data[creation.FORM_FIELD]
    assert client.post(url, data).status_code == 302
    assert network.calls.count(operation) == 1


def test_a_refused_form_can_be_corrected_and_submitted_again(form, emulator, network: RecordedNetwork):
    client, url, operation, data = form
    emulator.faults.add(operation, "error", code="iot.common.RamActionPermissionDeny", status=200)
    assert client.post(url, data).status_code == 422
    assert client.post(url, data).status_code == 302
    assert network.calls.count(operation) == 2
