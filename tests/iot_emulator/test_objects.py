"""The object store: form uploads, their checks, and downloads by signed URL."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import psutil
import pytest

from iot_client import object_storage as store
from iot_client.errors import AccessDenied, LimitExceeded
from iot_emulator import objects
from tests.iot_emulator.update_setup import UpdateSetup


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


def form_fields(form: dict, **changes: str) -> dict[str, str]:
    values = {
        "key": form["Key"],
        "policy": form["Policy"],
        "OSSAccessKeyId": form.get("OSSAccessKeyId") or form["AccessKeyId"],
        "signature": form["Signature"],
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def post(ota: UpdateSetup, form: dict, data: bytes = b"x", **changes: str) -> httpx.Response:
    return ota.http_client.post(
        form["Host"], data=form_fields(form, **changes), files={"file": ("f.bin", data)}
    )


def error_code(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/xml"
    return response.text.split("<Code>")[1].split("</Code>")[0]


def find_stored(ota: UpdateSetup, key: str) -> objects.StoredObject | None:
    with ota.emulator.store.read() as db:
        return objects.find_object(db, key)


def partial_files(ota: UpdateSetup) -> list:
    return list(objects.open_store(ota.emulator).directory.glob(".*.part"))


def test_an_upload_is_stored_and_can_be_downloaded_by_its_signed_url(ota):
    data = os.urandom(700_001)
    form = ota.call("GenerateOTAUploadURL", FileSuffix="tar.gz")["Data"]
    assert form["Key"].endswith(".tar.gz")
    assert form["FirmwareUrl"] == f"{form['Host']}/{form['Key']}"
    assert post(ota, form, data).status_code == 204
    stored_object = find_stored(ota, form["Key"])
    assert stored_object is not None
    assert stored_object.size == len(data)
    with ota.emulator.store.read() as db:
        address = objects.sign_url(db, "http://emulator.test", form["Key"], ota.clock.now(), seconds=60)
    response = ota.http_client.get(address)
    assert response.content == data
    ota.clock.advance(61)
    assert error_code(ota.http_client.get(address)) == "AccessDenied"


def test_the_response_has_the_status_that_the_form_requests(ota):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    assert post(ota, form, success_action_status="200").status_code == 200


def test_the_policy_limits_key_size_and_time(ota):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    policy = json.loads(base64.b64decode(form["Policy"]))
    assert ["eq", "$key", form["Key"]] in policy["conditions"]
    assert ["content-length-range", 0, 2_000 * 1024 * 1024] in policy["conditions"]
    ota.clock.advance(59)
    assert post(ota, form).status_code == 204
    ota.clock.advance(2)
    assert error_code(post(ota, form)) == "AccessDenied"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"signature": "AAAA"}, "SignatureDoesNotMatch"),
        ({"key": "ota/elsewhere.bin"}, "AccessDenied"),
        ({"OSSAccessKeyId": "somebody"}, "InvalidAccessKeyId"),
        ({"policy": None}, "AccessDenied"),
        ({"signature": None}, "AccessDenied"),
        ({"key": None}, "AccessDenied"),
    ],
)
def test_a_changed_form_is_refused_and_nothing_is_stored(ota, change, refusal):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    response = post(ota, form, **change)
    assert response.status_code == 403
    assert error_code(response) == refusal
    assert find_stored(ota, form["Key"]) is None
    assert partial_files(ota) == []


def post_twice(ota: UpdateSetup, form: dict, name: str, value: str, *, after_file: bool) -> httpx.Response:
    """Upload with a form that has the field `name` a second time, before or after the file."""
    parts = [(field, (None, text)) for field, text in form_fields(form).items()]
    parts += [("success_action_status", (None, "200")), ("x-unknown", (None, "x"))]
    second, file = (name, (None, value)), ("file", ("f.bin", b"x"))
    order = [file, second] if after_file else [second, file]
    return ota.http_client.post(form["Host"], files=[*parts, *order])


@pytest.mark.parametrize("name", ["key", "KEY", "policy", "success_action_status", "x-unknown"])
def test_a_form_with_a_field_twice_is_refused(ota, name):
    other = ota.upload_file(b"somebody's firmware")
    form = ota.call("GenerateOTAUploadURL")["Data"]
    response = post_twice(ota, form, name, other["Key"], after_file=False)
    assert error_code(response) == "MalformedPOSTRequest"
    assert find_stored(ota, form["Key"]) is None
    assert find_stored(ota, other["Key"]).size == len(b"somebody's firmware")
    assert partial_files(ota) == []


@pytest.mark.parametrize("name", ["key", "KEY", "policy", "success_action_status", "submit"])
def test_a_field_after_the_file_has_no_effect(ota, name):
    other = ota.upload_file(b"somebody's firmware")
    form = ota.call("GenerateOTAUploadURL")["Data"]
    assert post_twice(ota, form, name, other["Key"], after_file=True).status_code == 200
    assert find_stored(ota, form["Key"]).size == 1
    assert find_stored(ota, other["Key"]).size == len(b"somebody's firmware")


def test_an_unsigned_policy_is_refused(ota):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    policy = base64.b64encode(b'{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').decode()
    assert error_code(post(ota, form, policy=policy)) == "SignatureDoesNotMatch"


def test_a_device_list_over_five_megabytes_is_refused(ota):
    form = ota.call("GenerateDeviceNameListURL")["Data"]
    response = post(ota, form, b"n" * (5 * 1024 * 1024 + 1))
    assert response.status_code == 400
    assert error_code(response) == "EntityTooLarge"
    assert find_stored(ota, form["Key"]) is None
    assert partial_files(ota) == []
    assert post(ota, form, b"n" * 5 * 1024 * 1024).status_code == 204


def test_a_form_without_a_file_or_an_incomplete_form_is_refused(ota):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    response = ota.http_client.post(
        form["Host"], files={name: (None, value) for name, value in form_fields(form).items()}
    )
    assert error_code(response) == "IncorrectNumberOfFilesInPostRequest"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert (
        error_code(ota.http_client.post(form["Host"], content=b"--b\r\nContent-Dis", headers=kind))
        == "MalformedPOSTRequest"
    )
    assert error_code(ota.http_client.post(form["Host"], data={"a": "b"})) == "PreconditionFailed"
    half = ota.http_client.build_request(
        "POST", form["Host"], data=form_fields(form), files={"file": ("f", b"y" * 9000)}
    )
    body = half.read()[:5000]
    response = ota.http_client.post(
        form["Host"], content=body, headers={"content-type": half.headers["content-type"]}
    )
    assert error_code(response) == "MalformedPOSTRequest"
    assert partial_files(ota) == []


def test_a_file_part_without_a_file_name_is_accepted(ota):
    form = ota.call("GenerateOTAUploadURL")["Data"]
    parts = {name: (None, value) for name, value in form_fields(form).items()}
    assert ota.http_client.post(form["Host"], files={**parts, "file": (None, b"bytes")}).status_code == 204
    stored_object = find_stored(ota, form["Key"])
    assert stored_object is not None
    assert stored_object.size == 5


def test_downloads_need_a_signed_url(ota):
    form = ota.upload_file()
    assert error_code(ota.http_client.get(form["FirmwareUrl"])) == "AccessDenied"
    assert error_code(
        ota.http_client.get(form["FirmwareUrl"] + "?Expires=9999999999&OSSAccessKeyId=x&Signature=y")
    ) == ("InvalidAccessKeyId")
    with ota.emulator.store.read() as db:
        missing = objects.sign_url(db, "http://emulator.test", "ota/none.bin", ota.clock.now())
    response = ota.http_client.get(missing)
    assert response.status_code == 404
    assert error_code(response) == "NoSuchKey"
    assert ota.http_client.delete(form["FirmwareUrl"]).status_code == 405


def test_no_key_leads_out_of_the_directory(ota):
    files = objects.open_store(ota.emulator)
    for key in ("../../etc/passwd", "/etc/passwd", "a/../../b"):
        assert files.directory in files.path(key).resolve().parents


def test_unused_uploads_are_deleted_after_a_day(ota, emulator):
    product = ota.create_product()
    old = ota.upload_file(b"never used")
    ota.clock.advance(25 * 3600)
    ota.create_package(product)
    assert find_stored(ota, old["Key"]) is None
    assert not objects.open_store(emulator).path(old["Key"]).exists()


def test_a_reset_also_deletes_the_files(ota, emulator):
    form = ota.upload_file(b"gone")
    emulator.reset()
    assert find_stored(ota, form["Key"]) is None
    assert not objects.open_store(emulator).path(form["Key"]).exists()


def test_a_large_upload_needs_little_memory_and_an_error_reaches_the_client(ota, tmp_path):
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: object) -> None: ...

    server = make_server("127.0.0.1", 0, ota.emulator, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    peak = [0]
    done = threading.Event()
    process = psutil.Process()
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(1024) * 1024)
    before = process.memory_info().rss

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/oss"
        form = {**ota.call("GenerateOTAUploadURL")["Data"], "Host": address}
        with path.open("rb") as file:
            assert store.upload_file(store.UploadForm.from_response(form), file).size == 100 * 1024 * 1024
        form = {**ota.call("GenerateDeviceNameListURL")["Data"], "Host": address}
        with path.open("rb") as file, pytest.raises(LimitExceeded):
            store.upload_file(store.UploadForm.from_response(form), file)
        ota.clock.advance(120)
        with path.open("rb") as file, pytest.raises(AccessDenied):
            store.upload_file(store.UploadForm.from_response(form), file)
    finally:
        done.set()
        watcher.join()
        server.shutdown()
        server.server_close()
    assert peak[0] - before < 40 * 1024 * 1024
