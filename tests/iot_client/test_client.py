"""The client with a transport that fails, sends wrong data or throttles. Only the network is replaced."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_client import errors
from iot_client.client import Client, Credentials
from iot_client.retry import RetryPolicy
from tests.iot_client import independent

OK = {"RequestId": "r-1", "Success": True}
Handler = Callable[[httpx.Request], httpx.Response]


class FakeClock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def build_client(handler: Handler, clock: FakeClock | None = None, **options: Any) -> Client:
    clock = clock or FakeClock()
    policy = options.pop("retry", None) or RetryPolicy(
        sleep=clock.sleep, now=lambda: clock.now, random=lambda: 0.5
    )
    return Client(
        Credentials("testid", "testsecret", options.pop("token", None)),
        transport=httpx.MockTransport(handler),
        retry=policy,
        **options,
    )


def respond_with(*responses: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A handler that returns the responses one after another, and the list of its requests."""
    remaining = list(responses)
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        response = remaining.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    return handle, requests


def build_success(**fields: Any) -> httpx.Response:
    return httpx.Response(200, json={**OK, **fields})


def build_error(code: str, status: int = 400, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"Code": code, "Message": "no", "RequestId": "r-9", "HostId": "h"}, headers=headers
    )


def read_fields(request: httpx.Request) -> dict[str, str]:
    raw = independent.decode(request.url.query) + independent.decode(request.content)
    assert len({name for name, _ in raw}) == len(raw), "a parameter was sent twice"
    return {name.decode(): value.decode() for name, value in raw}


def is_correctly_signed(request: httpx.Request) -> bool:
    raw = independent.decode(request.url.query) + independent.decode(request.content)
    expected = independent.signature(request.method.encode(), raw, b"testsecret")
    return dict(raw)[b"Signature"].decode() == expected


# --- requests

text = st.text(
    st.one_of(st.sampled_from(" +*~%&=/;?#'()é键😀\n\r\x00"), st.characters(exclude_categories=["Cs"]))
)


@given(
    text,
    text,
    st.lists(text, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["Key", "Value"]), text, min_size=1),
)
def test_any_text_in_any_parameter_is_sent_and_signed(
    key: str, name: str, names: list[str], tag: dict[str, str]
) -> None:
    handle, requests = respond_with(build_success(), build_success(), build_success())
    api = build_client(handle)
    api.call("UpdateProduct", ProductKey=key, ProductName=name)
    api.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=names)
    api.call("CreateOTAVerifyJob", FirmwareId=name, ProductKey=key, TargetDeviceName=names, Tag=[tag])
    assert all(is_correctly_signed(request) for request in requests)
    assert read_fields(requests[0])["ProductName"] == name
    assert [read_fields(requests[1])[f"DeviceName.{n}"] for n in range(1, len(names) + 1)] == names
    assert {k: read_fields(requests[2])[f"Tag.1.{k}"] for k in tag} == tag


def test_parameters_are_sent_in_their_place_of_the_catalogue() -> None:
    handle, requests = respond_with(build_success(), build_success())
    api = build_client(handle)
    api.call("Pub", ProductKey="a1", TopicFullName="/a1/d/user/get", MessageContent="aGVsbG8=", Qos=1)
    api.call("QueryProduct", ProductKey="a1")
    assert requests[0].method == "POST"
    assert independent.decode(requests[0].content) == [(b"MessageContent", b"aGVsbG8=")]
    assert (b"ProductKey", b"a1") in independent.decode(requests[0].url.query)
    assert requests[1].content == b""


def test_the_common_parameters_are_sent() -> None:
    handle, requests = respond_with(build_success())
    build_client(handle, region="ap-southeast-1", token="sts").call("QueryProduct", ProductKey="a1")
    sent = read_fields(requests[0])
    assert requests[0].url.host == "iot.ap-southeast-1.aliyuncs.com"
    assert sent.items() >= {
        "Action": "QueryProduct", "Version": "2018-01-20", "Format": "JSON", "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "RegionId": "ap-southeast-1", "SecurityToken": "sts",
    }.items()  # fmt: skip


