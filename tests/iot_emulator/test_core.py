"""Behavior of all operations: signatures, responses, parameters, state, quotas, injected faults, control API."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_client import catalogue, signing
from iot_emulator import Clock, Emulator, ManualClock, create_app
from iot_emulator.operations import HANDLERS
from tests.iot_emulator.clients import signed_fields

from .clients import KEY_ID, KEY_SECRET, Api, create_api

OURS = sorted(
    name for name in HANDLERS if catalogue.operation(name).group in ("products", "devices", "device-groups")
)


def http_client(emulator: Emulator) -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://emulator.test")


def status_and_code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["Code"]


def post_acs3(
    emulator: Emulator, action: str = "QueryProductList", query: str = "CurrentPage=1", **changes: str
) -> httpx.Response:
    """Send a request with the ACS3 scheme; `changes` are headers that are changed after signing."""
    import hashlib

    body = b""
    headers = {
        "host": "emulator.test",
        "x-acs-action": action,
        "x-acs-version": "2018-01-20",
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": str(time.perf_counter_ns()),
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "user-agent": "test",
        "accept": "application/json",
    }
    names = sorted(name for name in headers if name == "host" or name.startswith("x-acs-"))
    canonical = signing.acs3_canonical_request(
        "POST", "/", dict(httpx.QueryParams(query)), headers, names, hashlib.sha256(body).hexdigest()
    )
    signature = signing.acs3_signature(canonical, KEY_SECRET)
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={KEY_ID},SignedHeaders={';'.join(names)},Signature={signature}"
    )
    return http_client(emulator).post(f"/?{query}", headers={**headers, **changes})


def _without_empty(value: Any) -> Any:
    """Return a response without empty texts and lists, which do not exist in XML."""
    if isinstance(value, dict):
        return {
            key: item
            for key, inner in value.items()
            if (item := _without_empty(inner)) not in ("", [], {}, None)
        }
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    return value


class TestSigning:
    @pytest.mark.parametrize("place", ["params", "data"])
    def test_an_sha1_signature_is_accepted_in_query_and_in_form(self, emulator: Emulator, place: str) -> None:
        response = http_client(emulator).post("/", **{place: signed_fields()})
        assert response.json()["Success"] is True

    def test_an_sha1_signature_is_accepted_with_get(self, emulator: Emulator) -> None:
        assert http_client(emulator).get("/", params=signed_fields(method="GET")).json()["Success"] is True

    def test_an_acs3_signature_is_accepted_with_a_json_response(self, emulator: Emulator) -> None:
        assert post_acs3(emulator).json()["Success"] is True

    def test_an_acs3_request_with_a_changed_action_is_refused(self, emulator: Emulator) -> None:
        assert status_and_code(post_acs3(emulator, **{"x-acs-action": "DeleteProduct"})) == (
            400,
            "SignatureDoesNotMatch",
        )

    def test_a_malformed_authorization_header_is_refused(self, emulator: Emulator) -> None:
        assert status_and_code(post_acs3(emulator, authorization="ACS3-HMAC-SHA256 nonsense"))[0] == 400

    def test_a_wrong_secret_is_refused_with_the_string_to_sign(self, emulator: Emulator) -> None:
        fields = signed_fields(secret="wrong")
        response = http_client(emulator).post("/", params=fields)
        assert status_and_code(response) == (400, "SignatureDoesNotMatch")
        string = signing.rpc_string_to_sign("POST", fields)
        assert response.json()["Message"].endswith(f"server string to sign is:{string}")

    def test_an_unknown_key_is_refused(self, emulator: Emulator) -> None:
        fields = signed_fields(AccessKeyId="nobody")
        assert status_and_code(http_client(emulator).post("/", params=fields)) == (
            404,
            "InvalidAccessKeyId.NotFound",
        )

    def test_a_nonce_can_be_used_only_once(self, emulator: Emulator) -> None:
        fields = signed_fields()
        assert http_client(emulator).post("/", params=fields).json()["Success"] is True
        assert status_and_code(http_client(emulator).post("/", params=fields)) == (400, "SignatureNonceUsed")

    @pytest.mark.parametrize("minutes", [-16, 16])
    def test_a_time_out_of_the_window_is_refused(self, emulator: Emulator, minutes: int) -> None:
        stamp = (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert status_and_code(http_client(emulator).post("/", params=signed_fields(Timestamp=stamp))) == (
            400,
            "InvalidTimeStamp.Expired",
        )

    def test_the_window_can_be_set_and_follows_the_wall_clock(self, tmp_path: Path) -> None:
        wall = ManualClock(datetime.now(UTC))
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, wall=wall, signature_window=60)
        assert http_client(app).post("/", params=signed_fields()).json()["Success"] is True
        wall.advance(120)
        assert status_and_code(http_client(app).post("/", params=signed_fields())) == (
            400,
            "InvalidTimeStamp.Expired",
        )
        app.close()

    def test_a_nonce_is_remembered_until_its_request_expires(self, tmp_path: Path) -> None:
        wall = ManualClock(datetime.now(UTC))
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, wall=wall, quotas=False)
        late = (datetime.now(UTC) + timedelta(minutes=14)).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = signed_fields(Timestamp=late)
        assert http_client(app).post("/", params=fields).json()["Success"] is True
        wall.advance(20 * 60)
        assert status_and_code(http_client(app).post("/", params=fields)) == (400, "SignatureNonceUsed")
        app.close()

    def test_an_invalid_timestamp_is_refused(self, emulator: Emulator) -> None:
        response = http_client(emulator).post("/", params=signed_fields(Timestamp="yesterday"))
        assert status_and_code(response) == (400, "InvalidTimeStamp.Format")

    @pytest.mark.parametrize(
        "name",
        [
            "Action", "Version", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp",
            "SignatureNonce",
        ],
    )  # fmt: skip
    def test_a_missing_common_parameter_is_refused(self, emulator: Emulator, name: str) -> None:
        fields = signed_fields()
        del fields[name]
        assert status_and_code(http_client(emulator).post("/", params=fields)) == (400, "MissingParameter")

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("SignatureVersion", "2.0", "InvalidSignatureVersion"),
            ("SignatureMethod", "HMAC-SHA256", "InvalidSignatureMethod"),
            ("Format", "YAML", "InvalidFormat"),
        ],
    )
    def test_an_unknown_signature_version_method_or_format_is_refused(
        self, emulator: Emulator, name: str, value: str, code: str
    ) -> None:
        response = http_client(emulator).post("/", params=signed_fields(**{name: value}))
        assert response.status_code == 400
        assert f"<Code>{code}</Code>" in response.text or response.json()["Code"] == code

    def test_another_api_version_is_refused(self, emulator: Emulator) -> None:
        assert status_and_code(
            http_client(emulator).post("/", params=signed_fields(Version="2017-04-20"))
        ) == (
            400,
            "InvalidVersion",
        )


class TestResponses:
    def test_the_default_format_is_xml(self, emulator: Emulator, api: Api) -> None:
        api.create_product("Meters")
        fields = signed_fields()
        del fields["Format"], fields["Signature"]
        fields["Signature"] = signing.rpc_sign("POST", fields, KEY_SECRET)
        response = http_client(emulator).post("/", params=fields)
        assert response.headers["content-type"].startswith("text/xml")
        root = ElementTree.fromstring(response.text)
        assert root.tag == "QueryProductListResponse"
        assert [e.text for e in root.findall("Data/List/ProductInfo/ProductName")] == ["Meters"]
        assert root.findtext("Success") == "true"

    def test_an_error_of_the_gateway_in_xml(self, emulator: Emulator) -> None:
        response = http_client(emulator).post("/", params={"Action": "QueryProduct"})
        root = ElementTree.fromstring(response.text)
        assert (response.status_code, root.tag) == (400, "Error")
        assert {"Code", "Message", "RequestId", "HostId"} <= {child.tag for child in root}

    def test_xml_keeps_markup_and_line_ends_and_replaces_control_characters(
        self, emulator: Emulator, api: Api
    ) -> None:
        xml = create_api(emulator, format="XML")
        key = xml.create_product("Meters", Description='<a> & \x07\x00 "b"\r\n\tc\r')
        description = xml.call("QueryProduct", ProductKey=key)["Data"]["Description"]
        assert description == '<a> & \ufffd\ufffd "b"\r\n\tc\r'
        json_form = api.call("QueryProduct", ProductKey=key)["Data"]["Description"]
        assert json_form == '<a> & \x07\x00 "b"\r\n\tc\r'

    @pytest.mark.parametrize(
        ("operation", "params"),
        [
            ("QueryProductList", {"CurrentPage": 1}),
            ("QueryProduct", {"ProductKey": "*"}),
            ("QueryDevice", {"ProductKey": "*"}),
            ("QueryDeviceDetail", {"ProductKey": "*", "DeviceName": "dev-1"}),
            ("BatchQueryDeviceDetail", {"ProductKey": "*", "DeviceName": ["dev-1"]}),
            ("BatchGetDeviceState", {"ProductKey": "*", "DeviceName": ["dev-1"]}),
            ("QueryDeviceByStatus", {"Status": 0}),
            ("QueryDeviceStatistics", {}),
            ("QueryDeviceProp", {"ProductKey": "*", "DeviceName": "dev-1"}),
            ("QueryDeviceByTags", {"Tag": [{"TagKey": "city", "TagValue": "Ulm"}]}),
            ("QueryDeviceBySQL", {"SQL": 'SELECT * FROM device WHERE name = "dev-1"'}),
            ("QueryBatchRegisterDeviceStatus", {"ProductKey": "*", "ApplyId": 1_000_001}),
            ("QueryPageByApplyId", {"ApplyId": 1_000_001}),
            ("QueryDeviceGroupList", {}),
            ("QueryDeviceGroupByDevice", {"ProductKey": "*", "DeviceName": "dev-1"}),
        ],
    )
    def test_xml_and_json_have_the_same_content(
        self, emulator: Emulator, api: Api, operation: str, params: dict[str, Any]
    ) -> None:
        key = api.create_product("Meters", Description="of one & all")
        api.register_devices(key, "dev-1")
        api.call("SaveDeviceProp", ProductKey=key, DeviceName="dev-1", Props={"city": "Ulm"})
        group = api.create_group("plant")
        device = [{"ProductKey": key, "DeviceName": "dev-1"}]
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=device)
        params = {name: key if value == "*" else value for name, value in params.items()}
        responses = [create_api(emulator, format=form).call(operation, **params) for form in ("JSON", "XML")]
        for response in responses:
            del response["RequestId"]
        assert _without_empty(responses[1]) == _without_empty(responses[0])

    def test_an_error_of_the_service_is_200_with_code_and_message(self, emulator: Emulator) -> None:
        response = http_client(emulator).post("/", params=signed_fields("QueryProduct", ProductKey="none"))
        body = response.json()
        assert (response.status_code, body["Success"], body["Code"]) == (
            200,
            False,
            "iot.prod.NotExistedProduct",
        )
        assert body["ErrorMessage"]

    def test_each_response_has_its_own_request_id(self, api: Api) -> None:
        ids = {api.call("QueryProductList", CurrentPage=1)["RequestId"] for _ in range(5)}
        assert len(ids) == 5

    def test_other_paths_are_not_found(self, emulator: Emulator) -> None:
        assert http_client(emulator).get("/elsewhere").status_code == 404


class TestParameters:
    @pytest.mark.parametrize("name", OURS)
    def test_every_operation_refuses_a_call_without_required_parameters(self, api: Api, name: str) -> None:
        operation = catalogue.operation(name)
        if not operation.one_of and not any(p.required for p in operation.parameters.values()):
            assert api.call(name)["Success"] is True
        else:
            assert api.error_code(name).startswith(("Missing", "iot."))

    def test_a_missing_parameter_is_named(self, api: Api) -> None:
        assert api.error_code("QueryProduct") == "MissingProductKey"
        assert api.error_code("DeleteProductTags", ProductKey="x") == "MissingProductTagKey"

    def test_an_invalid_number_is_refused(self, emulator: Emulator) -> None:
        response = http_client(emulator).post("/", params=signed_fields(CurrentPage="first"))
        assert status_and_code(response) == (400, "InvalidParameter")

    def test_booleans_can_be_upper_or_lower_case(self, emulator: Emulator, api: Api) -> None:
        key = api.create_product()
        for true in ("true", "True"):
            fields = signed_fields(
                "UpdateProductFilterConfig",
                ProductKey=key,
                PropertyTimestampFilter=true,
                PropertyValueFilter="False",
            )
            assert http_client(emulator).post("/", params=fields).json()["Success"] is True
        fields = signed_fields(
            "UpdateProductFilterConfig",
            ProductKey=key,
            PropertyTimestampFilter="yes",
            PropertyValueFilter="no",
        )
        assert status_and_code(http_client(emulator).post("/", params=fields)) == (400, "InvalidParameter")

    def test_list_indexes_sort_as_numbers_and_may_have_gaps(self, emulator: Emulator, api: Api) -> None:
        key = api.create_product()
        names = {2: "dev-b", 10: "dev-c", 1: "dev-a", 700: "dev-d"}
        api.register_devices(key, *names.values())
        fields = signed_fields(
            "BatchQueryDeviceDetail", ProductKey=key, **{f"DeviceName.{n}": name for n, name in names.items()}
        )
        devices = http_client(emulator).post("/", params=fields).json()["Data"]["Data"]
        assert [device["DeviceName"] for device in devices] == ["dev-a", "dev-b", "dev-c", "dev-d"]

    def test_ten_thousand_form_fields_and_a_long_query_are_accepted(
        self, emulator: Emulator, api: Api
    ) -> None:
        key = api.create_product()
        many = {f"DeviceName.{n}": f"dev-{n}" for n in range(1, 10_001)}
        fields = signed_fields("BatchCheckDeviceNames", ProductKey=key, **many)
        assert http_client(emulator).post("/", data=fields).json()["Success"] is True
        long = httpx.QueryParams(signed_fields("QueryProduct", ProductKey="k" * 120_000))
        status: list[str] = []
        body = emulator(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": "/",
                "QUERY_STRING": str(long),
                "HTTP_HOST": "emulator.test",
            },
            lambda line, headers: status.append(line),
        )
        assert (status, json.loads(b"".join(body))["Code"]) == (["200 OK"], "iot.prod.NotExistedProduct")

    def test_an_unknown_instance_is_refused(self, emulator: Emulator) -> None:
        wrong = create_api(emulator, instance_id="iot-nowhere")
        assert wrong.error_code("QueryProductList", CurrentPage=1) == "iot.system.InstanceNotFound"

    def test_an_unknown_operation_is_refused(self, emulator: Emulator) -> None:
        assert status_and_code(http_client(emulator).post("/", params=signed_fields("MakeCoffee"))) == (
            400,
            "UnsupportedOperation",
        )


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that all examples share."""
    path = tmp_path_factory.mktemp("sturdy") / "e.sqlite3"
    app = create_app(path, keys={KEY_ID: KEY_SECRET}, clock=ManualClock(), quotas=False)
    yield app
    app.close()


