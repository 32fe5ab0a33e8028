"""The call history of a user: private, without secrets, pruned, and ready to be sent again."""

from __future__ import annotations

import pytest

from console.connections.models import Connection
from console.explorer import history
from console.explorer.history import MAX_CALLS, split_parameters
from console.explorer.models import ExplorerCall
from console.explorer.views import HistoryFilters
from iot_client.catalogue import operation, operations
from tests.explorer.forms import field_values


# Text parameters that are never stored, decided one by one. A parameter in neither list fails the test below.
@pytest.fixture
def record_call(org):
    def make(role: str = "owner", name: str = "QueryProduct", connection: Connection | None = None, **params):
        return history.record_call(org.members[role], connection or org.connection, operation(name), params)

    return make


def get_history(org, sign_in, role="owner", query=None):
    return sign_in(role).get(org.url("explorer/history/"), query or {})


def test_a_sensitive_parameter_is_not_stored():
    for op in operations().values():
        params = {p.base: [{p.member: "text"}] if p.member else "text" for p in op.parameters.values()}
        stored, omitted = split_parameters(op, params)
        assert set(omitted) == {p.base for p in op.parameters.values() if p.sensitive}
        assert set(stored) == params.keys() - set(omitted)


def test_the_history_of_a_user_is_not_shared_with_concurrent_requests(org, sign_in, record_call):
    record_call()
    assert "QueryProduct" in get_history(org, sign_in).content.decode()
    assert HistoryFilters.base_fields["operation"].choices == []  # each request copies these fields


def test_secrets_and_contents_are_not_stored_and_must_be_entered_again(emulator, org, sign_in):
    secret = "c2VjcmV0IG1lc3NhZ2U="
    form = {"ProductKey": "a1", "TopicFullName": "/a1/d/user/get", "MessageContent": secret, "Qos": "1"}
    browser = sign_in("owner")
    browser.post(org.url("explorer/Pub/"), form)
    call = ExplorerCall.objects.get()
    assert call.parameters == {"ProductKey": "a1", "TopicFullName": "/a1/d/user/get", "Qos": 1}
    assert call.omitted_parameters == ["MessageContent"]
    listed = get_history(org, sign_in).content.decode()
    assert secret not in listed
    assert "••••••" in listed
    html = browser.get(org.url("explorer/Pub/"), {"repeat": call.pk}).content.decode()
    assert field_values(html)["TopicFullName"] == "/a1/d/user/get"
    assert field_values(html)["Qos"] == "1"
    assert field_values(html)["MessageContent"] == ""
    assert "Not stored in the history. Enter again: MessageContent." in html


def test_a_structure_with_one_secret_member_is_not_stored():
    stored, omitted = split_parameters(
        operation("SetEdgeInstanceDriverConfigs"),
        {"InstanceId": "i", "Configs": [{"Format": "JSON", "Key": "k", "Content": "password"}]},
    )
    assert stored == {"InstanceId": "i"}
    assert omitted == ["Configs"]


def test_a_very_long_value_is_not_stored():
    assert split_parameters(operation("ImportThingModelTsl"), {"ProductKey": "a", "TslStr": "x" * 9000})[
        1
    ] == ["TslStr"]


def test_a_call_can_be_repeated_with_its_lists_and_structures(emulator, org, sign_in, record_call):
    call = record_call(
        name="BatchAddDeviceGroupRelations",
        GroupId="g",
        Device=[{"ProductKey": "a", "DeviceName": "one"}, {"ProductKey": "b", "DeviceName": "two"}],
    )
    html = sign_in("owner").get(org.url(f"explorer/{call.operation}/"), {"repeat": call.pk}).content.decode()
    assert (field_values(html)["Device.2.ProductKey"], field_values(html)["Device.2.DeviceName"]) == (
        "b",
        "two",
    )
    call = record_call(name="CreateProduct", ProductName="Lamp", PublishAuto=False)
    html = sign_in("owner").get(org.url("explorer/CreateProduct/"), {"repeat": call.pk}).content.decode()
    assert field_values(html)["PublishAuto"] == "false"


def test_the_history_is_private_to_the_user_and_the_connection(emulator, org, sign_in, record_call):
    mine, theirs = (
        record_call("owner", ProductKey="mine-key"),
        record_call("administrator", ProductKey="their-key"),
    )
    other = Connection.objects.create(
        team=org.team, slug="second", name="Second", access_key_id="x", access_key_secret="y"
    )
    on_other_connection = record_call("owner", connection=other, ProductKey="elsewhere-key")
    listed = get_history(org, sign_in).content.decode()
    assert "mine-key" in listed
    assert "their-key" not in listed
    assert "elsewhere-key" not in listed
    browser = sign_in("owner")
    form = org.url("explorer/QueryProduct/")
    assert "mine-key" in browser.get(form, {"repeat": mine.pk}).content.decode()
    for wrong in (theirs.pk, on_other_connection.pk, 0, "x", "9" * 30):
        assert browser.get(form, {"repeat": wrong}).status_code == 404
    assert browser.get(org.url("explorer/QueryDevice/"), {"repeat": mine.pk}).status_code == 404
    assert "their-key" not in browser.get(form).content.decode()


def test_only_the_last_calls_of_each_user_are_stored(org, record_call):
    ExplorerCall.objects.bulk_create(
        ExplorerCall(user=org.members["owner"], connection=org.connection, operation="X", outcome="done")
        for _ in range(MAX_CALLS + 5)
    )
    record_call("viewer")
    newest = record_call("owner")
    own = ExplorerCall.objects.for_user(org.members["owner"], org.connection)
    assert own.count() == MAX_CALLS
    assert own.first() == newest
    assert ExplorerCall.objects.for_user(org.members["viewer"], org.connection).count() == 1


def test_the_history_can_be_filtered_by_operation_and_status(emulator, org, sign_in, record_call):
    record_call(name="QueryProduct", ProductKey="first-key")
    record_call(name="QueryDevice", ProductKey="second-key")
    listed = get_history(org, sign_in, query={"operation": "QueryDevice"}).content.decode()
    assert "second-key" in listed
    assert "first-key" not in listed
    assert "second-key" not in get_history(org, sign_in, query={"outcome": "failed"}).content.decode()


def test_status_duration_and_request_id_are_stored(emulator, org, sign_in):
    sign_in("viewer").post(org.url("explorer/QueryProduct/"), {"ProductKey": "a1missing000"})
    call = ExplorerCall.objects.get()
    assert (call.outcome, call.code) == ("failed", "iot.prod.NotExistedProduct")
    assert call.request_id
    assert call.milliseconds is not None
    sign_in("viewer").post(org.url("explorer/DeleteProduct/"), {"ProductKey": "a1", "typed": "DeleteProduct"})
    assert ExplorerCall.objects.first().outcome == "refused"


def test_a_form_that_was_not_sent_is_not_in_the_history(emulator, org, sign_in):
    browser = sign_in("owner")
    browser.get(org.url("explorer/QueryProduct/"), {"ProductKey": "a1"})
    browser.post(org.url("explorer/QueryProduct/"), {})
    browser.post(org.url("explorer/BatchPub/"), {"grow": "DeviceName"})
    assert not ExplorerCall.objects.exists()


def test_recent_operations_are_linked(emulator, org, sign_in, record_call):
    record_call(name="QueryDevice", ProductKey="a")
    html = sign_in("owner").get(org.url("explorer/")).content.decode()
    assert "ex-recent" in html
    assert "ex-recent" not in sign_in("viewer").get(org.url("explorer/")).content.decode()
