"""The client over a transport that breaks, lies or throttles: the network is the only thing replaced."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cloud import errors
from console.cloud.client import Client, Credentials
from console.cloud.retry import RetryPolicy
from tests.cloud import independent

OK = {"RequestId": "r-1", "Success": True}
Handler = Callable[[httpx.Request], httpx.Response]


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(handler: Handler, time: Time | None = None, **options: Any) -> Client:
    time = time or Time()
    policy = options.pop("retry", None) or RetryPolicy(
        sleep=time.sleep, now=lambda: time.now, chance=lambda: 0.5
    )
    return Client(
        Credentials("testid", "testsecret", options.pop("token", None)),
        transport=httpx.MockTransport(handler),
        retry=policy,
        **options,
    )


def answers(*responses: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A handler that gives the responses one after another, and the requests it saw."""
    waiting = list(responses)
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        response = waiting.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    return handle, seen


def ok(**fields: Any) -> httpx.Response:
    return httpx.Response(200, json={**OK, **fields})


def refusal(code: str, status: int = 400, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"Code": code, "Message": "no", "RequestId": "r-9", "HostId": "h"}, headers=headers
    )


def fields(request: httpx.Request) -> dict[str, str]:
    raw = independent.decode(request.url.query) + independent.decode(request.content)
    assert len({name for name, _ in raw}) == len(raw), "a parameter was sent twice"
    return {name.decode(): value.decode() for name, value in raw}


def correctly_signed(request: httpx.Request) -> bool:
    raw = independent.decode(request.url.query) + independent.decode(request.content)
    wanted = independent.signature(request.method.encode(), raw, b"testsecret")
    return dict(raw)[b"Signature"].decode() == wanted


# --- what is sent

text = st.text(
    st.one_of(st.sampled_from(" +*~%&=/;?#'()é键😀\n\r\x00"), st.characters(exclude_categories=["Cs"]))
)


@given(
    text,
    text,
    st.lists(text, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["Key", "Value"]), text, min_size=1),
)
def test_any_text_in_any_parameter_arrives_and_is_signed(
    key: str, name: str, names: list[str], tag: dict[str, str]
) -> None:
    handle, seen = answers(ok(), ok(), ok())
    api = client(handle)
    api.call("UpdateProduct", ProductKey=key, ProductName=name)
    api.call("BatchCheckDeviceNames", ProductKey=key, DeviceName=names)
    api.call("CreateOTAVerifyJob", FirmwareId=name, ProductKey=key, TargetDeviceName=names, Tag=[tag])
    assert all(correctly_signed(request) for request in seen)
    assert fields(seen[0])["ProductName"] == name
    assert [fields(seen[1])[f"DeviceName.{n}"] for n in range(1, len(names) + 1)] == names
    assert {k: fields(seen[2])[f"Tag.1.{k}"] for k in tag} == tag


def test_parameters_travel_where_the_catalogue_says() -> None:
    handle, seen = answers(ok(), ok())
    api = client(handle)
    api.call("Pub", ProductKey="a1", TopicFullName="/a1/d/user/get", MessageContent="aGVsbG8=", Qos=1)
    api.call("QueryProduct", ProductKey="a1")
    assert seen[0].method == "POST"
    assert independent.decode(seen[0].content) == [(b"MessageContent", b"aGVsbG8=")]
    assert (b"ProductKey", b"a1") in independent.decode(seen[0].url.query)
    assert seen[1].content == b""


def test_common_parameters_are_those_of_the_scheme() -> None:
    handle, seen = answers(ok())
    client(handle, region="ap-southeast-1", token="sts").call("QueryProduct", ProductKey="a1")
    sent = fields(seen[0])
    assert seen[0].url.host == "iot.ap-southeast-1.aliyuncs.com"
    assert sent.items() >= {
        "Action": "QueryProduct", "Version": "2018-01-20", "Format": "JSON", "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "RegionId": "ap-southeast-1", "SecurityToken": "sts",
    }.items()  # fmt: skip


