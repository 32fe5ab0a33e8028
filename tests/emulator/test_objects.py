"""The object store: what an upload form must carry, what is refused, and downloading by signed address."""

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

from console.cloud import objects as store
from console.cloud.errors import AccessDenied, LimitExceeded
from console.emulator import objects
from tests.emulator.ota_world import World


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


def fields(form: dict, **changes: str) -> dict[str, str]:
    given = {
        "key": form["Key"],
        "policy": form["Policy"],
        "OSSAccessKeyId": form.get("OSSAccessKeyId") or form["AccessKeyId"],
        "signature": form["Signature"],
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def post(world: World, form: dict, data: bytes = b"x", **changes: str) -> httpx.Response:
    return world.http.post(form["Host"], data=fields(form, **changes), files={"file": ("f.bin", data)})


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/xml"
    return answer.text.split("<Code>")[1].split("</Code>")[0]


def stored(world: World, key: str) -> objects.StoredObject | None:
    with world.emulator.store.read() as db:
        return objects.find(db, key)


def leftovers(world: World) -> list:
    return list(objects.of(world.emulator).directory.glob(".*.part"))


def test_an_upload_is_stored_and_can_be_downloaded_by_its_signed_address(world):
    data = os.urandom(700_001)
    form = world.call("GenerateOTAUploadURL", FileSuffix="tar.gz")["Data"]
    assert form["Key"].endswith(".tar.gz")
    assert form["FirmwareUrl"] == f"{form['Host']}/{form['Key']}"
    assert post(world, form, data).status_code == 204
    found = stored(world, form["Key"])
    assert found is not None
    assert found.size == len(data)
    with world.emulator.store.read() as db:
        address = objects.signed_url(db, "http://emulator.test", form["Key"], world.clock.now(), seconds=60)
    answer = world.http.get(address)
    assert answer.content == data
    world.clock.advance(61)
    assert code(world.http.get(address)) == "AccessDenied"


def test_the_status_that_the_form_asks_for_is_answered(world):
    form = world.call("GenerateOTAUploadURL")["Data"]
    assert post(world, form, success_action_status="200").status_code == 200


def test_the_policy_names_the_key_a_size_and_a_minute(world):
    form = world.call("GenerateOTAUploadURL")["Data"]
    policy = json.loads(base64.b64decode(form["Policy"]))
    assert ["eq", "$key", form["Key"]] in policy["conditions"]
    assert ["content-length-range", 0, 2_000 * 1024 * 1024] in policy["conditions"]
    world.clock.advance(59)
    assert post(world, form).status_code == 204
    world.clock.advance(2)
    assert code(post(world, form)) == "AccessDenied"


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
def test_a_form_that_is_not_as_signed_is_refused_and_leaves_nothing(world, change, refusal):
    form = world.call("GenerateOTAUploadURL")["Data"]
    answer = post(world, form, **change)
    assert answer.status_code == 403
    assert code(answer) == refusal
    assert stored(world, form["Key"]) is None
    assert leftovers(world) == []


def test_a_policy_of_ones_own_is_refused(world):
    form = world.call("GenerateOTAUploadURL")["Data"]
    policy = base64.b64encode(b'{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').decode()
    assert code(post(world, form, policy=policy)) == "SignatureDoesNotMatch"


def test_a_device_list_over_five_megabytes_is_refused(world):
    form = world.call("GenerateDeviceNameListURL")["Data"]
    answer = post(world, form, b"n" * (5 * 1024 * 1024 + 1))
    assert answer.status_code == 400
    assert code(answer) == "EntityTooLarge"
    assert stored(world, form["Key"]) is None
    assert leftovers(world) == []
    assert post(world, form, b"n" * 5 * 1024 * 1024).status_code == 204


def test_a_form_without_a_file_or_cut_short_is_refused(world):
    form = world.call("GenerateOTAUploadURL")["Data"]
    answer = world.http.post(
        form["Host"], files={name: (None, value) for name, value in fields(form).items()}
    )
    assert code(answer) == "IncorrectNumberOfFilesInPostRequest"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert (
        code(world.http.post(form["Host"], content=b"--b\r\nContent-Dis", headers=kind))
        == "MalformedPOSTRequest"
    )
    assert code(world.http.post(form["Host"], data={"a": "b"})) == "PreconditionFailed"
    half = world.http.build_request(
        "POST", form["Host"], data=fields(form), files={"file": ("f", b"y" * 9000)}
    )
    body = half.read()[:5000]
    answer = world.http.post(
        form["Host"], content=body, headers={"content-type": half.headers["content-type"]}
    )
    assert code(answer) == "MalformedPOSTRequest"
    assert leftovers(world) == []


def test_a_file_part_without_a_file_name_is_taken_as_the_file(world):
    form = world.call("GenerateOTAUploadURL")["Data"]
    parts = {name: (None, value) for name, value in fields(form).items()}
    assert world.http.post(form["Host"], files={**parts, "file": (None, b"bytes")}).status_code == 204
    found = stored(world, form["Key"])
    assert found is not None
    assert found.size == 5


def test_downloads_need_a_signed_address(world):
    form = world.upload()
    assert code(world.http.get(form["FirmwareUrl"])) == "AccessDenied"
    assert code(world.http.get(form["FirmwareUrl"] + "?Expires=9999999999&OSSAccessKeyId=x&Signature=y")) == (
        "InvalidAccessKeyId"
    )
    with world.emulator.store.read() as db:
        missing = objects.signed_url(db, "http://emulator.test", "ota/none.bin", world.clock.now())
    answer = world.http.get(missing)
    assert answer.status_code == 404
    assert code(answer) == "NoSuchKey"
    assert world.http.delete(form["FirmwareUrl"]).status_code == 405


def test_no_key_leads_out_of_the_store(world):
    files = objects.of(world.emulator)
    for key in ("../../etc/passwd", "/etc/passwd", "a/../../b"):
        assert files.directory in files.path(key).resolve().parents


def test_unused_uploads_are_swept_after_a_day(world, emulator):
    product = world.product()
    old = world.upload(b"never used")
    world.clock.advance(25 * 3600)
    world.package(product)
    assert stored(world, old["Key"]) is None
    assert not objects.of(emulator).path(old["Key"]).exists()


def test_a_reset_forgets_the_files_too(world, emulator):
    form = world.upload(b"gone")
    emulator.reset()
    assert stored(world, form["Key"]) is None
    assert not objects.of(emulator).path(form["Key"]).exists()


def test_a_large_upload_over_a_socket_takes_flat_memory_and_a_refusal_reaches_the_client(world, tmp_path):
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: object) -> None: ...

    server = make_server("127.0.0.1", 0, world.emulator, handler_class=Quiet)
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
        form = {**world.call("GenerateOTAUploadURL")["Data"], "Host": address}
        with path.open("rb") as file:
            assert store.put(store.UploadForm.of(form), file).size == 100 * 1024 * 1024
        form = {**world.call("GenerateDeviceNameListURL")["Data"], "Host": address}
        with path.open("rb") as file, pytest.raises(LimitExceeded):
            store.put(store.UploadForm.of(form), file)
        world.clock.advance(120)
        with path.open("rb") as file, pytest.raises(AccessDenied):
            store.put(store.UploadForm.of(form), file)
    finally:
        done.set()
        watcher.join()
        server.shutdown()
        server.server_close()
    assert peak[0] - before < 40 * 1024 * 1024
