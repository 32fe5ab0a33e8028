"""A trace of a call: what was sent and came back, with no secret in it; and what is left of the quota."""

from __future__ import annotations

import httpx
import pytest
import redis

from console.cloud.client import Client, Credentials
from console.cloud.errors import BadAnswer, Unavailable
from console.cloud.quota import Lane, Quota
from console.cloud.retry import RetryPolicy
from console.cloud.trace import Trace

SECRET, TOKEN = "s3cr3t/with+signs", "t0ken&=/+ value"


def client(answer, **options) -> Client:
    return Client(
        Credentials("LTAIkey1234567", SECRET, TOKEN),
        endpoint="http://x",
        transport=httpx.MockTransport(answer),
        **options,
    )


def test_it_holds_what_was_sent_without_the_keys_secrets():
    trace = Trace()
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"Success": True})

    client(answer).call("QueryProduct", trace, ProductKey="a b*c")
    shown = f"{trace.url} {trace.headers} {trace.query} {trace.form}"
    for secret in (SECRET, TOKEN, "LTAIkey1234567", seen[0].url.params["Signature"]):
        assert secret not in shown
    assert (trace.query["Signature"], trace.query["AccessKeyId"]) == ("***", "LTAI***567")
    assert "ProductKey=a+b%2Ac" in trace.url
    assert (trace.method, trace.status, trace.attempts) == ("POST", 200, 1)
    assert trace.headers == dict(seen[0].headers)


def test_a_refusal_that_repeats_the_request_shows_no_token():
    said = f'{{"Code": "SignatureDoesNotMatch", "Message": "no match, server string to sign is:POST&SecurityToken%3D{TOKEN}"}}'
    trace = Trace()
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        client(lambda request: httpx.Response(400, text=said)).call("QueryProduct", trace, ProductKey="a")
    assert TOKEN.encode() not in trace.body
    assert b"server string to sign is:" in trace.body
    assert trace.status == 400


def test_the_last_attempt_counts_and_a_call_that_never_arrived_has_no_status():
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    trace = Trace()
    policy = RetryPolicy(attempts=3, sleep=lambda seconds: None)
    with pytest.raises(Unavailable):
        client(answer, retry=policy).call("QueryProduct", trace, ProductKey="a")
    assert (trace.attempts, trace.status, trace.body) == (3, None, b"")


def test_each_call_may_ask_for_its_own_form():
    forms = []

    def answer(request: httpx.Request) -> httpx.Response:
        forms.append((request.url.params["Format"], request.headers["accept"]))
        return httpx.Response(
            200, text="<QueryProductResponse><Success>true</Success></QueryProductResponse>"
        )

    one = client(answer)
    assert one.call("QueryProduct", Trace(format="XML"), ProductKey="a")["Success"] is True
    with pytest.raises(BadAnswer):
        one.call("QueryProduct", ProductKey="a")
    assert forms == [("XML", "application/xml"), ("JSON", "application/json")]


def test_what_is_left_of_the_quota_is_told_with_and_without_redis(redis_url):
    server = redis.Redis.from_url(redis_url)
    server.flushdb()
    shared = Quota(server)
    assert shared.left("me", "QueryDevice", 5) == 5
    for _ in range(3):
        shared.acquire("me", "QueryDevice", 5, Lane.PEOPLE, timeout=0)
    assert shared.left("me", "QueryDevice", 5) == 2
    assert shared.left("me", "QueryProduct", 5) == 5
    alone = Quota(redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1))
    assert alone.left("me", "QueryDevice", 20) == 5
    alone.acquire("me", "QueryDevice", 20, Lane.PEOPLE, timeout=0)
    assert alone.left("me", "QueryDevice", 20) == 4
