"""A person's own calls: private, without secrets, pruned, and ready to be sent again."""

from __future__ import annotations

import pytest

from console.cloud.catalogue import operation, operations
from console.connections.models import Connection
from console.explorer import history
from console.explorer.history import KEPT_CALLS, KEPT_PARAMETERS, keepable, keeps
from console.explorer.models import ExplorerCall
from console.explorer.views import HistoryFilters
from tests.explorer.test_forms import values

# Texts that are never kept: looked at one by one. Whatever is in neither list fails the test below.
NEVER_KEPT = {
    "AppKey", "Args", "Configuration", "Content", "CorrelationData", "DnListFileUrl", "FirmwareUrl", "Items",
    "MessageContent", "MnsConfiguration", "PinCode", "RequestBase64Byte", "ShadowMessage", "TslUrl", "Url",
}  # fmt: skip


@pytest.fixture
def keep(org):
    def make(role: str = "owner", name: str = "QueryProduct", connection: Connection | None = None, **params):
        return history.keep(org.members[role], connection or org.connection, operation(name), params)

    return make


def page(org, sign_in, role="owner", query=None):
    return sign_in(role).get(org.url("explorer/history/"), query or {})


def test_each_text_is_kept_or_not_by_decision():
    texts = {
        p.member or p.base
        for op in operations().values()
        for p in op.parameters.values()
        if not keeps("", p.type, bool(p.values))
    }
    assert texts - KEPT_PARAMETERS == NEVER_KEPT
    assert not NEVER_KEPT & KEPT_PARAMETERS


def test_what_one_person_called_is_in_no_form_that_others_use_at_the_same_moment(org, sign_in, keep):
    keep()
    assert "QueryProduct" in page(org, sign_in).content.decode()
    assert HistoryFilters.base_fields["operation"].choices == []  # which every request copies


def test_secrets_and_contents_are_not_kept_and_are_asked_for_again(emulator, org, sign_in):
    secret = "c2VjcmV0IG1lc3NhZ2U="
    form = {"ProductKey": "a1", "TopicFullName": "/a1/d/user/get", "MessageContent": secret, "Qos": "1"}
    browser = sign_in("owner")
    browser.post(org.url("explorer/Pub/"), form)
    call = ExplorerCall.objects.get()
    assert call.parameters == {"ProductKey": "a1", "TopicFullName": "/a1/d/user/get", "Qos": 1}
    assert call.left_out == ["MessageContent"]
    listed = page(org, sign_in).content.decode()
    assert secret not in listed
    assert "••••••" in listed
    html = browser.get(org.url("explorer/Pub/"), {"again": call.pk}).content.decode()
    assert values(html)["TopicFullName"] == "/a1/d/user/get"
    assert values(html)["Qos"] == "1"
    assert values(html)["MessageContent"] == ""
    assert "Not kept in the history, to be given again: MessageContent." in html


def test_a_structure_with_one_secret_member_is_left_out_as_a_whole():
    kept, left_out = keepable(
        operation("SetEdgeInstanceDriverConfigs"),
        {"InstanceId": "i", "Configs": [{"Format": "JSON", "Key": "k", "Content": "password"}]},
    )
    assert kept == {"InstanceId": "i"}
    assert left_out == ["Configs"]


def test_a_very_long_value_is_left_out():
    assert keepable(operation("ImportThingModelTsl"), {"ProductKey": "a", "TslStr": "x" * 9000})[1] == [
        "TslStr"
    ]


