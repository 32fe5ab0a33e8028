"""The error class of each code, and the explanation that people read."""

from __future__ import annotations

import pytest

from iot_client import errors
from iot_client.errors import CloudError, classify, error_from_body, explain

CLASSES = {
    "Throttling.User": errors.Throttled,
    "Throttling.Api": errors.Throttled,
    "iot.messagebroker.RateLimit": errors.Throttled,
    "SignatureDoesNotMatch": errors.SignatureRefused,
    "IncompleteSignature": errors.SignatureRefused,
    "InvalidAccessKeyId.NotFound": errors.SignatureRefused,
    "InvalidAccessKeyId.Inactive": errors.SignatureRefused,
    "InvalidTimeStamp.Expired": errors.SignatureRefused,
    "SignatureNonceUsed": errors.SignatureRefused,
    "InvalidSecurityToken.Expired": errors.SignatureRefused,
    "MissingSecurityToken": errors.SignatureRefused,
    "Forbidden.RAM": errors.AccessDenied,
    "NoPermission": errors.AccessDenied,
    "iot.common.RamActionPermissionDeny": errors.AccessDenied,
    "Iot.Device.NotDeviceOwner": errors.AccessDenied,
    "iot.prod.NotExistedProduct": errors.NotFound,
    "iot.device.NotExistedDevice": errors.NotFound,
    "iot.device.DeviceApplyIsNotFound": errors.NotFound,
    "iot.firmware.FirmwareNotFound": errors.NotFound,
    "iot.system.InstanceNotFound": errors.NotFound,
    "iot.ota.OTAModuleNotExist": errors.NotFound,
    "iot.rule.NotFoundRule": errors.NotFound,
    "iot.prod.AlreadyExistedProductName": errors.AlreadyExists,
    "iot.device.AlreadyExistedDeviceName": errors.AlreadyExists,
    "iot.group.GroupNameExisted": errors.AlreadyExists,
    "iot.ota.CreateOTAModuleNameExist": errors.AlreadyExists,
    "iot.prod.InvalidFormattedProductName": errors.InvalidParameter,
    "iot.prod.LongProductDesc": errors.InvalidParameter,
    "iot.device.NullDeviceName": errors.InvalidParameter,
    "iot.device.InvalidDeviceNickNameExisted": errors.InvalidParameter,
    "iot.firmware.SrcVersionIsMandatory": errors.InvalidParameter,
    "iot.firmware.FirmwareDescriptionExceedMaxLength": errors.InvalidParameter,
    "iot.ota.PackageFileNameDuplicated": errors.InvalidParameter,
    "iot.common.InvalidPageParams": errors.InvalidParameter,
    "iot.messagebroker.NotFoundStateInShadowMessage": errors.InvalidParameter,
    "MissingProductKey": errors.InvalidParameter,
    "iot.firmware.InProgressDynamicJobExisted": errors.Conflict,
    "iot.firmware.JobAlreadyCanceled": errors.Conflict,
    "iot.firmware.FirmwareNotVerified": errors.Conflict,
    "iot.ota.DeleteOTAModulePackageExist": errors.Conflict,
    "iot.device.CreateDeviceTaskIsRunning": errors.Conflict,
    "iot.group.SubGroupNotNull": errors.Conflict,
    "iot.messagebroker.OFFLINE": errors.Conflict,
    "iot.prod.ProductCountExceedMax": errors.LimitExceeded,
    "iot.device.DeviceCountExceeded": errors.LimitExceeded,
    "iot.firmware.FirmwareCountExceedMax": errors.LimitExceeded,
    "iot.firmware.TooManyDeviceUpgrade": errors.LimitExceeded,
    "iot.system.SystemException": errors.Unavailable,
    "InternalError": errors.Unavailable,
    "ServiceUnavailable": errors.Unavailable,
    "InvalidAction.NotFound": errors.ServiceError,
    "iot.prod.CreateProductFailed": errors.ServiceError,
    "something.completely.Unknown": errors.ServiceError,
    "": errors.ServiceError,
}