def test_the_instance_id_is_sent_with_operations_that_have_it() -> None:
    handle, requests = respond_with(build_success(), build_success(), build_success())
    api = build_client(handle, instance_id="iot-1")
    api.call("QueryProduct", ProductKey="a1")
    api.call("QueryProduct", ProductKey="a1", IotInstanceId="iot-2")
    api.call("QueryDeviceDistributeJob", JobId="j")
    assert [read_fields(request).get("IotInstanceId") for request in requests] == ["iot-1", "iot-2", None]


def test_ten_thousand_names_and_a_long_thing_model_are_sent_in_the_form() -> None:
    handle, requests = respond_with(build_success(), build_success())
    api = build_client(handle)
    api.call("BatchCheckDeviceNames", ProductKey="a1", DeviceName=[f"meter-{n}" for n in range(10_000)])
    model = json.dumps({"properties": ["x" * 150_000]})
    api.call("ImportThingModelTsl", ProductKey="a1", TslStr=model)
    assert all(is_correctly_signed(request) for request in requests)
    assert len(requests[0].url.query) < 1000
    assert requests[1].url.query == b""
    assert read_fields(requests[1])["TslStr"] == model


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("http://127.0.0.1:8601", "http://127.0.0.1:8601"),
        ("127.0.0.1:8601/", "https://127.0.0.1:8601"),
        ("https://iot.example.com", "https://iot.example.com"),
        (" emulator:8601 ", "https://emulator:8601"),
    ],
)
def test_an_endpoint_can_be_a_host_or_a_url(endpoint: str, origin: str) -> None:
    handle, requests = respond_with(build_success())
    build_client(handle, endpoint=endpoint).call("QueryProduct", ProductKey="a1")
    assert str(requests[0].url).startswith(f"{origin}/?")


@pytest.mark.parametrize("endpoint", ["ftp://host", "http://", "http://a b", "https://host/path", "http://u:p@host", "http://host:port", "http://host?x=1", "http://host:99999"])  # fmt: skip
def test_an_invalid_endpoint_is_rejected_before_anything_is_sent(endpoint: str) -> None:
    with pytest.raises(errors.InvalidParameter) as caught:
        build_client(respond_with()[0], endpoint=endpoint)
    assert caught.value.code == "Client.InvalidEndpoint"


def test_a_lone_surrogate_is_rejected_before_anything_is_sent() -> None:
    handle, requests = respond_with()
    with pytest.raises(errors.InvalidParameter):
        build_client(handle).call("QueryProduct", ProductKey="\ud800")
    assert requests == []


def test_the_repr_shows_no_secret() -> None:
    text = repr(Credentials("testid", "topsecret", "ststoken"))
    assert "testid" in text
    assert "topsecret" not in text
    assert "ststoken" not in text


# --- responses


def test_a_response_is_returned_unchanged_with_large_ids() -> None:
    handle, _ = respond_with(build_success(Data={"ApplyId": 2**60 + 1, "Other": [1]}))
    assert build_client(handle).call("BatchRegisterDevice", ProductKey="a1", Count=1)["Data"] == {
        "ApplyId": 2**60 + 1,
        "Other": [1],
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"<html>Bad gateway</html>", b"[]", b'"text"', b"null", b"12", b"{", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
     b"[" * 100_000, b'{"a":' * 100_000, b"\x80\x81"],
)  # fmt: skip
def test_a_body_that_is_not_the_platforms_is_a_bad_response(body: bytes) -> None:
    handle, requests = respond_with(httpx.Response(200, content=body))
    with pytest.raises(errors.BadResponse) as caught:
        build_client(handle).call("QueryProduct", ProductKey="a1")
    assert caught.value.http_status == 200
    assert caught.value.operation == "QueryProduct"
    assert len(caught.value.message) < 300
    assert len(requests) == 1


def test_a_redirect_or_a_foreign_error_page_is_a_bad_response() -> None:
    for response in (
        httpx.Response(302, headers={"location": "https://login"}),
        httpx.Response(404, html="<h1>nginx</h1>"),
    ):
        with pytest.raises(errors.BadResponse):
            build_client(respond_with(response)[0]).call("QueryProduct", ProductKey="a1")