def test_a_call_is_repeated_with_its_lists_and_structures(emulator, org, sign_in, keep):
    call = keep(
        name="BatchAddDeviceGroupRelations",
        GroupId="g",
        Device=[{"ProductKey": "a", "DeviceName": "one"}, {"ProductKey": "b", "DeviceName": "two"}],
    )
    html = sign_in("owner").get(org.url(f"explorer/{call.operation}/"), {"again": call.pk}).content.decode()
    assert (values(html)["Device.2.ProductKey"], values(html)["Device.2.DeviceName"]) == ("b", "two")
    call = keep(name="CreateProduct", ProductName="Lamp", PublishAuto=False)
    html = sign_in("owner").get(org.url("explorer/CreateProduct/"), {"again": call.pk}).content.decode()
    assert values(html)["PublishAuto"] == "false"


def test_the_history_is_private_to_the_person_and_the_connection(emulator, org, sign_in, keep):
    mine, theirs = keep("owner", ProductKey="mine-key"), keep("administrator", ProductKey="their-key")
    other = Connection.objects.create(
        team=org.team, slug="second", name="Second", access_key_id="x", access_key_secret="y"
    )
    elsewhere = keep("owner", connection=other, ProductKey="elsewhere-key")
    listed = page(org, sign_in).content.decode()
    assert "mine-key" in listed
    assert "their-key" not in listed
    assert "elsewhere-key" not in listed
    browser = sign_in("owner")
    form = org.url("explorer/QueryProduct/")
    assert "mine-key" in browser.get(form, {"again": mine.pk}).content.decode()
    for wrong in (theirs.pk, elsewhere.pk, 0, "x", "9" * 30):
        assert browser.get(form, {"again": wrong}).status_code == 404
    assert browser.get(org.url("explorer/QueryDevice/"), {"again": mine.pk}).status_code == 404
    assert "their-key" not in browser.get(form).content.decode()


def test_only_the_last_calls_are_kept_of_each_person(org, keep):
    ExplorerCall.objects.bulk_create(
        ExplorerCall(user=org.members["owner"], connection=org.connection, operation="X", outcome="done")
        for _ in range(KEPT_CALLS + 5)
    )
    keep("viewer")
    newest = keep("owner")
    own = ExplorerCall.objects.of(org.members["owner"], org.connection)
    assert own.count() == KEPT_CALLS
    assert own.first() == newest
    assert ExplorerCall.objects.of(org.members["viewer"], org.connection).count() == 1


def test_it_is_filtered_by_operation_and_outcome(emulator, org, sign_in, keep):
    keep(name="QueryProduct", ProductKey="first-key")
    keep(name="QueryDevice", ProductKey="second-key")
    listed = page(org, sign_in, query={"operation": "QueryDevice"}).content.decode()
    assert "second-key" in listed
    assert "first-key" not in listed
    assert "second-key" not in page(org, sign_in, query={"outcome": "failed"}).content.decode()


def test_outcome_time_and_request_are_kept(emulator, org, sign_in):
    sign_in("viewer").post(org.url("explorer/QueryProduct/"), {"ProductKey": "a1missing000"})
    call = ExplorerCall.objects.get()
    assert (call.outcome, call.code) == ("failed", "iot.prod.NotExistedProduct")
    assert call.request_id
    assert call.milliseconds is not None
    sign_in("viewer").post(org.url("explorer/DeleteProduct/"), {"ProductKey": "a1", "typed": "DeleteProduct"})
    assert ExplorerCall.objects.first().outcome == "refused"


def test_a_form_that_was_not_sent_is_no_call(emulator, org, sign_in):
    browser = sign_in("owner")
    browser.get(org.url("explorer/QueryProduct/"), {"ProductKey": "a1"})
    browser.post(org.url("explorer/QueryProduct/"), {})
    browser.post(org.url("explorer/BatchPub/"), {"grow": "DeviceName"})
    assert not ExplorerCall.objects.exists()


def test_what_was_called_lately_is_a_click_away(emulator, org, sign_in, keep):
    keep(name="QueryDevice", ProductKey="a")
    html = sign_in("owner").get(org.url("explorer/")).content.decode()
    assert "ex-recent" in html
    assert "ex-recent" not in sign_in("viewer").get(org.url("explorer/")).content.decode()