def test_the_instance_is_named_where_the_operation_takes_it() -> None:
    handle, seen = answers(ok(), ok(), ok())
    api = client(handle, instance_id="iot-1")
    api.call("QueryProduct", ProductKey="a1")
    api.call("QueryProduct", ProductKey="a1", IotInstanceId="iot-2")
    api.call("QueryDeviceDistributeJob", JobId="j")
    assert [fields(request).get("IotInstanceId") for request in seen] == ["iot-1", "iot-2", None]


def test_ten_thousand_names_go_in_the_form_and_a_long_thing_model_moves_there() -> None:
    handle, seen = answers(ok(), ok())
    api = client(handle)
    api.call("BatchCheckDeviceNames", ProductKey="a1", DeviceName=[f"meter-{n}" for n in range(10_000)])
    model = json.dumps({"properties": ["x" * 150_000]})
    api.call("ImportThingModelTsl", ProductKey="a1", TslStr=model)
    assert all(correctly_signed(request) for request in seen)
    assert len(seen[0].url.query) < 1000
    assert seen[1].url.query == b""
    assert fields(seen[1])["TslStr"] == model


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("http://127.0.0.1:8601", "http://127.0.0.1:8601"),
        ("127.0.0.1:8601/", "https://127.0.0.1:8601"),
        ("https://iot.example.com", "https://iot.example.com"),
        (" emulator:8601 ", "https://emulator:8601"),
    ],
)
def test_an_endpoint_may_be_a_host_or_an_address(endpoint: str, origin: str) -> None:
    handle, seen = answers(ok())
    client(handle, endpoint=endpoint).call("QueryProduct", ProductKey="a1")
    assert str(seen[0].url).startswith(f"{origin}/?")


@pytest.mark.parametrize("endpoint", ["ftp://host", "http://", "http://a b", "https://host/path", "http://u:p@host", "http://host:port", "http://host?x=1", "http://host:99999"])  # fmt: skip
def test_what_is_no_endpoint_is_refused_before_anything_is_sent(endpoint: str) -> None:
    with pytest.raises(errors.InvalidParameter) as caught:
        client(answers()[0], endpoint=endpoint)
    assert caught.value.code == "Client.InvalidEndpoint"


def test_half_a_character_is_refused_before_anything_is_sent() -> None:
    handle, seen = answers()
    with pytest.raises(errors.InvalidParameter):
        client(handle).call("QueryProduct", ProductKey="\ud800")
    assert seen == []


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(Credentials("testid", "topsecret", "ststoken"))
    assert "testid" in shown
    assert "topsecret" not in shown
    assert "ststoken" not in shown


# --- answers


def test_an_answer_is_returned_as_it_came_with_large_ids_whole() -> None:
    handle, _ = answers(ok(Data={"ApplyId": 2**60 + 1, "Other": [1]}))
    assert client(handle).call("BatchRegisterDevice", ProductKey="a1", Count=1)["Data"] == {
        "ApplyId": 2**60 + 1,
        "Other": [1],
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"<html>Bad gateway</html>", b"[]", b'"text"', b"null", b"12", b"{", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
     b"[" * 100_000, b'{"a":' * 100_000, b"\x80\x81"],
)  # fmt: skip
def test_an_answer_that_is_not_the_platform_s_is_a_bad_answer(body: bytes) -> None:
    handle, seen = answers(httpx.Response(200, content=body))
    with pytest.raises(errors.BadAnswer) as caught:
        client(handle).call("QueryProduct", ProductKey="a1")
    assert caught.value.http_status == 200
    assert caught.value.operation == "QueryProduct"
    assert len(caught.value.message) < 300
    assert len(seen) == 1


def test_a_redirect_or_a_stranger_s_error_page_is_a_bad_answer() -> None:
    for response in (
        httpx.Response(302, headers={"location": "https://login"}),
        httpx.Response(404, html="<h1>nginx</h1>"),
    ):
        with pytest.raises(errors.BadAnswer):
            client(answers(response)[0]).call("QueryProduct", ProductKey="a1")