def test_success_false_raises_although_the_status_is_200() -> None:
    body = {
        "RequestId": "r-2",
        "Success": False,
        "Code": "iot.prod.NotExistedProduct",
        "ErrorMessage": "gone",
    }
    handle, _ = respond_with(httpx.Response(200, json=body))
    with pytest.raises(errors.NotFound) as caught:
        build_client(handle).call("QueryProduct", ProductKey="a1")
    error = caught.value
    assert (error.code, error.message, error.request_id) == ("iot.prod.NotExistedProduct", "gone", "r-2")
    assert (error.operation, error.http_status) == ("QueryProduct", 200)


def test_an_error_keeps_the_other_fields_of_the_response() -> None:
    body = {
        "Success": False,
        "Code": "iot.device.InvalidFormattedDeviceName",
        "Data": {"InvalidDeviceNameList": {"InvalidDeviceName": ["a"]}},
    }
    handle, _ = respond_with(httpx.Response(200, json=body))
    with pytest.raises(errors.InvalidParameter) as caught:
        build_client(handle).call("BatchCheckDeviceNames", ProductKey="a1", DeviceName=["a"])
    assert caught.value.response["Data"]["InvalidDeviceNameList"]["InvalidDeviceName"] == ["a"]


XML = b"""<?xml version='1.0' encoding='UTF-8'?>
<QueryDeviceResponse><RequestId>r-3</RequestId><Success>true</Success><Total>2</Total><PageCount>1</PageCount>
<Data><DeviceInfo><DeviceName>lamp01</DeviceName><Nickname>\xe7\x81\xaf</Nickname></DeviceInfo></Data></QueryDeviceResponse>"""


def test_xml_has_the_shape_of_json_and_a_list_of_one_stays_a_list() -> None:
    handle, requests = respond_with(httpx.Response(200, content=XML))
    response = build_client(handle, format="XML").call("QueryDevice", ProductKey="a1")
    assert read_fields(requests[0])["Format"] == "XML"
    assert response == {
        "RequestId": "r-3", "Success": True, "Total": 2, "PageCount": 1,
        "Data": {"DeviceInfo": [{"DeviceName": "lamp01", "Nickname": "灯"}]},
    }  # fmt: skip


def test_xml_keeps_empty_lists_direct_lists_numbers_and_unknown_fields() -> None:
    empty = b"<R><Success>true</Success><Data/></R>"
    assert build_client(respond_with(httpx.Response(200, content=empty))[0], format="XML").call(
        "QueryDevice", ProductKey="a1"
    )["Data"] == {"DeviceInfo": []}
    direct = (
        b"<R><Success>true</Success><Data><ModuleName>a</ModuleName></Data><New><X>1</X><X>2</X></New></R>"
    )
    response = build_client(respond_with(httpx.Response(200, content=direct))[0], format="XML").call(
        "ListOTAModuleByProduct", ProductKey="a1"
    )
    assert response["Data"] == [{"ModuleName": "a"}]
    assert response["New"] == {"X": ["1", "2"]}
    names = b"<R><Success>true</Success><Data><Status>CREATE</Status><ValidList><Name>a</Name></ValidList></Data></R>"
    response = build_client(respond_with(httpx.Response(200, content=names))[0], format="XML").call(
        "QueryBatchRegisterDeviceStatus", ProductKey="a1", ApplyId=1
    )
    assert response["Data"] == {"Status": "CREATE", "ValidList": {"Name": ["a"]}}


def read_xml(operation: str, body: str) -> dict[str, Any]:
    handle, _ = respond_with(httpx.Response(200, content=f"<R><Success>true</Success>{body}</R>".encode()))
    return build_client(handle, format="XML").call(operation)


