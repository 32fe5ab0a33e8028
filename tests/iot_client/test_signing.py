"""Both signing schemes: published signatures, and any text against a second implementation of the rules."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_client.signing import (
    acs3_canonical_request,
    acs3_signature,
    form_encode,
    parse_acs3_authorization,
    percent_encode,
    rpc_sign,
    rpc_string_to_sign,
)
from tests.iot_client import independent

PUB_2018 = {
    "Action": "Pub",
    "MessageContent": "aGVsbG8gd29ybGQ",
    "Timestamp": "2018-07-31T07:43:57Z",
    "SignatureVersion": "1.0",
    "Format": "XML",
    "Qos": "0",
    "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
    "Version": "2018-01-20",
    "AccessKeyId": "testid",
    "SignatureMethod": "HMAC-SHA1",
    "RegionId": "cn-shanghai",
    "ProductKey": "12345abcde",
    "TopicFullName": "/12345abcde/testdevice/user/get",
}
PUB_2017 = dict(
    parse_qsl(
        "MessageContent=aGVsbG93b3JsZA%3D&Action=Pub&Timestamp=2017-10-02T09%3A39%3A41Z&SignatureVersion=1.0"
        "&ServiceCode=iot&Format=XML&Qos=0&SignatureNonce=0715a395-aedf-4a41-bab7-746b43d38d88&Version=2017-04-20"
        "&AccessKeyId=testid&SignatureMethod=HMAC-SHA1&RegionId=cn-shanghai&ProductKey=12345abcdeZ"
        "&TopicFullName=%2FproductKey%2Ftestdevice%2Fget"
    )
)


@pytest.mark.parametrize(
    ("params", "signature"),
    [(PUB_2018, "NUh3otvAoXOZmG/a2gDShh6Ze9w="), (PUB_2017, "Y9eWn4nF8QPh3c4zAFkM/k/u7eA=")],
)
def test_the_published_requests_have_the_published_signatures(params: dict[str, str], signature: str) -> None:
    assert rpc_sign("GET", params, "testsecret") == signature
    assert rpc_sign("GET", {**params, "Signature": signature}, "testsecret") == signature


def test_the_string_to_sign_starts_as_published() -> None:
    string = rpc_string_to_sign("GET", PUB_2018)
    assert string.startswith(
        "GET&%2F&AccessKeyId%3Dtestid%26Action%3DPub%26Format%3DXML%26MessageContent%3DaGVsbG8gd"
    )
    assert "Timestamp%3D2018-07-31T07%253A43%253A57Z" in string


def test_another_secret_method_or_value_has_another_signature() -> None:
    signature = rpc_sign("POST", PUB_2018, "testsecret")
    assert rpc_sign("POST", PUB_2018, "othersecret") != signature
    assert rpc_sign("GET", PUB_2018, "testsecret") != signature
    assert rpc_sign("POST", {**PUB_2018, "Qos": "1"}, "testsecret") != signature


def test_reserved_characters_are_percent_encoded() -> None:
    assert percent_encode("aZ09-_.~") == "aZ09-_.~"
    assert percent_encode(" +*%/=&'()!") == "%20%2B%2A%25%2F%3D%26%27%28%29%21"
    assert percent_encode("键") == "%E9%94%AE"


text = st.text(st.one_of(st.sampled_from(" +*~%&=/'()é键😀\n\x00"), st.characters(exclude_categories=["Cs"])))


@given(st.dictionaries(text, text, max_size=6), text)
def test_any_text_has_the_signature_of_the_second_implementation(params: dict[str, str], secret: str) -> None:
    params.pop("Signature", None)
    raw = form_encode(params).encode("ascii")
    pairs = independent.decode(raw) if params else []
    assert (
        sorted(pairs) == sorted((k.encode(), v.encode()) for k, v in params.items() if k or v) or "" in params
    )
    all_pairs = [(k.encode(), v.encode()) for k, v in params.items()]
    assert rpc_sign("POST", params, secret) == independent.signature(b"POST", all_pairs, secret.encode())


# --- ACS3


def build_acs3_request() -> tuple[dict[str, str], dict[str, str], bytes]:
    body = b"DeviceName.1=a"
    headers = {
        "Host": "iot.example:8601",
        "x-acs-action": "BatchCheckDeviceNames",
        "x-acs-date": "2024-05-01T00:00:00Z",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "User-Agent": "  sdk/1 ",
    }
    return {"ProductKey": "a1 b", "Empty": ""}, headers, body


def sign_acs3_request(
    query: dict[str, str], headers: dict[str, str], body: bytes, secret: str = "testsecret"
) -> str:
    names = ("host", "user-agent", "x-acs-action", "x-acs-content-sha256", "x-acs-date")
    canonical = acs3_canonical_request("POST", "/", query, headers, names, hashlib.sha256(body).hexdigest())
    return acs3_signature(canonical, secret)


def test_the_canonical_request_has_six_parts() -> None:
    query, headers, _ = build_acs3_request()
    canonical = acs3_canonical_request("POST", "/", query, headers, ["host", "X-Acs-Action"], "feed")
    assert canonical == (
        "POST\n/\nEmpty=&ProductKey=a1%20b\nhost:iot.example:8601\nx-acs-action:BatchCheckDeviceNames\n\n"
        "host;x-acs-action\nfeed"
    )


def test_another_acs3_request_has_another_signature() -> None:
    query, headers, body = build_acs3_request()
    signature = sign_acs3_request(query, headers, body)
    assert sign_acs3_request(query, headers, body, secret="other") != signature
    assert sign_acs3_request({**query, "Empty": "x"}, headers, body) != signature
    assert sign_acs3_request(query, headers, b"DeviceName.1=b") != signature
    assert sign_acs3_request(query, {**headers, "Host": "x"}, body) != signature


def test_acs3_agrees_with_the_official_sdk() -> None:
    utils = pytest.importorskip("alibabacloud_tea_openapi.utils")
    query, headers, body = build_acs3_request()

    class Request:
        method, pathname = "POST", "/"

    request = Request()
    request.query, request.headers = query, {**headers, "User-Agent": "sdk/1"}  # type: ignore[attr-defined]
    payload = hashlib.sha256(body).hexdigest()
    header = utils.Utils.get_authorization(request, "ACS3-HMAC-SHA256", payload, "testid", "testsecret")
    authorization = parse_acs3_authorization(header)
    assert authorization.key_id == "testid"
    canonical = acs3_canonical_request("POST", "/", query, headers, authorization.signed_headers, payload)
    assert acs3_signature(canonical, "testsecret") == authorization.signature


@pytest.mark.parametrize(
    "header", ["", "Basic abc", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=a,Signature=b"]
)
def test_an_invalid_authorization_header_raises_value_error(header: str) -> None:
    with pytest.raises(ValueError, match=r"not ACS3|missing"):
        parse_acs3_authorization(header)