def test_success_false_raises_although_the_status_is_200() -> None:
    body = {
        "RequestId": "r-2",
        "Success": False,
        "Code": "iot.prod.NotExistedProduct",
        "ErrorMessage": "gone",
    }
    handle, _ = answers(httpx.Response(200, json=body))
    with pytest.raises(errors.NotFound) as caught:
        client(handle).call("QueryProduct", ProductKey="a1")
    error = caught.value
    assert (error.code, error.message, error.request_id) == ("iot.prod.NotExistedProduct", "gone", "r-2")
    assert (error.operation, error.http_status) == ("QueryProduct", 200)


def test_a_refusal_keeps_what_else_the_answer_said() -> None:
    body = {
        "Success": False,
        "Code": "iot.device.InvalidFormattedDeviceName",
        "Data": {"InvalidDeviceNameList": {"InvalidDeviceName": ["a"]}},
    }
    handle, _ = answers(httpx.Response(200, json=body))
    with pytest.raises(errors.InvalidParameter) as caught:
        client(handle).call("BatchCheckDeviceNames", ProductKey="a1", DeviceName=["a"])
    assert caught.value.answer["Data"]["InvalidDeviceNameList"]["InvalidDeviceName"] == ["a"]


XML = b"""<?xml version='1.0' encoding='UTF-8'?>
<QueryDeviceResponse><RequestId>r-3</RequestId><Success>true</Success><Total>2</Total><PageCount>1</PageCount>
<Data><DeviceInfo><DeviceName>lamp01</DeviceName><Nickname>\xe7\x81\xaf</Nickname></DeviceInfo></Data></QueryDeviceResponse>"""


def test_xml_has_the_shape_of_json_and_a_list_of_one_stays_a_list() -> None:
    handle, seen = answers(httpx.Response(200, content=XML))
    answer = client(handle, format="XML").call("QueryDevice", ProductKey="a1")
    assert fields(seen[0])["Format"] == "XML"
    assert answer == {
        "RequestId": "r-3", "Success": True, "Total": 2, "PageCount": 1,
        "Data": {"DeviceInfo": [{"DeviceName": "lamp01", "Nickname": "灯"}]},
    }  # fmt: skip


def test_xml_keeps_empty_lists_direct_lists_numbers_and_unknown_fields() -> None:
    empty = b"<R><Success>true</Success><Data/></R>"
    assert client(answers(httpx.Response(200, content=empty))[0], format="XML").call(
        "QueryDevice", ProductKey="a1"
    )["Data"] == {"DeviceInfo": []}
    direct = (
        b"<R><Success>true</Success><Data><ModuleName>a</ModuleName></Data><New><X>1</X><X>2</X></New></R>"
    )
    answer = client(answers(httpx.Response(200, content=direct))[0], format="XML").call(
        "ListOTAModuleByProduct", ProductKey="a1"
    )
    assert answer["Data"] == [{"ModuleName": "a"}]
    assert answer["New"] == {"X": ["1", "2"]}
    names = b"<R><Success>true</Success><Data><Status>CREATE</Status><ValidList><Name>a</Name></ValidList></Data></R>"
    answer = client(answers(httpx.Response(200, content=names))[0], format="XML").call(
        "QueryBatchRegisterDeviceStatus", ProductKey="a1", ApplyId=1
    )
    assert answer["Data"] == {"Status": "CREATE", "ValidList": {"Name": ["a"]}}


@pytest.mark.parametrize(
    "body", [b"{}", b"<R>", b'<!DOCTYPE R [<!ENTITY a "b">]><R><Success>&a;</Success></R>', b""]
)
def test_xml_that_is_none_or_plays_tricks_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(errors.BadAnswer):
        client(answers(httpx.Response(200, content=body))[0], format="XML").call(
            "QueryDevice", ProductKey="a1"
        )


def test_an_error_in_xml_is_read_like_one_in_json() -> None:
    body = b"<Error><RequestId>r-4</RequestId><HostId>h</HostId><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error>"
    with pytest.raises(errors.SignatureRefused) as caught:
        client(answers(httpx.Response(400, content=body))[0]).call("QueryProduct", ProductKey="a1")
    assert caught.value.request_id == "r-4"