def test_the_entries_of_a_list_in_xml_can_have_an_element_of_their_own() -> None:
    tasks = """<Data><TaskList>
        <Task><TaskId>a</TaskId><ResourceSnapshotList><ResourceSnapshot><Stage>32</Stage></ResourceSnapshot>
        <ResourceSnapshot><Stage>8</Stage></ResourceSnapshot></ResourceSnapshotList></Task>
        <Task><TaskId>b</TaskId><ResourceSnapshotList/></Task></TaskList></Data>"""
    assert read_xml("GetEdgeInstanceDeployment", tasks)["Data"]["TaskList"] == [
        {"TaskId": "a", "ResourceSnapshotList": [{"Stage": 32}, {"Stage": 8}]},
        {"TaskId": "b", "ResourceSnapshotList": []},
    ]
    groups = "<ConsumerGroupIds><e>one</e><e>two</e></ConsumerGroupIds>"
    assert read_xml("QuerySubscribeRelation", groups)["ConsumerGroupIds"] == ["one", "two"]


def test_xml_says_whether_a_list_with_an_element_of_its_own_is_empty_or_missing() -> None:
    name = "BatchGetEdgeInstanceDeviceConfig"
    assert read_xml(name, "<DeviceConfigList/>")["DeviceConfigList"] == []
    assert "DeviceConfigList" not in read_xml(name, "")
    assert read_xml("ListOTAModuleByProduct", "")["Data"] == []


@pytest.mark.parametrize("depth", [150, 900, 5000])
@pytest.mark.parametrize("format", ["JSON", "XML"])
def test_a_response_that_is_nested_too_deeply_is_a_bad_response(format: Any, depth: int) -> None:
    json_body = '{"Success":true,"Data":' + "[" * depth + "]" * depth + "}"
    xml_body = "<R><Success>true</Success>" + "<a>" * depth + "</a>" * depth + "</R>"
    body = json_body if format == "JSON" else xml_body
    api = build_client(respond_with(httpx.Response(200, content=body.encode()))[0], format=format)
    with pytest.raises(errors.BadResponse):
        api.call("QueryProduct", ProductKey="a1")


@pytest.mark.parametrize(
    "body", [b"{}", b"<R>", b'<!DOCTYPE R [<!ENTITY a "b">]><R><Success>&a;</Success></R>', b""]
)
def test_invalid_or_malicious_xml_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(errors.BadResponse):
        build_client(respond_with(httpx.Response(200, content=body))[0], format="XML").call(
            "QueryDevice", ProductKey="a1"
        )


def test_an_error_in_xml_is_read_like_an_error_in_json() -> None:
    body = b"<Error><RequestId>r-4</RequestId><HostId>h</HostId><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error>"
    with pytest.raises(errors.SignatureRefused) as caught:
        build_client(respond_with(httpx.Response(400, content=body))[0]).call("QueryProduct", ProductKey="a1")
    assert caught.value.request_id == "r-4"


# --- retries


def test_a_throttled_call_waits_as_requested_and_is_signed_again() -> None:
    clock = FakeClock()
    handle, requests = respond_with(
        build_error("Throttling.User", **{"x-acs-retry-after": "1500"}), build_success()
    )
    build_client(handle, clock).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert len(clock.slept) == 1
    assert 1.5 <= clock.slept[0] < 2.0
    assert all(is_correctly_signed(request) for request in requests)
    assert read_fields(requests[0])["SignatureNonce"] != read_fields(requests[1])["SignatureNonce"]


def test_a_throttled_call_is_retried_a_limited_number_of_times() -> None:
    clock = FakeClock()
    handle, requests = respond_with(*(build_error("Throttling.Api") for _ in range(9)))
    with pytest.raises(errors.Throttled):
        build_client(handle, clock).call("QueryProduct", ProductKey="a1")
    assert len(requests) == 4
    assert clock.slept == sorted(clock.slept)


def test_a_wait_beyond_the_budget_is_not_started() -> None:
    clock = FakeClock()
    handle, _ = respond_with(
        build_error("Throttling.User", **{"x-acs-retry-after": "60000"}), build_success()
    )
    with pytest.raises(errors.Throttled) as caught:
        build_client(handle, clock).call("QueryProduct", ProductKey="a1")
    assert caught.value.retry_after == 60.0
    assert clock.slept == []