class TestAnyText:
    """Any text in any parameter gets a response of the platform and never an internal error of the emulator."""

    @settings(max_examples=150, deadline=None)
    @given(
        name=st.sampled_from(OURS),
        data=st.data(),
        format=st.sampled_from(["JSON", "XML"]),
    )
    def test_any_text_in_any_parameter_gets_a_valid_response(
        self, shared_emulator: Emulator, name: str, data: st.DataObject, format: str
    ) -> None:
        text = st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                [
                    "1",
                    "-1",
                    "0",
                    "9" * 5000,
                    "true",
                    "[]",
                    "{}",
                    '[{"a":1}]',
                    "null",
                    "a%00",
                    "\x00",
                    "Meters",
                ]
            ),
        )
        fields = {
            parameter.name.replace(
                ".N", data.draw(st.sampled_from([".1", ".2", ".0", "." + "7" * 5000, ".x", ""]))
            ): value
            for parameter in catalogue.operation(name).parameters.values()
            if parameter.name != "IotInstanceId" and (value := data.draw(st.none() | text)) is not None
        }
        response = http_client(shared_emulator).post("/", data=signed_fields(name, Format=format, **fields))
        assert response.status_code < 500, response.text
        if format == "XML":
            ElementTree.fromstring(response.text)
        else:
            assert isinstance(response.json(), dict)


