"""Errors of the cloud in the interface: never a traceback, always a message, code and request ID; the input is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from django import forms
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import resolve
from django.utils import translation
from django_htmx.middleware import HtmxDetails

from console.accounts.encryption import Undecryptable
from console.audit.models import AuditRecord
from console.connections import clients
from console.connections.errors import cloud_errors_to_form, http_status, to_snake_case
from console.connections.gateway import PermissionRefused
from console.connections.middleware import CloudErrorMiddleware
from console.explorer.models import ExplorerCall
from iot_client import errors
from iot_client.catalogue import operation, validate
from iot_client.errors import CloudError, InvalidParameter
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork

FAMILIES = [
    errors.Throttled,
    errors.AccessDenied,
    errors.SignatureRefused,
    errors.NotFound,
    errors.AlreadyExists,
    errors.InvalidParameter,
    errors.Conflict,
    errors.LimitExceeded,
    errors.Unavailable,
    errors.BadResponse,
    errors.ServiceError,
]


class ProductForm(forms.Form):
    product_name = forms.CharField()
    description = forms.CharField(required=False)


def product_form() -> ProductForm:
    return ProductForm({"product_name": "Meter", "description": "x"})


def render_error(
    org: Organization, error: Exception, method: str = "GET", htmx: bool = False
) -> HttpResponse:
    """The middleware's response to a view that raised `error`."""
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/acme/sandbox/"} if htmx else {}
    request: Any = RequestFactory().generic(method, "/acme/sandbox/products/", headers=headers)
    request.resolver_match = resolve(request.path)
    membership = org.gateway("viewer").membership
    request.user, request.team, request.membership = membership.user, org.team, membership
    request.connection, request.htmx = org.connection, HtmxDetails(request)
    request.gateway = org.gateway("viewer")
    response = CloudErrorMiddleware(lambda r: HttpResponse()).process_exception(request, error)
    assert response is not None
    return response