def test_a_refused_connection_is_retried_also_for_operations_that_create() -> None:
    handle, requests = respond_with(
        httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), build_success()
    )
    build_client(handle).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert len(requests) == 3


def test_the_error_for_an_unreachable_platform_says_never_sent() -> None:
    handle, _ = respond_with(*(httpx.ConnectError("refused") for _ in range(9)))
    with pytest.raises(errors.Unavailable) as caught:
        build_client(handle).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert caught.value.sent is False
    assert caught.value.retryable


FAILURES = [httpx.ReadTimeout("t"), httpx.ReadError("r"), httpx.RemoteProtocolError("dropped"), build_error("InternalError", 500),
          httpx.Response(503, content=b"down"), httpx.Response(502, html="<h1>bad gateway</h1>")]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_after_a_lost_response_only_idempotent_operations_are_retried(
    failure: httpx.Response | Exception,
) -> None:
    handle, requests = respond_with(failure, build_success())
    build_client(handle).call("QueryProduct", ProductKey="a1")
    assert len(requests) == 2
    for name in ("CreateProduct", "RegisterDevice", "Pub", "BatchRegisterDevice", "RRpc"):
        handle, requests = respond_with(failure, build_success())
        with pytest.raises(errors.Unavailable) as caught:
            build_client(handle).call(name)
        assert caught.value.sent is True
        assert len(requests) == 1


def test_what_a_retry_is_told_does_not_hide_that_the_response_of_the_first_attempt_was_lost() -> None:
    gone = build_error("iot.device.NotExistedDevice", 200)
    handle, _requests = respond_with(httpx.ReadTimeout("t"), gone)
    with pytest.raises(errors.NotFound) as caught:
        build_client(handle).call("DeleteDevice", ProductKey="a1", DeviceName="lamp")
    assert caught.value.is_outcome_unknown
    handle, _requests = respond_with(httpx.ConnectError("c"), build_error("Throttling.User", 400), gone)
    with pytest.raises(errors.NotFound) as caught:
        build_client(handle).call("DeleteDevice", ProductKey="a1", DeviceName="lamp")
    assert not caught.value.is_outcome_unknown


def test_a_rejected_call_is_not_retried() -> None:
    handle, requests = respond_with(build_error("Forbidden.RAM", 403), build_success())
    with pytest.raises(errors.AccessDenied):
        build_client(handle).call("QueryProduct", ProductKey="a1")
    assert len(requests) == 1


# --- pages