# --- retries


def test_a_throttled_call_waits_as_long_as_it_is_told_and_is_signed_anew() -> None:
    time = Time()
    handle, seen = answers(refusal("Throttling.User", **{"x-acs-retry-after": "1500"}), ok())
    client(handle, time).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert len(time.slept) == 1
    assert 1.5 <= time.slept[0] < 2.0
    assert all(correctly_signed(request) for request in seen)
    assert fields(seen[0])["SignatureNonce"] != fields(seen[1])["SignatureNonce"]


def test_throttles_are_not_retried_for_ever() -> None:
    time = Time()
    handle, seen = answers(*(refusal("Throttling.Api") for _ in range(9)))
    with pytest.raises(errors.Throttled):
        client(handle, time).call("QueryProduct", ProductKey="a1")
    assert len(seen) == 4
    assert time.slept == sorted(time.slept)


def test_a_wait_beyond_the_budget_is_not_begun() -> None:
    time = Time()
    handle, _ = answers(refusal("Throttling.User", **{"x-acs-retry-after": "60000"}), ok())
    with pytest.raises(errors.Throttled) as caught:
        client(handle, time).call("QueryProduct", ProductKey="a1")
    assert caught.value.retry_after == 60.0
    assert time.slept == []


def test_a_refused_connection_is_tried_again_even_for_what_creates() -> None:
    handle, seen = answers(httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), ok())
    client(handle).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert len(seen) == 3


def test_an_unreachable_platform_is_told_as_never_sent() -> None:
    handle, _ = answers(*(httpx.ConnectError("refused") for _ in range(9)))
    with pytest.raises(errors.Unavailable) as caught:
        client(handle).call("CreateProduct", ProductName="Meters", NodeType=0)
    assert caught.value.sent is False
    assert caught.value.retryable


BROKEN = [httpx.ReadTimeout("t"), httpx.ReadError("r"), httpx.RemoteProtocolError("dropped"), refusal("InternalError", 500),
          httpx.Response(503, content=b"down"), httpx.Response(502, html="<h1>bad gateway</h1>")]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=repr)
def test_after_a_lost_answer_only_what_may_be_repeated_is_repeated(
    broken: httpx.Response | Exception,
) -> None:
    handle, seen = answers(broken, ok())
    client(handle).call("QueryProduct", ProductKey="a1")
    assert len(seen) == 2
    for name in ("CreateProduct", "RegisterDevice", "Pub", "BatchRegisterDevice", "RRpc"):
        handle, seen = answers(broken, ok())
        with pytest.raises(errors.Unavailable) as caught:
            client(handle).call(name)
        assert caught.value.sent is True
        assert len(seen) == 1


def test_a_refusal_is_not_tried_again() -> None:
    handle, seen = answers(refusal("Forbidden.RAM", 403), ok())
    with pytest.raises(errors.AccessDenied):
        client(handle).call("QueryProduct", ProductKey="a1")
    assert len(seen) == 1


# --- pages


