"""Which class a code has, and that there are words for every one."""

from __future__ import annotations

import pytest

from console.cloud import errors
from console.cloud.errors import CloudError, classify, error_from_body, explain

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
    "something.nobody.Knows": errors.ServiceError,
    "": errors.ServiceError,
}


@pytest.mark.parametrize(("code", "cls"), CLASSES.items())
def test_a_code_has_its_class(code: str, cls: type[CloudError]) -> None:
    assert classify(code) is cls


@pytest.mark.parametrize(
    "cls", sorted(set(CLASSES.values()) | {errors.BadAnswer, CloudError}, key=lambda c: c.__name__)
)
def test_there_are_words_for_every_family(cls: type[CloudError]) -> None:
    words = explain(cls("nobody.knows.This"))
    assert words.title.endswith(".")
    assert words.advice.endswith(".")


def test_a_known_code_has_words_of_its_own_in_any_case_of_letters() -> None:
    words = explain(errors.AlreadyExists("IOT.prod.alreadyexistedproductname"))
    assert "product" in words.title
    assert words != explain(errors.AlreadyExists("unknown"))


def test_whether_anything_was_sent_is_told() -> None:
    sent = explain(errors.Unavailable("Client.Timeout"))
    never = explain(errors.Unavailable("Client.Unreachable", sent=False))
    assert "Nothing was sent" in never.advice
    assert "may or may not" in sent.advice


def test_a_subclass_has_the_words_of_its_family() -> None:
    class Special(errors.Throttled):
        pass

    assert explain(Special("x")) == explain(errors.Throttled("x"))


def test_problems_of_the_catalogue_become_an_error_that_carries_them() -> None:
    error = errors.InvalidParameter.from_problems("CreateProduct", {"NodeType": ["is required"]})
    assert error.message == "NodeType is required"
    assert error.problems == {"NodeType": ["is required"]}
    assert error.operation == "CreateProduct"


def test_a_refused_signature_does_not_repeat_the_request_and_its_token() -> None:
    body = b'{"Code":"SignatureDoesNotMatch","Message":"No match. server string to sign is:POST&%2F&SecurityToken%3Dt"}'
    error = error_from_body(body, operation="Pub", http_status=400)
    assert error.message == "No match."
    assert "SecurityToken" not in f"{error} {error.answer}"


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
        (400, b"<html><body>x</body></html>", errors.BadAnswer),
        (400, b'{"message":"not ours"}', errors.BadAnswer),
        (400, b"[1]", errors.BadAnswer),
        (413, b"", errors.BadAnswer),
    ],
)
def test_an_answer_with_a_bad_status_is_read_in_any_form(
    status: int, body: bytes, cls: type[CloudError]
) -> None:
    error = error_from_body(body, operation="Pub", http_status=status)
    assert type(error) is cls
    assert error.http_status == status
