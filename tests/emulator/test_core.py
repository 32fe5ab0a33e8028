"""What holds for every operation: who may call, how often, in which words it is refused, and ordered trouble."""

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

from console.cloud import catalogue, signing
from console.emulator import Clock, Emulator, ManualClock, create_app
from console.emulator.operations import HANDLERS

from .conftest import KEY_ID, KEY_SECRET, Api, api_of

OURS = sorted(
    name for name in HANDLERS if catalogue.operation(name).group in ("products", "devices", "device-groups")
)


def http(emulator: Emulator) -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://emulator.test")


def signed(
    action: str = "QueryProductList", secret: str = KEY_SECRET, method: str = "POST", **params: Any
) -> dict[str, str]:
    """The fields of a raw request of the SHA1 scheme."""
    fields = {
        "Action": action,
        "Version": "2018-01-20",
        "Format": "JSON",
        "AccessKeyId": KEY_ID,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(time.perf_counter_ns()),
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"CurrentPage": "1"} if action == "QueryProductList" else {}),
        **{name: str(value) for name, value in params.items()},
    }
    return {**fields, "Signature": signing.rpc_sign(method, fields, secret)}


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["Code"]


def acs3(
    emulator: Emulator, action: str = "QueryProductList", query: str = "CurrentPage=1", **changes: str
) -> httpx.Response:
    """A request of the ACS3 scheme; `changes` are headers changed after signing."""
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
    headers["authorization"] = signing.acs3_authorization(KEY_ID, names, signature)
    return http(emulator).post(f"/?{query}", headers={**headers, **changes})


def _without_empty(value: Any) -> Any:
    """An answer without its empty texts and lists, which XML cannot tell from nothing."""
    if isinstance(value, dict):
        return {
            key: kept
            for key, inner in value.items()
            if (kept := _without_empty(inner)) not in ("", [], {}, None)
        }
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    return value


class TestSigning:
    @pytest.mark.parametrize("place", ["params", "data"])
    def test_sha1_is_accepted_in_query_and_in_form(self, emulator: Emulator, place: str) -> None:
        response = http(emulator).post("/", **{place: signed()})
        assert response.json()["Success"] is True

    def test_sha1_by_get(self, emulator: Emulator) -> None:
        assert http(emulator).get("/", params=signed(method="GET")).json()["Success"] is True

    def test_acs3_is_accepted_and_answers_json(self, emulator: Emulator) -> None:
        assert acs3(emulator).json()["Success"] is True

    def test_acs3_with_another_action_than_signed_is_refused(self, emulator: Emulator) -> None:
        assert refusal(acs3(emulator, **{"x-acs-action": "DeleteProduct"})) == (400, "SignatureDoesNotMatch")

    def test_a_malformed_authorization_header_is_refused(self, emulator: Emulator) -> None:
        assert refusal(acs3(emulator, authorization="ACS3-HMAC-SHA256 nonsense"))[0] == 400

    def test_a_wrong_secret_is_told_what_was_to_be_signed(self, emulator: Emulator) -> None:
        fields = signed(secret="wrong")
        response = http(emulator).post("/", params=fields)
        assert refusal(response) == (400, "SignatureDoesNotMatch")
        string = signing.rpc_string_to_sign("POST", fields)
        assert response.json()["Message"].endswith(f"server string to sign is:{string}")

    def test_an_unknown_key(self, emulator: Emulator) -> None:
        fields = signed(AccessKeyId="nobody")
        assert refusal(http(emulator).post("/", params=fields)) == (404, "InvalidAccessKeyId.NotFound")

    def test_a_nonce_serves_once(self, emulator: Emulator) -> None:
        fields = signed()
        assert http(emulator).post("/", params=fields).json()["Success"] is True
        assert refusal(http(emulator).post("/", params=fields)) == (400, "SignatureNonceUsed")

    @pytest.mark.parametrize("minutes", [-16, 16])
    def test_a_time_out_of_the_window_is_refused(self, emulator: Emulator, minutes: int) -> None:
        stamp = (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert refusal(http(emulator).post("/", params=signed(Timestamp=stamp))) == (
            400,
            "InvalidTimeStamp.Expired",
        )

    def test_the_window_can_be_set_and_is_judged_by_the_wall_clock(self, tmp_path: Path) -> None:
        wall = ManualClock(datetime.now(UTC))
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, wall=wall, signature_window=60)
        assert http(app).post("/", params=signed()).json()["Success"] is True
        wall.advance(120)
        assert refusal(http(app).post("/", params=signed())) == (400, "InvalidTimeStamp.Expired")
        app.close()

    def test_a_nonce_is_remembered_until_its_request_would_expire(self, tmp_path: Path) -> None:
        wall = ManualClock(datetime.now(UTC))
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, wall=wall, quotas=False)
        late = (datetime.now(UTC) + timedelta(minutes=14)).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = signed(Timestamp=late)
        assert http(app).post("/", params=fields).json()["Success"] is True
        wall.advance(20 * 60)
        assert refusal(http(app).post("/", params=fields)) == (400, "SignatureNonceUsed")
        app.close()

    def test_a_badly_written_time(self, emulator: Emulator) -> None:
        response = http(emulator).post("/", params=signed(Timestamp="yesterday"))
        assert refusal(response) == (400, "InvalidTimeStamp.Format")

    @pytest.mark.parametrize(
        "name", ["Action", "Version", "AccessKeyId", "Signature", "Timestamp", "SignatureNonce"]
    )
    def test_a_common_parameter_left_out(self, emulator: Emulator, name: str) -> None:
        fields = signed()
        del fields[name]
        assert refusal(http(emulator).post("/", params=fields)) == (400, "MissingParameter")

    def test_another_version_of_the_api(self, emulator: Emulator) -> None:
        assert refusal(http(emulator).post("/", params=signed(Version="2017-04-20"))) == (
            400,
            "InvalidVersion",
        )


