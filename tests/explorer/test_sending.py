"""Sending calls: only through the gateway, as the role allows, shown as sent, without secrets on the page."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from console.areas.devices import api as devices_api
from console.areas.products import api as products_api
from console.audit.models import AuditRecord
from console.connections import clients
from console.explorer.models import ExplorerCall
from iot_client.catalogue import Access, operations
from iot_client.client import Client as CloudClient
from iot_client.client import Credentials
from iot_client.trace import Trace
from tests.conftest import KEY_ID, KEY_SECRET

PRODUCT = {
    "ProductName": "Explorer_Lamp",
    "NodeType": "0",
    "AliyunCommodityCode": "iothub_senior",
    "DataFormat": "1",
}


def url(org, name: str) -> str:
    return org.url(f"explorer/{name}/")


@pytest.fixture
def product(emulator, org) -> str:
    return products_api.create_product(org.gateway(), products_api.NewProduct("Quay_Lamp", data_format=1))


@pytest.fixture
def device(product, org):
    return devices_api.register_device(org.gateway(), product, name="lamp-0001")


# -- the result page --------------------------------------------------------------------------------------------------


def test_a_read_shows_response_request_status_time_quota_and_request_id(product, org, sign_in, monkeypatch):
    monkeypatch.setattr("iot_client.quota.WINDOW", 1.1)  # the call is counted until the page is made
    response = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": product})
    html = unescape(response.content.decode())
    sent = response.context["sent"]
    assert response.status_code == 200
    assert "HTTP 200" in html
    assert sent.response["Data"]["ProductName"] == "Quay_Lamp"
    assert sent.request_id in html
    assert json.loads(sent.raw_response)["Data"]["ProductKey"] == product
    assert "Action=QueryProduct" in html
    assert "POST" in html
    assert "content-type: application/x-www-form-urlencoded" in html
    assert (sent.trace.quota, sent.trace.remaining) == (
        operations()["QueryProduct"].qps,
        operations()["QueryProduct"].qps - 1,
    )
    assert "no-store" in response["Cache-Control"]


def test_no_key_and_no_signature_is_on_the_page(product, org, sign_in, monkeypatch):
    signatures = []
    sent = Trace.record_request

    def record_signature(self, method, address, headers, query, form):
        signatures.append(query["Signature"])
        sent(self, method, address, headers, query, form)

    monkeypatch.setattr(Trace, "record_request", record_signature)
    html = unescape(sign_in("owner").post(url(org, "QueryProduct"), {"ProductKey": product}).content.decode())
    assert len(signatures) == 1
    for secret in (signatures[0], KEY_SECRET, KEY_ID):
        assert secret not in html
    assert "Signature=***" in html
    assert "AccessKeyId=LTAI***" in html


def test_a_token_in_an_error_is_removed(emulator):
    transport = clients.transport_for(None)
    credentials = Credentials(KEY_ID, "wrong", "tok en/with+signs")
    trace = Trace()
    with (
        CloudClient(credentials, endpoint="http://x", transport=transport) as client,
        pytest.raises(Exception, match="Signature"),
    ):
        client.call("QueryProduct", trace, ProductKey="a")
    shown = trace.body.decode() + trace.url + str(trace.query) + str(trace.headers)
    assert trace.status in (400, 403)
    assert "tok" not in shown.lower().replace("securitytoken", "")


def test_the_response_can_be_xml(device, product, org, sign_in):
    response = sign_in("viewer").post(
        url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001", "format": "XML"}
    )
    sent = response.context["sent"]
    assert sent.raw_response.startswith("<")
    assert "<DeviceName>lamp-0001</DeviceName>" in sent.raw_response
    assert device.secret not in response.content.decode()
    assert "••••••" in sent.raw_response
    assert sent.response["Data"]["DeviceName"] == "lamp-0001"
    assert "Raw XML" in response.content.decode()


def test_a_write_is_executed_and_audited(emulator, org, sign_in):
    response = sign_in("operator").post(url(org, "CreateProduct"), PRODUCT)
    assert response.context["sent"].response["Success"] is True
    assert [p.name for p in products_api.list_products(org.gateway()).products] == ["Explorer_Lamp"]
    record = AuditRecord.objects.get(operation="CreateProduct")
    assert (record.outcome, record.actor) == ("done", org.members["operator"])


def test_lists_booleans_and_structures_arrive(product, org, sign_in):
    browser = sign_in("operator")
    tags = {
        "ProductTag.1.TagKey": "room",
        "ProductTag.1.TagValue": "101",
        "ProductTag.2.TagKey": "",
        "ProductTag.2.TagValue": "",
    }
    assert (
        browser.post(url(org, "CreateProductTags"), {"ProductKey": product, **tags}).context["sent"].error
        is None
    )
    assert products_api.list_tags(org.gateway(), product, fresh=True) == [products_api.Tag("room", "101")]
    browser.post(url(org, "CreateProduct"), {**PRODUCT, "PublishAuto": "false", "Id2": ""})
    for name in ("lamp-0001", "lamp-0002"):
        devices_api.register_device(org.gateway(), product, name=name)
    names = {"DeviceName.1": "lamp-0001", "DeviceName.2": "", "DeviceName.3": "lamp-0002"}
    sent = browser.post(url(org, "BatchGetDeviceState"), {"ProductKey": product, **names}).context["sent"]
    assert len(sent.response["DeviceStatusList"]["DeviceStatus"]) == 2
    assert ("DeviceName.2", "lamp-0002", "query") in sent.sent_parameters


def test_the_form_keeps_its_input(product, org, sign_in):
    html = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": product}).content.decode()
    assert f'value="{product}"' in html


@pytest.mark.parametrize("kind", ["error", "malformed", "drop", "throttle"])
def test_an_error_is_explained_and_the_form_keeps_its_input(product, org, sign_in, emulator, kind):
    options = {
        "throttle": {"delay": 0.0},
        "error": {"code": "iot.system.SystemException", "status": 500},
    }.get(kind, {})
    emulator.faults.add("CreateProduct", kind, times=50, **options)
    response = sign_in("owner").post(url(org, "CreateProduct"), PRODUCT)
    html = response.content.decode()
    assert response.status_code == 200
    assert "fd-cloud-error" in html
    assert 'value="Explorer_Lamp"' in html
    assert ExplorerCall.objects.get().outcome in ("failed", "unknown")


def test_a_call_that_was_repeated_shows_the_time_of_all_its_attempts(product, org, sign_in, emulator):
    emulator.faults.add("QueryProduct", "error", times=1, code="iot.system.SystemException", status=500)
    browser = sign_in("viewer")
    response = browser.post(url(org, "QueryProduct"), {"ProductKey": product})
    sent = response.context["sent"]
    assert (sent.error, sent.trace.attempts) == (None, 2)
    assert sent.total_milliseconds >= sent.milliseconds
    assert "Total time" in response.content.decode()
    assert (
        "Total time" not in browser.post(url(org, "QueryProduct"), {"ProductKey": product}).content.decode()
    )


def test_an_error_of_the_platform_shows_its_response(emulator, org, sign_in):
    response = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": "a1missing000"})
    html = response.content.decode()
    assert "iot.prod.NotExistedProduct" in html
    assert response.context["sent"].tree
    assert "Request as sent" in html


# -- roles -------------------------------------------------------------------------------------------------------------


def test_only_what_the_role_allows_can_be_sent(populated, sign_in):
    """A forged POST of a call that the page does not offer is refused and audited, and never reaches the platform."""
    for role in ("viewer", "operator", "release-engineer"):
        gateway, browser = populated.org.gateway(role), sign_in(role)
        for catalogued in operations().values():
            if gateway.allows(catalogued.name):
                continue
            response = browser.post(
                url(populated.org, catalogued.name), {"ProductKey": "a1", "typed": catalogued.name}
            )
            assert response.status_code == 403, (role, catalogued.name)
        refused = {op.name for op in operations().values() if not gateway.allows(op.name)}
        records = AuditRecord.objects.filter(actor=populated.org.members[role], outcome="refused")
        assert set(records.values_list("operation", flat=True)) == refused
    assert populated.upstream.writes == []


def test_a_call_that_the_role_cannot_send_names_the_required_permission(emulator, org, sign_in):
    html = unescape(sign_in("viewer").get(url(org, "CreateProduct")).content.decode())
    assert (
        "Your role “Viewer” cannot send this call. It requires the permission “write” for Products." in html
    )
    assert 'id="ex-send"' not in html
    html = unescape(sign_in("operator").get(url(org, "CancelOTATaskByJob")).content.decode())
    assert "for Updates." in html


def test_a_delete_request_is_sent_only_after_its_name_is_typed(product, org, sign_in, emulator):
    browser = sign_in("operator")
    page = unescape(browser.get(url(org, "DeleteProduct"), {"ProductKey": product}).content.decode())
    assert "This permanently deletes data on Sandbox." in page
    for typed in ("", "deleteproduct", "Delete", product):
        response = browser.post(url(org, "DeleteProduct"), {"ProductKey": product, "typed": typed})
        assert response.status_code == 422
        assert "Nothing was sent" in response.content.decode()
        assert f'value="{product}"' in response.content.decode()
    assert AuditRecord.objects.filter(operation="DeleteProduct").count() == 0
    response = browser.post(url(org, "DeleteProduct"), {"ProductKey": product, "typed": "DeleteProduct"})
    assert response.context["sent"].error is None
    assert 'value="DeleteProduct"' not in response.content.decode()
    assert AuditRecord.objects.get(operation="DeleteProduct").outcome == "done"


def test_every_delete_operation_requires_typing_its_name(populated, sign_in):
    browser = sign_in("owner")
    names = [operation.name for operation in operations().values() if operation.access is Access.DELETE]
    assert names
    for name in names:
        assert "data-ex-typed" in browser.get(url(populated.org, name)).content.decode(), name


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_hidden_by_default(device, product, org, sign_in):
    for role in ("viewer", "owner"):
        response = sign_in(role).post(
            url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001"}
        )
        assert device.secret not in response.content.decode()
        assert "••••••" in response.content.decode()
    assert not AuditRecord.objects.filter(operation="QueryDeviceDetail").exists()


def test_users_with_permission_see_secrets_on_request_and_this_is_audited(device, product, org, sign_in):
    form = {"ProductKey": product, "DeviceName": "lamp-0001", "reveal": "1"}
    response = sign_in("owner").post(url(org, "QueryDeviceDetail"), form)
    assert device.secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert AuditRecord.objects.get(operation="QueryDeviceDetail").outcome == "done"
    refused = sign_in("operator").post(url(org, "QueryDeviceDetail"), form)
    assert refused.status_code == 403
    assert AuditRecord.objects.filter(operation="QueryDeviceDetail", outcome="refused").count() == 1
    assert "Show secrets" not in sign_in("operator").get(url(org, "QueryDeviceDetail")).content.decode()
    assert "Show secrets" not in sign_in("owner").get(url(org, "GetDeviceStatus")).content.decode()


def test_an_unreadable_response_that_may_contain_a_secret_is_hidden(device, product, org, sign_in, emulator):
    emulator.faults.add("QueryDeviceDetail", "malformed", times=9)
    response = sign_in("viewer").post(
        url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001"}
    )
    assert response.context["sent"].trace.body == b""
    assert "raw response is hidden" in response.content.decode()


# -- hostile texts -----------------------------------------------------------------------------------------------------


def test_input_and_response_are_shown_as_text(emulator, org, sign_in):
    evil = "<img src=x onerror=alert(1)>"
    form = {**PRODUCT, "Description": evil}
    browser = sign_in("owner")
    created = browser.post(url(org, "CreateProduct"), form)
    key = created.context["sent"].response["Data"]["ProductKey"]
    pages = [
        created,
        browser.post(url(org, "QueryProduct"), {"ProductKey": key}),
        browser.get(org.url("explorer/history/")),
    ]
    pages += [browser.post(url(org, "QueryProduct"), {"ProductKey": key, "format": "XML"})]
    for page in pages:
        html = page.content.decode()
        assert evil not in html
        assert not re.search(r"<img", html)
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages[1].content.decode()


# -- code --------------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_call_as_code_in_the_selected_language(product, org, sign_in):
    browser = sign_in("viewer")
    page = browser.get(url(org, "QueryProduct"), {"ProductKey": product})
    assert page.context["language"].slug == "python"  # an SDK
    chosen = browser.post(url(org, "QueryProduct"), {"ProductKey": product, "code": "curl"})
    assert f"ProductKey={product}" in chosen.content.decode()
    assert chosen.context["sent"] is None
    again = browser.get(url(org, "QueryDevice"), {"ProductKey": product})
    assert again.context["language"].slug == "curl"
    chosen = browser.post(url(org, "QueryProduct"), {"ProductKey": product, "code": "python"})
    assert f"product_key=&quot;{product}&quot;" in chosen.content.decode()
    assert "protocol=&quot;HTTP&quot;" in chosen.content.decode()
    assert not ExplorerCall.objects.exists()


def test_code_never_contains_the_keys_of_the_connection(product, org, sign_in):
    for slug in ("curl", "python", "java", "node", "go", "php", "csharp", "cpp"):
        html = (
            sign_in("owner")
            .post(url(org, "QueryProduct"), {"ProductKey": product, "code": slug})
            .content.decode()
        )
        assert KEY_SECRET not in html
        assert KEY_ID not in html


def test_the_instance_of_the_connection_is_in_the_code(product, org, sign_in):
    org.connection.instance_id = "iot-sandbox"
    org.connection.save()
    html = sign_in("owner").get(url(org, "QueryProduct"), {"ProductKey": product}).content.decode()
    assert 'iot_instance_id="iot-sandbox"' in unescape(html)
    assert 'placeholder="iot-sandbox"' in html