def serve_pages(pages: list[list[Any]], **extra: Any) -> tuple[Handler, list[dict[str, str]]]:
    requested: list[dict[str, str]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent = read_fields(request)
        requested.append(sent)
        number = int(sent.get("CurrentPage", 1))
        items = pages[number - 1] if number <= len(pages) else []
        return build_success(Data={"DeviceInfo": items, "GroupInfo": items}, PageCount=len(pages), **extra)

    return handle, requested


def test_all_pages_are_fetched_with_the_largest_page_size() -> None:
    handle, requested = serve_pages([[{"n": 1}] * 50, [{"n": 2}] * 50, [{"n": 3}] * 7], Total=107)
    responses = list(build_client(handle).pages("QueryDevice", ProductKey="a1"))
    assert [len(a["Data"]["DeviceInfo"]) for a in responses] == [50, 50, 7]
    assert [sent["CurrentPage"] for sent in requested] == ["1", "2", "3"]
    assert {sent["PageSize"] for sent in requested} == {"50"}


def test_the_token_of_a_response_is_sent_for_the_next_page() -> None:
    handle, requested = serve_pages([[{"n": 1}], [{"n": 2}]], Total=2, NextToken="t-1")
    list(build_client(handle).pages("QueryDevice", ProductKey="a1", PageSize=1))
    assert [sent.get("NextToken") for sent in requested] == [None, "t-1"]


def test_without_a_total_a_short_page_is_the_last() -> None:
    requested: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        page = read_fields(request)["CurrentPage"]
        requested.append(page)
        return build_success(
            ProductInfos={
                "ProductInfo": [{"ProductKey": f"{page}-{n}"} for n in range(50 if page < "3" else 4)]
            }
        )

    pages = build_client(handle).pages("ListProductByTags", ProductTag=[{"TagKey": "room"}])
    assert sum(len(page["ProductInfos"]["ProductInfo"]) for page in pages) == 104
    assert requested == ["1", "2", "3"]


def test_an_empty_list_is_one_empty_page() -> None:
    handle, requested = serve_pages([], Total=0)
    assert len(list(build_client(handle).pages("QueryDevice", ProductKey="a1"))) == 1
    assert len(requested) == 1


def test_a_response_that_ignores_the_page_number_does_not_loop_forever() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return build_success(Data={"DeviceInfo": [{"DeviceName": "same"}]}, Total=10**9)

    assert len(list(build_client(handle).pages("QueryDevice", ProductKey="a1"))) == 1


def test_a_list_with_more_entries_than_the_paging_limit_raises() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return build_success(
            Data={"DeviceInfo": [{"DeviceName": read_fields(request)["CurrentPage"]}]}, Total=10**6
        )

    pages = build_client(handle).pages("QueryDevice", ProductKey="a1", CurrentPage=9_998, PageSize=50)
    assert [page["Data"]["DeviceInfo"][0]["DeviceName"] for page in (next(pages), next(pages))] == [
        "9998",
        "9999",
    ]
    with pytest.raises(errors.LimitExceeded) as caught:
        next(pages)
    assert caught.value.code == "Client.PagingLimit"


def test_tokens_are_followed_until_the_last_page() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        token = read_fields(request).get("NextPageToken")
        next_token = {None: "t1", "t1": "t2", "t2": ""}[token]
        return build_success(
            Data={
                "List": {"PropertyInfo": [{"Value": token}]},
                "nextPageToken": next_token,
                "NextValid": bool(next_token),
            }
        )

    params = {"IotId": "x", "Identifier": "t", "StartTime": 1, "EndTime": 2, "Asc": 1}
    pages = list(build_client(handle).pages("QueryDeviceOriginalPropertyData", **params))
    assert [p["Data"]["List"]["PropertyInfo"][0]["Value"] for p in pages] == [None, "t1", "t2"]


def test_pages_by_time_continue_at_the_next_time() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        start = int(read_fields(request)["StartTime"])
        return build_success(
            Data={
                "List": {"PropertyInfo": [{"Time": start}]},
                "NextTime": start + 10,
                "NextValid": start < 30,
            }
        )

    params = {"IotId": "x", "Identifier": "t", "StartTime": 10, "EndTime": 99, "Asc": 1}
    pages = build_client(handle).pages("QueryDevicePropertyData", **params)
    assert [p["Data"]["List"]["PropertyInfo"][0]["Time"] for p in pages] == [10, 20, 30]


def test_an_operation_without_paging_raises_immediately() -> None:
    with pytest.raises(ValueError, match="is not paged"):
        build_client(respond_with()[0]).pages("QueryProduct", ProductKey="a1")


# --- the real network


def test_threads_share_a_client_and_its_connections() -> None:
    import http.server

    connections: set[Any] = set()

    class Server(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            connections.add(self.client_address)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps(OK).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(
            Credentials("testid", "testsecret"), endpoint=f"http://127.0.0.1:{server.server_port}"
        ) as api:
            threads = [
                threading.Thread(
                    target=lambda: [api.call("QueryProduct", ProductKey="a1") for _ in range(20)]
                )
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        server.shutdown()
    assert 1 <= len(connections) <= 4


def test_the_error_for_a_closed_port_says_never_sent() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        policy = RetryPolicy(attempts=2, sleep=lambda seconds: None)
        api = Client(Credentials("k", "s"), endpoint=f"http://127.0.0.1:{port}", retry=policy)
        with pytest.raises(errors.Unavailable) as caught:
            api.call("CreateProduct", ProductName="Meters", NodeType=0)
    assert caught.value.sent is False