class TestAnswers:
    def test_xml_when_no_format_is_asked_for(self, emulator: Emulator, api: Api) -> None:
        api.product("Meters")
        fields = signed()
        del fields["Format"], fields["Signature"]
        fields["Signature"] = signing.rpc_sign("POST", fields, KEY_SECRET)
        response = http(emulator).post("/", params=fields)
        assert response.headers["content-type"].startswith("text/xml")
        root = ElementTree.fromstring(response.text)
        assert root.tag == "QueryProductListResponse"
        assert [e.text for e in root.findall("Data/List/ProductInfo/ProductName")] == ["Meters"]
        assert root.findtext("Success") == "true"

    def test_a_refusal_of_the_gateway_in_xml(self, emulator: Emulator) -> None:
        response = http(emulator).post("/", params={"Action": "QueryProduct"})
        root = ElementTree.fromstring(response.text)
        assert (response.status_code, root.tag) == (400, "Error")
        assert {"Code", "Message", "RequestId", "HostId"} <= {child.tag for child in root}

    def test_markup_and_control_characters_survive_xml(self, emulator: Emulator, api: Api) -> None:
        xml = api_of(emulator, format="XML")
        key = xml.product("Meters", Description='<a> & \x07 "b"')
        assert xml.call("QueryProduct", ProductKey=key)["Data"]["Description"] == '<a> &  "b"'

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
    def test_xml_says_what_json_says(
        self, emulator: Emulator, api: Api, operation: str, params: dict[str, Any]
    ) -> None:
        key = api.product("Meters", Description="of one & all")
        api.devices(key, "dev-1")
        api.call("SaveDeviceProp", ProductKey=key, DeviceName="dev-1", Props={"city": "Ulm"})
        group = api.group("plant")
        device = [{"ProductKey": key, "DeviceName": "dev-1"}]
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=device)
        params = {name: key if value == "*" else value for name, value in params.items()}
        said = [api_of(emulator, format=form).call(operation, **params) for form in ("JSON", "XML")]
        for answer in said:
            del answer["RequestId"]
        assert _without_empty(said[1]) == _without_empty(said[0])

    def test_a_refusal_of_the_service_is_200_with_code_and_message(self, emulator: Emulator) -> None:
        response = http(emulator).post("/", params=signed("QueryProduct", ProductKey="none"))
        body = response.json()
        assert (response.status_code, body["Success"], body["Code"]) == (
            200,
            False,
            "iot.prod.NotExistedProduct",
        )
        assert body["ErrorMessage"]

    def test_each_answer_has_its_own_request_id(self, api: Api) -> None:
        ids = {api.call("QueryProductList", CurrentPage=1)["RequestId"] for _ in range(5)}
        assert len(ids) == 5

    def test_other_paths_are_not_found(self, emulator: Emulator) -> None:
        assert http(emulator).get("/elsewhere").status_code == 404