@pytest.mark.parametrize("family", FAMILIES)
def test_every_error_of_the_cloud_is_a_page_with_message_code_and_request_id(
    org: Organization, family: type[CloudError]
) -> None:
    error = family("iot.some.Code", "the platform's words", operation="QueryProduct", request_id="REQ-17")
    response = render_error(org, error)
    text = response.content.decode()
    assert response.status_code == http_status(error) >= 400
    assert all(
        part in text for part in ("iot.some.Code", "REQ-17", errors.explain(error).title.split("'")[0])
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_htmx_gets_the_message_for_a_toast_and_nothing_to_swap(org: Organization, method: str) -> None:
    error = errors.Conflict("iot.some.Code", operation="DeleteProduct", request_id="REQ-17")
    response = render_error(org, error, method, htmx=True)
    assert (response.status_code, response.content) == (409, b"")
    assert "REQ-17" in unquote(response["X-Message"])


def test_the_message_header_keeps_non_ascii_characters(org: Organization) -> None:
    refusal = PermissionRefused(operation("DeleteProduct"), org.gateway("viewer").membership)
    response = render_error(org, refusal, "POST", htmx=True)
    assert response.status_code == 403
    assert response["X-Message"].isascii()
    assert "“Viewer”" in unquote(response["X-Message"])


def test_a_temporary_error_has_a_retry_after_header(org: Organization) -> None:
    error = errors.Throttled("Throttling.User", operation="QueryProduct", retry_after=2.6)
    assert render_error(org, error)["Retry-After"] == "3"


def test_a_refusal_is_a_403_page_that_names_the_operation(org: Organization) -> None:
    refusal = PermissionRefused(operation("DeleteProduct"), org.gateway("viewer").membership)
    response = render_error(org, refusal)
    assert response.status_code == 403
    assert "DeleteProduct" in response.content.decode()


def test_an_undecryptable_secret_is_a_page_that_says_what_to_do(org: Organization) -> None:
    response = render_error(org, Undecryptable())
    assert response.status_code == 503
    assert "cannot be decrypted" in response.content.decode()


def test_other_exceptions_are_left_to_django(org: Organization) -> None:
    request: Any = RequestFactory().get("/")
    assert CloudErrorMiddleware(lambda r: HttpResponse()).process_exception(request, KeyError("x")) is None


# -- at the form -----------------------------------------------------------------------------------------------------


def test_a_problem_of_the_catalogue_check_is_shown_at_its_field() -> None:
    form = product_form()
    problems = validate(operation("CreateProduct"), {"ProductName": "x", "NodeType": 0})
    assert cloud_errors_to_form(form, InvalidParameter.from_problems("CreateProduct", problems)) is None
    assert "product_name" in form.errors
    assert "4" in form.errors["product_name"][0]
    assert not form.is_valid()


def test_a_problem_of_a_parameter_without_a_field_is_shown_above_the_form() -> None:
    form = product_form()
    cloud_errors_to_form(form, InvalidParameter.from_problems("CreateProduct", {"NodeType": ["is required"]}))
    assert form.non_field_errors() == ["NodeType: is required"]


@pytest.mark.parametrize(
    ("address", "operation_name", "data"),
    [
        ("groups/new/", "CreateDeviceGroup", {"name": "lamps"}),
        ("devices/new/", "RegisterDevice", {"device_name": "lamp-0001"}),
    ],
)
def test_an_error_of_the_cloud_is_shown_once_in_a_form(
    address: str,
    operation_name: str,
    data: dict[str, str],
    emulator: Any,
    org: Organization,
    sign_in: Any,
) -> None:
    product = org.gateway("operator").call("CreateProduct", ProductName="Meters", NodeType=0)
    emulator.faults.add(operation_name, kind="error", times=9, status=403, code="Forbidden.RAM")
    response = sign_in("operator").post(org.url(address), {"product_key": product["ProductKey"], **data})
    assert response.status_code == 422
    title = errors.explain(errors.classify("Forbidden.RAM")("Forbidden.RAM")).title
    assert response.content.decode().count(title) == 1


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("iot.prod.AlreadyExistedProductName", "product_name"),
        ("iot.prod.InvalidFormattedProductName", "product_name"),
    ],
)
def test_an_error_code_that_names_a_parameter_is_shown_at_its_field(code: str, field: str) -> None:
    form = product_form()
    error = errors.classify(code)(code, operation="CreateProduct")
    assert cloud_errors_to_form(form, error) is None
    assert form.errors[field]


def test_the_caller_can_say_which_field_a_parameter_is() -> None:
    class Renamed(forms.Form):
        label = forms.CharField()

    form = Renamed({"label": "x"})
    error = errors.AlreadyExists("iot.prod.AlreadyExistedProductName", operation="CreateProduct")
    assert cloud_errors_to_form(form, error, {"ProductName": "label"}) is None
    assert form.errors["label"]


def test_any_other_error_is_returned_and_the_form_is_invalid() -> None:
    form = product_form()
    error = errors.Unavailable("Client.Timeout", operation="CreateProduct")
    assert cloud_errors_to_form(form, error) is error
    assert not form.is_valid()


def test_parameter_names_are_converted_to_field_names() -> None:
    assert [
        to_snake_case(n)
        for n in ("ProductName", "IotInstanceId", "DeviceName", "Id2", "SrcVersion", "IotId", "SQL")
    ] == [
        "product_name",
        "iot_instance_id",
        "device_name",
        "id2",
        "src_version",
        "iot_id",
        "sql",
    ]


def test_problems_are_shown_in_the_users_language() -> None:
    form = product_form()
    with translation.override("zh-hans"):
        problems = validate(operation("CreateProduct"), {"ProductName": "x", "NodeType": 0})
        cloud_errors_to_form(form, InvalidParameter.from_problems("CreateProduct", problems))
    assert form.errors["product_name"]


# -- full requests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["malformed", "error", "throttle"])
def test_a_real_page_shows_the_error_not_a_traceback(
    emulator: Any, org: Organization, sign_in: Any, kind: str
) -> None:
    emulator.faults.add("*", kind, times=99)
    response: Any = sign_in("viewer").get("/acme/sandbox/products/")
    assert response.status_code in {200, 502, 503}
    assert "Traceback" not in response.content.decode()
    assert "fd-cloud-error" in response.content.decode()


