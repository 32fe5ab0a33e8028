"""The trace of a call: request and response without secrets, and the remaining quota."""

from __future__ import annotations

import httpx
import pytest
import redis

from iot_client.client import Client, Credentials
from iot_client.errors import BadResponse, Unavailable
from iot_client.quota import Lane, Quota
from iot_client.retry import RetryPolicy
from iot_client.trace import Trace

SECRET, TOKEN = "s3cr3t/with+signs", "t0ken&=/+ value"


def build_client(handler, **options) -> Client:
    return Client(
        Credentials("LTAIkey1234567", SECRET, TOKEN),
        endpoint="http://x",
        transport=httpx.MockTransport(handler),
        **options,
    )


def test_the_trace_has_the_request_without_the_secrets_of_the_key():
    trace = Trace()
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"Success": True})

    build_client(handler).call("QueryProduct", trace, ProductKey="a b*c")
    shown = f"{trace.url} {trace.headers} {trace.query} {trace.form}"
    for secret in (SECRET, TOKEN, "LTAIkey1234567", requests[0].url.params["Signature"]):
        assert secret not in shown
    assert (trace.query["Signature"], trace.query["AccessKeyId"]) == ("***", "LTAI***567")
    assert "ProductKey=a+b%2Ac" in trace.url
    assert (trace.method, trace.status, trace.attempts) == ("POST", 200, 1)
    assert trace.headers == dict(requests[0].headers)


def test_a_response_that_repeats_the_request_shows_no_token():
    body = f'{{"Code": "SignatureDoesNotMatch", "Message": "no match, server string to sign is:POST&SecurityToken%3D{TOKEN}"}}'
    trace = Trace()
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        build_client(lambda request: httpx.Response(400, text=body)).call(
            "QueryProduct", trace, ProductKey="a"
        )
    assert TOKEN.encode() not in trace.body
    assert b"server string to sign is:" in trace.body
    assert trace.status == 400


def test_the_trace_has_the_last_attempt_and_no_status_without_a_response():
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    trace = Trace()
    policy = RetryPolicy(attempts=3, sleep=lambda seconds: None)
    with pytest.raises(Unavailable):
        build_client(handler, retry=policy).call("QueryProduct", trace, ProductKey="a")
    assert (trace.attempts, trace.status, trace.body) == (3, None, b"")


def test_each_call_can_use_its_own_format():
    formats = []

    def handler(request: httpx.Request) -> httpx.Response:
        formats.append((request.url.params["Format"], request.headers["accept"]))
        return httpx.Response(
            200, text="<QueryProductResponse><Success>true</Success></QueryProductResponse>"
        )

    client = build_client(handler)
    assert client.call("QueryProduct", Trace(format="XML"), ProductKey="a")["Success"] is True
    with pytest.raises(BadResponse):
        client.call("QueryProduct", ProductKey="a")
    assert formats == [("XML", "application/xml"), ("JSON", "application/json")]


def test_the_remaining_quota_is_counted_with_and_without_redis(redis_url):
    server = redis.Redis.from_url(redis_url)
    server.flushdb()
    shared = Quota(server)
    assert shared.count_remaining("me", "QueryDevice", 5) == 5
    for _ in range(3):
        shared.acquire("me", "QueryDevice", 5, Lane.PEOPLE, timeout=0)
    assert shared.count_remaining("me", "QueryDevice", 5) == 2
    assert shared.count_remaining("me", "QueryProduct", 5) == 5
    alone = Quota(redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1))
    assert alone.count_remaining("me", "QueryDevice", 20) == 5
    alone.acquire("me", "QueryDevice", 20, Lane.PEOPLE, timeout=0)
    assert alone.count_remaining("me", "QueryDevice", 20) == 4