@pytest.mark.parametrize(("code", "cls"), CLASSES.items())
def test_a_code_has_its_error_class(code: str, cls: type[CloudError]) -> None:
    assert classify(code) is cls


@pytest.mark.parametrize(
    "cls", sorted(set(CLASSES.values()) | {errors.BadResponse, CloudError}, key=lambda c: c.__name__)
)
def test_every_family_has_an_explanation(cls: type[CloudError]) -> None:
    explanation = explain(cls("completely.unknown.Code"))
    assert explanation.title.endswith(".")
    assert explanation.advice.endswith(".")


def test_a_known_code_has_its_own_explanation_and_is_not_case_sensitive() -> None:
    explanation = explain(errors.AlreadyExists("IOT.prod.alreadyexistedproductname"))
    assert "product" in explanation.title
    assert explanation != explain(errors.AlreadyExists("unknown"))


def test_the_advice_says_whether_the_request_was_sent() -> None:
    sent = explain(errors.Unavailable("Client.Timeout"))
    never = explain(errors.Unavailable("Client.Unreachable", sent=False))
    assert "Nothing was sent" in never.advice
    assert "may still have been carried out" in sent.advice


def test_a_subclass_has_the_explanation_of_its_family() -> None:
    class Special(errors.Throttled):
        pass

    assert explain(Special("x")) == explain(errors.Throttled("x"))


def test_problems_of_the_catalogue_are_kept_in_the_error() -> None:
    error = errors.InvalidParameter.from_problems("CreateProduct", {"NodeType": ["This value is required"]})
    assert error.message == "NodeType: This value is required"
    assert error.problems == {"NodeType": ["This value is required"]}
    assert error.operation == "CreateProduct"


def test_the_error_of_a_rejected_signature_does_not_contain_the_security_token() -> None:
    body = b'{"Code":"SignatureDoesNotMatch","Message":"No match. server string to sign is:POST&%2F&SecurityToken%3Dt"}'
    error = error_from_body(body, operation="Pub", http_status=400)
    assert error.message == "No match."
    assert "SecurityToken" not in f"{error} {error.response}"


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (400, b'{"Code":"Throttling.User","Message":"m","RequestId":"r"}', errors.Throttled),
        (429, b"slow down", errors.Throttled),
        (429, b'{"Code":"Other"}', errors.Throttled),
        (503, b"", errors.Unavailable),
        (500, b'{"Code":"Whatever","Message":"m"}', errors.Unavailable),
        (404, b'{"Code":"InvalidAccessKeyId.NotFound"}', errors.SignatureRefused),
        (400, b"<Error><Code>Forbidden.RAM</Code></Error>", errors.AccessDenied),
        (400, b"<html><body>x</body></html>", errors.BadResponse),
        (400, b'{"message":"not ours"}', errors.BadResponse),
        (400, b"[1]", errors.BadResponse),
        (413, b"", errors.BadResponse),
    ],
)
def test_a_response_with_an_error_status_is_read_in_any_format(
    status: int, body: bytes, cls: type[CloudError]
) -> None:
    error = error_from_body(body, operation="Pub", http_status=status)
    assert type(error) is cls
    assert error.http_status == status


HOSTILE = [
    "a\r\n2026-01-01 FORGED",
    "a\u2028b\u202ec\x1b[31m\x00",
    "x" * 5000,
    ["a"],
    {"a": "b"},
    [[]] * 9,
    7,
    None,
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("status", [200, 400, 503])
def test_code_message_and_request_id_are_single_short_lines(status: int, value: object) -> None:
    fields = {"Code": value, "ErrorMessage": value, "RequestId": value}
    error = errors.error_from_fields(fields, operation="Pub", http_status=status)
    for text, limit in ((error.code, 128), (error.message, 2000), (error.request_id, 64)):
        assert text.isprintable()
        assert len(text) <= limit
    assert str(error).isprintable()
    assert errors.read_request_id(fields) == error.request_id


def test_a_deeply_nested_code_is_no_code() -> None:
    body = b'{"Code":' + b"[" * 900 + b"]" * 900 + b"}"
    assert error_from_body(body, operation="Pub", http_status=400).code == "HTTP.400"
