"""Sending: through the gateway only, as the role allows, shown as it went out, with no secret on the page."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from console.access.models import AuditRecord
from console.cloud.catalogue import operations
from console.cloud.client import Client as CloudClient
from console.cloud.client import Credentials
from console.cloud.trace import Trace
from console.connections import clients
from console.devices import api as devices_api
from console.explorer.models import ExplorerCall
from console.products import api as products_api
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
    made = {
        "ProductName": "Quay_Lamp",
        "NodeType": 0,
        "AliyunCommodityCode": "iothub_senior",
        "DataFormat": 1,
    }
    return products_api.create_product(org.gateway(), made)


@pytest.fixture
def device(product, org):
    return devices_api.register_device(org.gateway(), product, name="lamp-0001")


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_a_read_shows_answer_request_status_time_quota_and_request_id(product, org, sign_in):
    answer = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": product})
    html = unescape(answer.content.decode())
    sent = answer.context["sent"]
    assert answer.status_code == 200
    assert "HTTP 200" in html
    assert sent.answer["Data"]["ProductName"] == "Quay_Lamp"
    assert sent.request_id in html
    assert json.loads(sent.raw)["Data"]["ProductKey"] == product
    assert "Action=QueryProduct" in html
    assert "POST" in html
    assert "content-type: application/x-www-form-urlencoded" in html
    assert (sent.trace.quota, sent.trace.remaining) == (
        operations()["QueryProduct"].qps,
        operations()["QueryProduct"].qps - 1,
    )
    assert "no-store" in answer["Cache-Control"]


def test_no_key_and_no_signature_is_on_the_page(product, org, sign_in, monkeypatch):
    signatures = []
    sent = Trace.record_request

    def watched(self, method, address, headers, query, form):
        signatures.append(query["Signature"])
        sent(self, method, address, headers, query, form)

    monkeypatch.setattr(Trace, "record_request", watched)
    html = unescape(sign_in("owner").post(url(org, "QueryProduct"), {"ProductKey": product}).content.decode())
    assert len(signatures) == 1
    for secret in (signatures[0], KEY_SECRET, KEY_ID):
        assert secret not in html
    assert "Signature=***" in html
    assert "AccessKeyId=LTAI***" in html


def test_a_token_in_a_refusal_is_taken_out(emulator):
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


def test_the_answer_may_be_had_as_xml(device, product, org, sign_in):
    answer = sign_in("viewer").post(
        url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001", "format": "XML"}
    )
    sent = answer.context["sent"]
    assert sent.raw.startswith("<")
    assert "<DeviceName>lamp-0001</DeviceName>" in sent.raw
    assert device.secret not in answer.content.decode()
    assert "••••••" in sent.raw
    assert sent.answer["Data"]["DeviceName"] == "lamp-0001"
    assert "Raw XML" in answer.content.decode()


def test_a_write_changes_something_and_is_audited(emulator, org, sign_in):
    answer = sign_in("operator").post(url(org, "CreateProduct"), PRODUCT)
    assert answer.context["sent"].answer["Success"] is True
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
    assert len(sent.answer["DeviceStatusList"]["DeviceStatus"]) == 2
    assert ("DeviceName.2", "lamp-0002", "query") in sent.own_fields


def test_what_was_typed_stays_in_the_form(product, org, sign_in):
    html = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": product}).content.decode()
    assert f'value="{product}"' in html


@pytest.mark.parametrize("kind", ["error", "malformed", "drop", "throttle"])
def test_an_error_is_said_in_plain_words_and_the_form_is_kept(product, org, sign_in, emulator, kind):
    options = {
        "throttle": {"delay": 0.0},
        "error": {"code": "iot.system.SystemException", "status": 500},
    }.get(kind, {})
    emulator.faults.add("CreateProduct", kind, times=50, **options)
    answer = sign_in("owner").post(url(org, "CreateProduct"), PRODUCT)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "fd-cloud-error" in html
    assert 'value="Explorer_Lamp"' in html
    assert ExplorerCall.objects.get().outcome in ("failed", "unknown")


def test_a_refusal_of_the_platform_shows_its_answer(emulator, org, sign_in):
    answer = sign_in("viewer").post(url(org, "QueryProduct"), {"ProductKey": "a1missing000"})
    html = answer.content.decode()
    assert "iot.prod.NotExistedProduct" in html
    assert answer.context["sent"].tree
    assert "Request as sent" in html


# -- roles -------------------------------------------------------------------------------------------------------------


def test_only_what_the_role_allows_can_be_sent(populated, sign_in):
    """Each role, each operation: a forged POST of what the page does not offer is refused, recorded, and reaches nothing."""
    for role in ("viewer", "operator", "release-engineer"):
        gateway, browser = populated.org.gateway(role), sign_in(role)
        for described in operations().values():
            if gateway.allows(described.name):
                continue
            answer = browser.post(
                url(populated.org, described.name), {"ProductKey": "a1", "typed": described.name}
            )
            assert answer.status_code == 403, (role, described.name)
        refused = {op.name for op in operations().values() if not gateway.allows(op.name)}
        records = AuditRecord.objects.filter(actor=populated.org.members[role], outcome="refused")
        assert set(records.values_list("operation", flat=True)) == refused
    assert populated.upstream.writes == []


def test_a_call_that_the_role_cannot_make_says_which_level_it_asks_for(emulator, org, sign_in):
    html = unescape(sign_in("viewer").get(url(org, "CreateProduct")).content.decode())
    assert "Your role “Viewer” cannot send this. It asks for the level “write” in Products." in html
    assert 'id="ex-send"' not in html
    html = unescape(sign_in("operator").get(url(org, "CancelOTATaskByJob")).content.decode())
    assert "in Updates." in html


def test_a_destroying_call_is_sent_only_when_its_name_is_typed(product, org, sign_in, emulator):
    browser = sign_in("operator")
    page = unescape(browser.get(url(org, "DeleteProduct"), {"ProductKey": product}).content.decode())
    assert "This destroys something on Sandbox." in page
    for typed in ("", "deleteproduct", "Delete", product):
        answer = browser.post(url(org, "DeleteProduct"), {"ProductKey": product, "typed": typed})
        assert answer.status_code == 422
        assert "Nothing was sent" in answer.content.decode()
        assert f'value="{product}"' in answer.content.decode()
    assert AuditRecord.objects.filter(operation="DeleteProduct").count() == 0
    answer = browser.post(url(org, "DeleteProduct"), {"ProductKey": product, "typed": "DeleteProduct"})
    assert answer.context["sent"].error is None
    assert 'value="DeleteProduct"' not in answer.content.decode()
    assert AuditRecord.objects.get(operation="DeleteProduct").outcome == "done"


def test_every_destroying_operation_asks(populated, sign_in):
    browser = sign_in("owner")
    for described in operations().values():
        if described.access == "delete":
            assert "data-ex-typed" in browser.get(url(populated.org, described.name)).content.decode()


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_hidden_from_everybody_who_does_not_ask(device, product, org, sign_in):
    for role in ("viewer", "owner"):
        answer = sign_in(role).post(
            url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001"}
        )
        assert device.secret not in answer.content.decode()
        assert "••••••" in answer.content.decode()
    assert not AuditRecord.objects.filter(operation="QueryDeviceDetail").exists()


def test_who_has_the_level_sees_them_on_request_and_that_is_recorded(device, product, org, sign_in):
    form = {"ProductKey": product, "DeviceName": "lamp-0001", "reveal": "1"}
    answer = sign_in("owner").post(url(org, "QueryDeviceDetail"), form)
    assert device.secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert AuditRecord.objects.get(operation="QueryDeviceDetail").outcome == "done"
    refused = sign_in("operator").post(url(org, "QueryDeviceDetail"), form)
    assert refused.status_code == 403
    assert AuditRecord.objects.filter(operation="QueryDeviceDetail", outcome="refused").count() == 1
    assert "Show secrets" not in sign_in("operator").get(url(org, "QueryDeviceDetail")).content.decode()
    assert "Show secrets" not in sign_in("owner").get(url(org, "GetDeviceStatus")).content.decode()


def test_an_answer_that_cannot_be_read_is_not_shown_where_it_may_hold_a_secret(
    device, product, org, sign_in, emulator
):
    emulator.faults.add("QueryDeviceDetail", "malformed", times=9)
    answer = sign_in("viewer").post(
        url(org, "QueryDeviceDetail"), {"ProductKey": product, "DeviceName": "lamp-0001"}
    )
    assert answer.context["sent"].trace.body == b""
    assert "is not shown" in answer.content.decode()


# -- hostile texts -----------------------------------------------------------------------------------------------------


def test_what_is_typed_and_what_is_answered_is_shown_as_text(emulator, org, sign_in):
    evil = "<img src=x onerror=alert(1)>"
    form = {**PRODUCT, "Description": evil}
    browser = sign_in("owner")
    made = browser.post(url(org, "CreateProduct"), form)
    key = made.context["sent"].answer["Data"]["ProductKey"]
    pages = [
        made,
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


def test_the_page_shows_the_call_as_code_in_the_language_that_was_chosen(product, org, sign_in):
    browser = sign_in("viewer")
    page = browser.get(url(org, "QueryProduct"), {"ProductKey": product})
    assert page.context["language"].slug == "curl"
    chosen = browser.post(url(org, "QueryProduct"), {"ProductKey": product, "code": "python"})
    assert f"product_key=&quot;{product}&quot;" in chosen.content.decode()
    assert chosen.context["sent"] is None
    again = browser.get(url(org, "QueryDevice"), {"ProductKey": product})
    assert again.context["language"].slug == "python"
    assert "protocol=&quot;HTTP&quot;" in again.content.decode()
    assert not ExplorerCall.objects.exists()


def test_code_never_holds_the_connections_keys(product, org, sign_in):
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
    assert "IotInstanceId=iot-sandbox" in unescape(html)
    assert 'placeholder="iot-sandbox"' in html