class Unreachable(httpx.BaseTransport):
    """A network without the platform."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno -2] Name or service not known")


def test_an_error_of_the_connection_leads_to_the_connections_and_is_not_called_the_platforms(
    emulator: Any, org: Organization, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "transport_for", lambda connection: Unreachable())
    for role in ("administrator", "viewer"):
        page = sign_in(role).get("/acme/sandbox/products/").content.decode()
        assert "Name or service not known" in page
        assert "Platform response" not in page
        assert ("View connections" in page) is (role == "administrator")


def test_an_error_of_the_platform_is_shown_as_its_response(
    emulator: Any, org: Organization, sign_in: Any
) -> None:
    emulator.faults.add("*", "error", times=99, code="iot.system.SystemException", status=500)
    page = sign_in("administrator").get("/acme/sandbox/products/").content.decode()
    assert "Platform response" in page
    assert "View connections" not in page


def test_a_forged_request_is_refused_and_recorded_once_and_opening_a_form_is_not_recorded(
    emulator: Any, org: Organization, sign_in: Any
) -> None:
    for path, name in (
        ("products/new/", "CreateProduct"),
        ("devices/a1/meter-1/enable/", "EnableThing"),
        ("devices/a1/meter-1/delete/", "DeleteDevice"),
    ):
        viewer = sign_in("viewer")
        viewer.get(org.url(path))
        assert viewer.post(org.url(path)).status_code == 403
        record = AuditRecord.objects.get(operation=name)
        assert (record.outcome, record.actor_label) == ("refused", "viewer@acme.test")


def test_what_the_cloud_says_forges_no_line_of_a_log_or_a_record(
    network: RecordedNetwork, org: Organization, sign_in: Any, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "x\r\n2026-01-01 FORGED\u2028\x1b[31m\x00"
    refusal = {"Success": False, "Code": forged, "ErrorMessage": forged, "RequestId": forged}
    network.after["QueryProductList"] = lambda content: refusal
    network.after["CreateProduct"] = lambda content: content | {"RequestId": forged}
    caplog.set_level("INFO")
    owner = sign_in("owner")
    page = owner.get(org.url("products/"))
    part = owner.get(org.url("ota/packages/new/"), headers={"HX-Request": "true"})
    owner.post(org.url("explorer/QueryProductList/"), {"CurrentPage": 1, "PageSize": 10})
    org.gateway().call("CreateProduct", ProductName="Meters", NodeType=0)
    with pytest.raises(CloudError):
        org.gateway().call("QueryProductList", CurrentPage=1, PageSize=10, reveal=True)
    lines = [record.getMessage() for record in caplog.records]
    assert any("FORGED" in line for line in lines)
    assert all(line.isprintable() for line in lines)
    assert "x 2026-01-01 FORGED" in page.content.decode()
    assert unquote(part.get("X-Message", "")).isprintable()
    stored = [*AuditRecord.objects.all(), *ExplorerCall.objects.all()]
    assert {type(row) for row in stored if "FORGED" in row.request_id} == {AuditRecord, ExplorerCall}
    assert all((row.code + row.request_id).isprintable() for row in stored)
    assert all(row.message.isprintable() for row in AuditRecord.objects.all())


def test_a_name_with_half_a_character_does_not_break_the_page(
    emulator: Any, org: Organization, sign_in: Any
) -> None:
    row = '{"ProductKey": "a1", "ProductName": "half \\ud800 of one"}'
    body = f'{{"Success": true, "Data": {{"List": {{"ProductInfo": [{row}]}}, "Total": 1}}}}'
    emulator.faults.add("QueryProductList", "malformed", body=body, times=9)
    response: Any = sign_in("viewer").get("/acme/sandbox/products/")
    assert response.status_code == 200
    assert "half \ufffd of one" in response.content.decode()