class TestState:
    def test_accounts_do_not_see_each_other(self, api: Api, other_api: Api) -> None:
        key = api.create_product()
        iot_id = api.register_device(key)["IotId"]
        group = api.create_group()
        assert other_api.error_code("QueryProduct", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert other_api.error_code("QueryDeviceDetail", IotId=iot_id) == "iot.device.NotExistedDevice"
        assert other_api.error_code("QueryDeviceGroupInfo", GroupId=group) == "iot.group.NotExistedGroup"
        assert other_api.call("QueryDeviceStatistics")["Data"]["deviceCount"] == 0
        other_api.create_product("Meters")  # the name is in use only in the first account

    def test_instances_of_an_account_do_not_see_each_other(self, emulator: Emulator, api: Api) -> None:
        enterprise = create_api(emulator, instance_id="iot-sandbox")
        key = api.create_product()
        assert enterprise.error_code("QueryProduct", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert enterprise.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0

    def test_two_keys_can_share_an_account(self, tmp_path: Path, clock: ManualClock) -> None:
        app = create_app(
            tmp_path / "shared.sqlite3",
            keys={"one": "1", "two": "2"},
            accounts={"one": "acme", "two": "acme"},
            clock=clock,
        )
        key = create_api(app, "one", "1").create_product()
        assert create_api(app, "two", "2").call("QueryProduct", ProductKey=key)["Success"] is True
        app.close()

    def test_state_is_kept_after_a_restart(self, tmp_path: Path, clock: ManualClock) -> None:
        first = create_app(tmp_path / "kept.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock)
        key = create_api(first).create_product()
        first.close()
        second = create_app(tmp_path / "kept.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock)
        assert create_api(second).call("QueryProduct", ProductKey=key)["Data"]["ProductName"] == "Meters"
        second.close()

    def test_an_incompatible_file_is_renamed(self, tmp_path: Path) -> None:
        path = tmp_path / "emulator.sqlite3"
        path.write_bytes(b"not a database, but somebody's")
        app = create_app(path, keys={KEY_ID: KEY_SECRET}, clock=ManualClock())
        assert create_api(app).call("QueryProductList", CurrentPage=1)["Success"] is True
        assert (tmp_path / "emulator.sqlite3.old").read_bytes() == b"not a database, but somebody's"
        app.close()

    def test_reset_deletes_everything_and_the_emulator_continues(self, emulator: Emulator, api: Api) -> None:
        api.register_device(api.create_product())
        emulator.reset()
        assert api.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0
        api.register_device(api.create_product())

    def test_a_failed_call_changes_nothing(self, api: Api) -> None:
        key = api.create_product()
        api.register_device(key, "known", Nickname="Before")
        changes = [
            {"ProductKey": key, "DeviceName": "known", "Nickname": "After"},
            {"ProductKey": key, "DeviceName": "unknown", "Nickname": "After"},
        ]
        assert (
            api.error_code("BatchUpdateDeviceNickname", DeviceNicknameInfo=changes)
            == "iot.device.NotExistedDevice"
        )
        assert api.call("QueryDeviceInfo", ProductKey=key, DeviceName="known")["Data"]["Nickname"] == "Before"

    def test_several_threads_can_write_at_the_same_time(self, emulator: Emulator, api: Api) -> None:
        key = api.create_product()
        failures: list[BaseException] = []

        def work(worker: int) -> None:
            worker_api = create_api(emulator)
            try:
                for n in range(20):
                    worker_api.register_device(key, f"dev-{worker}-{n}")
                    worker_api.call("QueryDevice", ProductKey=key)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert api.call("QueryDevice", ProductKey=key)["Total"] == 160


class TestQuotas:
    @pytest.fixture
    def wall(self) -> ManualClock:
        return ManualClock(datetime.now(UTC).replace(microsecond=0))

    @pytest.fixture
    def limited_emulator(self, tmp_path: Path, clock: ManualClock, wall: ManualClock) -> Any:
        app = create_app(
            tmp_path / "limited.sqlite3", keys={KEY_ID: KEY_SECRET, "b": "b"}, clock=clock, wall=wall
        )
        yield app
        app.close()

    def test_calls_above_the_quota_are_throttled_until_the_next_second(
        self, limited_emulator: Emulator, wall: ManualClock
    ) -> None:
        qps = catalogue.operation("UpdateProduct").qps
        call: Callable[[], httpx.Response] = lambda: http_client(limited_emulator).post(  # noqa: E731
            "/", params=signed_fields("UpdateProduct", ProductKey="none", ProductName="Meters")
        )
        codes = [call().json()["Code"] for _ in range(qps)]
        assert set(codes) == {"iot.prod.NotExistedProduct"}
        wall.advance(0.25)
        response = call()
        assert status_and_code(response) == (400, "Throttling.User")
        assert response.headers["x-acs-retry-after"] == "750"
        wall.advance(0.75)
        assert call().json()["Code"] == "iot.prod.NotExistedProduct"

    def test_quotas_are_counted_for_each_operation_and_account(self, limited_emulator: Emulator) -> None:
        for _ in range(catalogue.operation("UpdateProductFilterConfig").qps):
            http_client(limited_emulator).post("/", params=signed_fields("UpdateProductFilterConfig"))
        assert (
            http_client(limited_emulator)
            .post("/", params=signed_fields("UpdateProductFilterConfig"))
            .json()["Code"]
            == "Throttling.User"
        )
        assert http_client(limited_emulator).post("/", params=signed_fields()).json()["Success"] is True
        second = create_api(limited_emulator, "b", "b")
        assert second.error_code("UpdateProductFilterConfig").startswith("Missing")

    def test_edge_operations_have_a_quota_for_each_address(self, limited_emulator: Emulator) -> None:
        names = [name for name, op in catalogue.operations().items() if op.group == "edge"]
        clients = [
            httpx.Client(
                transport=httpx.WSGITransport(app=limited_emulator, remote_addr=address),
                base_url="http://emulator.test",
            )
            for address in ("192.0.2.1", "192.0.2.2")
        ]

        def send(client: httpx.Client, name: str) -> str:
            return str(client.post("/", params=signed_fields(name)).json().get("Code"))

        codes = [send(clients[0], name) for name in names for _ in range(5)]
        assert len(codes) > 100
        assert codes.count("Throttling.User") == len(codes) - 100
        assert send(clients[0], "BatchGetDeviceDriver") == "Throttling.User"
        assert send(clients[1], "BatchGetDeviceDriver") == "MissingInstanceId"

    def test_deep_pages_have_a_smaller_quota(self, limited_emulator: Emulator) -> None:
        deep = {"CurrentPage": 500, "PageSize": 200}
        codes = [
            http_client(limited_emulator).post("/", params=signed_fields(**deep)).json().get("Code")
            for _ in range(3)
        ]
        assert codes == [None, None, "Throttling.User"]


class TestFaults:
    def test_a_throttle_applies_to_a_number_of_calls_of_one_operation(
        self, emulator: Emulator, api: Api
    ) -> None:
        emulator.faults.add("QueryProductList", "throttle", times=2, delay=0.5)
        response = http_client(emulator).post("/", params=signed_fields())
        assert status_and_code(response) == (400, "Throttling.User")
        assert response.headers["x-acs-retry-after"] == "500"
        assert api.call("QueryDeviceStatistics")["Success"] is True
        assert api.error_code("QueryProductList", CurrentPage=1) == "Throttling.User"
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True

    def test_errors_of_the_gateway_and_of_the_service_can_be_injected(self, emulator: Emulator) -> None:
        emulator.faults.add("*", "error", status=503, code="ServiceUnavailable")
        emulator.faults.add("*", "error", status=200, code="iot.system.SystemException")
        assert status_and_code(http_client(emulator).post("/", params=signed_fields())) == (
            503,
            "ServiceUnavailable",
        )
        assert status_and_code(http_client(emulator).post("/", params=signed_fields())) == (
            200,
            "iot.system.SystemException",
        )

    def test_a_connection_can_be_dropped_before_or_after_the_work(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("CreateProduct", "drop")
        assert api.error_code("CreateProduct", ProductName="Before", NodeType=0) == "Client.Dropped"
        emulator.faults.add("CreateProduct", "drop", after=True)
        assert api.error_code("CreateProduct", ProductName="After", NodeType=0) == "Client.Dropped"
        products = api.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"]
        assert [product["ProductName"] for product in products] == ["After"]

    def test_a_hang_ends_without_a_response(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "hang", delay=0.01)
        assert api.error_code("QueryProductList", CurrentPage=1) == "Client.Dropped"

    def test_a_malformed_response_can_be_injected(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "malformed")
        assert api.error_code("QueryProductList", CurrentPage=1) == "Client.BadResponse"

    def test_latency_delays_the_response(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "latency", delay=0.05)
        started = time.monotonic()
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True
        assert time.monotonic() - started >= 0.05

    @pytest.mark.parametrize("fault", [{"kind": "flood"}, {"times": 0}, {"color": "red"}])
    def test_an_invalid_fault_is_refused(self, emulator: Emulator, fault: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"must be|unknown options"):
            emulator.faults.add("*", **fault)


class TestControlApi:
    @staticmethod
    def send(
        emulator: Emulator, method: str, path: str, token: str = "control-token", **body: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return http_client(emulator).request(method, f"/_emulator/{path}", headers=headers, json=body or None)

    def test_only_the_health_check_needs_no_token(self, emulator: Emulator) -> None:
        assert self.send(emulator, "GET", "health", token="").status_code == 200
        for path in ("state", "faults"):
            assert self.send(emulator, "GET", path, token="").status_code == 401
            assert self.send(emulator, "GET", path, token="wrong").status_code == 401

    def test_there_is_no_control_api_without_a_token_in_the_options(self, tmp_path: Path) -> None:
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET})
        assert self.send(app, "GET", "state", token="").status_code == 404
        assert self.send(app, "POST", "reset", token="None").status_code == 404
        app.close()

    def test_faults_are_added_listed_and_cleared(self, emulator: Emulator, api: Api) -> None:
        self.send(emulator, "POST", "faults", operation="QueryProductList", kind="throttle", times=5)
        assert [fault["times"] for fault in self.send(emulator, "GET", "faults").json()["faults"]] == [5]
        assert api.error_code("QueryProductList", CurrentPage=1) == "Throttling.User"
        self.send(emulator, "POST", "faults/clear")
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True

    def test_an_invalid_fault_is_refused_with_400(self, emulator: Emulator) -> None:
        assert self.send(emulator, "POST", "faults", operation="*", kind="flood").status_code == 400

    def test_a_manual_clock_is_advanced(self, emulator: Emulator, clock: ManualClock) -> None:
        before = clock.now()
        assert self.send(emulator, "POST", "clock", advance=60).status_code == 200
        assert clock.now() == before + 60_000

    def test_a_real_clock_is_advanced_and_calls_are_still_accepted(self, tmp_path: Path) -> None:
        app = create_app(
            tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=Clock(), control_token="control-token"
        )
        before = app.clock.now()
        assert self.send(app, "POST", "clock", advance=86_400).status_code == 200
        assert before + 86_400_000 <= app.clock.now() < before + 86_500_000
        assert http_client(app).post("/", params=signed_fields()).json()["Success"] is True
        assert self.send(app, "POST", "clock", advance=-1).status_code == 400
        app.close()

    def test_state_counts_rows_and_reset_deletes_them(self, emulator: Emulator, api: Api) -> None:
        api.register_device(api.create_product())
        assert self.send(emulator, "GET", "state").json()["rows"]["devices"] == 1
        assert self.send(emulator, "POST", "reset").json()["rows"]["devices"] == 0