def paged(pages: list[list[Any]], **extra: Any) -> tuple[Handler, list[dict[str, str]]]:
    asked: list[dict[str, str]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent = fields(request)
        asked.append(sent)
        number = int(sent.get("CurrentPage", 1))
        items = pages[number - 1] if number <= len(pages) else []
        return ok(Data={"DeviceInfo": items, "GroupInfo": items}, PageCount=len(pages), **extra)

    return handle, asked


def test_pages_are_walked_to_the_total_with_the_largest_size() -> None:
    handle, asked = paged([[{"n": 1}] * 50, [{"n": 2}] * 50, [{"n": 3}] * 7], Total=107)
    answers_ = list(client(handle).pages("QueryDevice", ProductKey="a1"))
    assert [len(a["Data"]["DeviceInfo"]) for a in answers_] == [50, 50, 7]
    assert [sent["CurrentPage"] for sent in asked] == ["1", "2", "3"]
    assert {sent["PageSize"] for sent in asked} == {"50"}


def test_a_token_of_the_answer_goes_with_the_next_page() -> None:
    handle, asked = paged([[{"n": 1}], [{"n": 2}]], Total=2, NextToken="t-1")
    list(client(handle).pages("QueryDevice", ProductKey="a1", PageSize=1))
    assert [sent.get("NextToken") for sent in asked] == [None, "t-1"]


def test_without_a_total_a_short_page_is_the_last() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        page = fields(request)["CurrentPage"]
        asked.append(page)
        return ok(
            ProductInfos={
                "ProductInfo": [{"ProductKey": f"{page}-{n}"} for n in range(50 if page < "3" else 4)]
            }
        )

    pages = client(handle).pages("ListProductByTags", ProductTag=[{"TagKey": "room"}])
    assert sum(len(page["ProductInfos"]["ProductInfo"]) for page in pages) == 104
    assert asked == ["1", "2", "3"]


def test_an_empty_list_is_one_empty_page() -> None:
    handle, asked = paged([], Total=0)
    assert len(list(client(handle).pages("QueryDevice", ProductKey="a1"))) == 1
    assert len(asked) == 1


def test_an_answer_that_ignores_the_page_number_does_not_go_on_for_ever() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return ok(Data={"DeviceInfo": [{"DeviceName": "same"}]}, Total=10**9)

    assert len(list(client(handle).pages("QueryDevice", ProductKey="a1"))) == 1


def test_a_list_deeper_than_the_platform_pages_is_told() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return ok(Data={"DeviceInfo": [{"DeviceName": fields(request)["CurrentPage"]}]}, Total=10**6)

    pages = client(handle).pages("QueryDevice", ProductKey="a1", CurrentPage=9_998, PageSize=50)
    assert [page["Data"]["DeviceInfo"][0]["DeviceName"] for page in (next(pages), next(pages))] == [
        "9998",
        "9999",
    ]
    with pytest.raises(errors.LimitExceeded) as caught:
        next(pages)
    assert caught.value.code == "Client.PagingLimit"


def test_tokens_are_followed_until_the_answer_says_there_is_no_more() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        token = fields(request).get("NextPageToken")
        following = {None: "t1", "t1": "t2", "t2": ""}[token]
        return ok(
            Data={
                "List": {"PropertyInfo": [{"Value": token}]},
                "nextPageToken": following,
                "NextValid": bool(following),
            }
        )

    params = {"IotId": "x", "Identifier": "t", "StartTime": 1, "EndTime": 2, "Asc": 1}
    pages = list(client(handle).pages("QueryDeviceOriginalPropertyData", **params))
    assert [p["Data"]["List"]["PropertyInfo"][0]["Value"] for p in pages] == [None, "t1", "t2"]


def test_a_record_of_times_is_followed_by_its_next_time() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        start = int(fields(request)["StartTime"])
        return ok(
            Data={
                "List": {"PropertyInfo": [{"Time": start}]},
                "NextTime": start + 10,
                "NextValid": start < 30,
            }
        )

    params = {"IotId": "x", "Identifier": "t", "StartTime": 10, "EndTime": 99, "Asc": 1}
    pages = client(handle).pages("QueryDevicePropertyData", **params)
    assert [p["Data"]["List"]["PropertyInfo"][0]["Time"] for p in pages] == [10, 20, 30]


def test_what_does_not_page_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="does not page"):
        client(answers()[0]).pages("QueryProduct", ProductKey="a1")


# --- the real network


def test_threads_share_one_client_and_its_open_connections() -> None:
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


def test_a_closed_port_is_told_as_never_sent() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        policy = RetryPolicy(attempts=2, sleep=lambda seconds: None)
        api = Client(Credentials("k", "s"), endpoint=f"http://127.0.0.1:{port}", retry=policy)
        with pytest.raises(errors.Unavailable) as caught:
            api.call("CreateProduct", ProductName="Meters", NodeType=0)
    assert caught.value.sent is False