class TestParameters:
    @pytest.mark.parametrize("name", OURS)
    def test_every_operation_refuses_a_call_without_what_it_needs(self, api: Api, name: str) -> None:
        operation = catalogue.operation(name)
        if not operation.one_of and not any(p.required for p in operation.parameters.values()):
            assert api.call(name)["Success"] is True
        else:
            assert api.refused(name).startswith(("Missing", "iot."))

    def test_a_missing_parameter_is_named(self, api: Api) -> None:
        assert api.refused("QueryProduct") == "MissingProductKey"
        assert api.refused("DeleteProductTags", ProductKey="x") == "MissingProductTagKey"

    def test_a_number_that_is_none(self, emulator: Emulator) -> None:
        response = http(emulator).post("/", params=signed(CurrentPage="first"))
        assert refusal(response) == (400, "InvalidParameter")

    def test_booleans_come_in_either_case(self, emulator: Emulator, api: Api) -> None:
        key = api.product()
        for true in ("true", "True"):
            fields = signed(
                "UpdateProductFilterConfig",
                ProductKey=key,
                PropertyTimestampFilter=true,
                PropertyValueFilter="False",
            )
            assert http(emulator).post("/", params=fields).json()["Success"] is True
        fields = signed(
            "UpdateProductFilterConfig",
            ProductKey=key,
            PropertyTimestampFilter="yes",
            PropertyValueFilter="no",
        )
        assert refusal(http(emulator).post("/", params=fields)) == (400, "InvalidParameter")

    def test_list_indices_sort_as_numbers_and_may_have_gaps(self, emulator: Emulator, api: Api) -> None:
        key = api.product()
        names = {2: "dev-b", 10: "dev-c", 1: "dev-a", 700: "dev-d"}
        api.devices(key, *names.values())
        fields = signed(
            "BatchQueryDeviceDetail", ProductKey=key, **{f"DeviceName.{n}": name for n, name in names.items()}
        )
        found = http(emulator).post("/", params=fields).json()["Data"]["Data"]
        assert [device["DeviceName"] for device in found] == ["dev-a", "dev-b", "dev-c", "dev-d"]

    def test_ten_thousand_form_fields_and_a_hundred_kilobytes_of_query(
        self, emulator: Emulator, api: Api
    ) -> None:
        key = api.product()
        many = {f"DeviceName.{n}": f"dev-{n}" for n in range(1, 10_001)}
        fields = signed("BatchCheckDeviceNames", ProductKey=key, **many)
        assert http(emulator).post("/", data=fields).json()["Success"] is True
        long = httpx.QueryParams(signed("QueryProduct", ProductKey="k" * 120_000))
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

    def test_an_instance_that_does_not_exist(self, emulator: Emulator) -> None:
        wrong = api_of(emulator, instance_id="iot-nowhere")
        assert wrong.refused("QueryProductList", CurrentPage=1) == "iot.system.InstanceNotFound"

    def test_an_operation_that_is_in_no_catalogue(self, emulator: Emulator) -> None:
        assert refusal(http(emulator).post("/", params=signed("MakeCoffee"))) == (400, "UnsupportedOperation")


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that many examples share."""
    path = tmp_path_factory.mktemp("sturdy") / "e.sqlite3"
    app = create_app(path, keys={KEY_ID: KEY_SECRET}, clock=ManualClock(), quotas=False)
    yield app
    app.close()


class TestAnything:
    """Whatever text comes in any place, the answer is one of the platform's, never a failure of the emulator."""

    @settings(max_examples=150, deadline=None)
    @given(
        name=st.sampled_from(OURS),
        data=st.data(),
        format=st.sampled_from(["JSON", "XML"]),
    )
    def test_any_text_in_any_parameter(
        self, sturdy: Emulator, name: str, data: st.DataObject, format: str
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
        response = http(sturdy).post("/", data=signed(name, Format=format, **fields))
        assert response.status_code < 500, response.text
        if format == "XML":
            ElementTree.fromstring(response.text)
        else:
            assert isinstance(response.json(), dict)


class TestState:
    def test_accounts_do_not_see_each_other(self, api: Api, other: Api) -> None:
        key = api.product()
        iot_id = api.device(key)["IotId"]
        group = api.group()
        assert other.refused("QueryProduct", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert other.refused("QueryDeviceDetail", IotId=iot_id) == "iot.device.NotExistedDevice"
        assert other.refused("QueryDeviceGroupInfo", GroupId=group) == "iot.group.NotExistedGroup"
        assert other.call("QueryDeviceStatistics")["Data"]["deviceCount"] == 0
        other.product("Meters")  # the name is taken in the first account only

    def test_instances_of_an_account_do_not_see_each_other(self, emulator: Emulator, api: Api) -> None:
        enterprise = api_of(emulator, instance_id="iot-sandbox")
        key = api.product()
        assert enterprise.refused("QueryProduct", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert enterprise.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0

    def test_two_keys_can_share_an_account(self, tmp_path: Path, clock: ManualClock) -> None:
        app = create_app(
            tmp_path / "shared.sqlite3",
            keys={"one": "1", "two": "2"},
            accounts={"one": "acme", "two": "acme"},
            clock=clock,
        )
        key = api_of(app, "one", "1").product()
        assert api_of(app, "two", "2").call("QueryProduct", ProductKey=key)["Success"] is True
        app.close()

    def test_it_outlives_the_process_that_made_it(self, tmp_path: Path, clock: ManualClock) -> None:
        first = create_app(tmp_path / "kept.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock)
        key = api_of(first).product()
        first.close()
        second = create_app(tmp_path / "kept.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock)
        assert api_of(second).call("QueryProduct", ProductKey=key)["Data"]["ProductName"] == "Meters"
        second.close()

    def test_a_file_of_something_else_is_moved_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "emulator.sqlite3"
        path.write_bytes(b"not a database, but somebody's")
        app = create_app(path, keys={KEY_ID: KEY_SECRET}, clock=ManualClock())
        assert api_of(app).call("QueryProductList", CurrentPage=1)["Success"] is True
        assert (tmp_path / "emulator.sqlite3.old").read_bytes() == b"not a database, but somebody's"
        app.close()

    def test_reset_forgets_everything_and_goes_on(self, emulator: Emulator, api: Api) -> None:
        api.device(api.product())
        emulator.reset()
        assert api.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0
        api.device(api.product())

    def test_a_call_that_fails_half_way_leaves_nothing(self, api: Api) -> None:
        key = api.product()
        api.device(key, "known", Nickname="Before")
        changes = [
            {"ProductKey": key, "DeviceName": "known", "Nickname": "After"},
            {"ProductKey": key, "DeviceName": "unknown", "Nickname": "After"},
        ]
        assert (
            api.refused("BatchUpdateDeviceNickname", DeviceNicknameInfo=changes)
            == "iot.device.NotExistedDevice"
        )
        assert api.call("QueryDeviceInfo", ProductKey=key, DeviceName="known")["Data"]["Nickname"] == "Before"

    def test_many_threads_at_once(self, emulator: Emulator, api: Api) -> None:
        key = api.product()
        failures: list[BaseException] = []

        def work(worker: int) -> None:
            mine = api_of(emulator)
            try:
                for n in range(20):
                    mine.device(key, f"dev-{worker}-{n}")
                    mine.call("QueryDevice", ProductKey=key)
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
    def limited(self, tmp_path: Path, clock: ManualClock, wall: ManualClock) -> Any:
        app = create_app(
            tmp_path / "limited.sqlite3", keys={KEY_ID: KEY_SECRET, "b": "b"}, clock=clock, wall=wall
        )
        yield app
        app.close()

    def test_one_call_too_many_in_a_second_is_throttled_until_the_next(
        self, limited: Emulator, wall: ManualClock
    ) -> None:
        qps = catalogue.operation("UpdateProduct").qps
        call: Callable[[], httpx.Response] = lambda: http(limited).post(  # noqa: E731
            "/", params=signed("UpdateProduct", ProductKey="none", ProductName="Meters")
        )
        codes = [call().json()["Code"] for _ in range(qps)]
        assert set(codes) == {"iot.prod.NotExistedProduct"}
        wall.advance(0.25)
        response = call()
        assert refusal(response) == (400, "Throttling.User")
        assert response.headers["x-acs-retry-after"] == "750"
        wall.advance(0.75)
        assert call().json()["Code"] == "iot.prod.NotExistedProduct"

    def test_quotas_are_counted_for_each_operation_and_account(self, limited: Emulator) -> None:
        for _ in range(catalogue.operation("UpdateProductFilterConfig").qps):
            http(limited).post("/", params=signed("UpdateProductFilterConfig"))
        assert (
            http(limited).post("/", params=signed("UpdateProductFilterConfig")).json()["Code"]
            == "Throttling.User"
        )
        assert http(limited).post("/", params=signed()).json()["Success"] is True
        second = api_of(limited, "b", "b")
        assert second.refused("UpdateProductFilterConfig").startswith("Missing")

    def test_pages_far_back_have_a_small_quota(self, limited: Emulator) -> None:
        deep = {"CurrentPage": 500, "PageSize": 200}
        codes = [http(limited).post("/", params=signed(**deep)).json().get("Code") for _ in range(3)]
        assert codes == [None, None, "Throttling.User"]


class TestFaults:
    def test_a_throttle_is_ordered_for_so_many_calls_of_one_operation(
        self, emulator: Emulator, api: Api
    ) -> None:
        emulator.faults.add("QueryProductList", "throttle", times=2, delay=0.5)
        response = http(emulator).post("/", params=signed())
        assert refusal(response) == (400, "Throttling.User")
        assert response.headers["x-acs-retry-after"] == "500"
        assert api.call("QueryDeviceStatistics")["Success"] is True
        assert api.refused("QueryProductList", CurrentPage=1) == "Throttling.User"
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True

    def test_errors_of_the_gateway_and_of_the_service(self, emulator: Emulator) -> None:
        emulator.faults.add("*", "error", status=503, code="ServiceUnavailable")
        emulator.faults.add("*", "error", status=200, code="iot.system.SystemException")
        assert refusal(http(emulator).post("/", params=signed())) == (503, "ServiceUnavailable")
        assert refusal(http(emulator).post("/", params=signed())) == (200, "iot.system.SystemException")

    def test_a_dropped_connection_before_and_after_the_work(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("CreateProduct", "drop")
        assert api.refused("CreateProduct", ProductName="Before", NodeType=0) == "Client.Dropped"
        emulator.faults.add("CreateProduct", "drop", after=True)
        assert api.refused("CreateProduct", ProductName="After", NodeType=0) == "Client.Dropped"
        products = api.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"]
        assert [product["ProductName"] for product in products] == ["After"]

    def test_a_hang_ends_without_an_answer(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "hang", delay=0.01)
        assert api.refused("QueryProductList", CurrentPage=1) == "Client.Dropped"

    def test_an_answer_that_is_none(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "malformed")
        assert api.refused("QueryProductList", CurrentPage=1) == "Client.BadAnswer"

    def test_latency_delays_and_answers(self, emulator: Emulator, api: Api) -> None:
        emulator.faults.add("QueryProductList", "latency", delay=0.05)
        started = time.monotonic()
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True
        assert time.monotonic() - started >= 0.05

    @pytest.mark.parametrize("order", [{"kind": "flood"}, {"times": 0}, {"color": "red"}])
    def test_an_order_that_makes_no_sense(self, emulator: Emulator, order: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"must be|not an option"):
            emulator.faults.add("*", **order)


class TestControlDesk:
    @staticmethod
    def ask(emulator: Emulator, method: str, path: str, token: str = "desk", **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return http(emulator).request(method, f"/_emulator/{path}", headers=headers, json=body or None)

    def test_health_is_open_and_the_rest_is_not(self, emulator: Emulator) -> None:
        assert self.ask(emulator, "GET", "health", token="").status_code == 200
        for path in ("state", "faults"):
            assert self.ask(emulator, "GET", path, token="").status_code == 401
            assert self.ask(emulator, "GET", path, token="wrong").status_code == 401

    def test_there_is_no_desk_without_a_token_in_the_options(self, tmp_path: Path) -> None:
        app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET})
        assert self.ask(app, "GET", "state", token="").status_code == 404
        assert self.ask(app, "POST", "reset", token="None").status_code == 404
        app.close()

    def test_faults_are_ordered_seen_and_taken_back(self, emulator: Emulator, api: Api) -> None:
        self.ask(emulator, "POST", "faults", operation="QueryProductList", kind="throttle", times=5)
        assert [fault["times"] for fault in self.ask(emulator, "GET", "faults").json()["faults"]] == [5]
        assert api.refused("QueryProductList", CurrentPage=1) == "Throttling.User"
        self.ask(emulator, "POST", "faults/clear")
        assert api.call("QueryProductList", CurrentPage=1)["Success"] is True

    def test_a_bad_order_is_refused(self, emulator: Emulator) -> None:
        assert self.ask(emulator, "POST", "faults", operation="*", kind="flood").status_code == 400

    def test_the_clock_is_turned(self, emulator: Emulator, clock: ManualClock) -> None:
        before = clock.now()
        assert self.ask(emulator, "POST", "clock", advance=60).status_code == 200
        assert clock.now() == before + 60_000

    def test_a_running_clock_is_moved_on_and_calls_are_still_let_in(self, tmp_path: Path) -> None:
        app = create_app(
            tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=Clock(), control_token="desk"
        )
        before = app.clock.now()
        assert self.ask(app, "POST", "clock", advance=86_400).status_code == 200
        assert before + 86_400_000 <= app.clock.now() < before + 86_500_000
        assert http(app).post("/", params=signed()).json()["Success"] is True
        assert self.ask(app, "POST", "clock", advance=-1).status_code == 400
        app.close()

    def test_state_counts_rows_and_reset_clears_them(self, emulator: Emulator, api: Api) -> None:
        api.device(api.product())
        assert self.ask(emulator, "GET", "state").json()["rows"]["devices"] == 1
        assert self.ask(emulator, "POST", "reset").json()["rows"]["devices"] == 0
