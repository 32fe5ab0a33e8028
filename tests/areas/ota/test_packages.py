"""Packages: upload and creation, deletion; modules."""

from __future__ import annotations

import hashlib
import io
import threading
from types import SimpleNamespace

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.accounts.encryption import Undecryptable
from console.areas.ota import api
from console.audit.models import AuditRecord
from console.connections.models import Submission
from console.connections.submissions import submit_once
from iot_client import object_storage
from tests.areas.ota.packages import package_exists

CONTENT = b"firmware " * 1000
FILE = {"name": "lamp.bin", "content": CONTENT}


def submit(browser: Client, org, product_key: str, *, file=None, address="ota/packages/new/", **fields):
    data = {
        "token": "one-token",
        "name": "lamp-2",
        "version": "2.0.0",
        "product": product_key,
        "module": "",
        "kind": "full",
        "source_version": "",
        "description": "brighter",
        "udi": "",
        "file": SimpleUploadedFile(**(file or FILE)),
    }
    return browser.post(org.url(address), {**data, **fields})


def list_packages(org):
    return api.list_packages(org.gateway(), size=100).packages


def test_a_file_becomes_a_package_with_its_size_and_checksum(product, org, sign_in):
    response = submit(sign_in("release-engineer"), org, product)
    assert response.status_code == 302
    (package,) = list_packages(org)
    assert response["Location"].endswith(f"/ota/packages/{package.id}/")
    assert (package.name, package.version, package.product_key) == ("lamp-2", "2.0.0", product)
    assert package.size == len(CONTENT)
    assert package.sign == hashlib.md5(CONTENT).hexdigest()
    assert package.status == "-1"  # the box "verify" was not ticked


def test_a_package_that_requires_verification_is_not_ready(product, org, sign_in):
    submit(sign_in("release-engineer"), org, product, verify="on")
    (package,) = list_packages(org)
    assert package.is_verifiable
    assert not package.is_ready


def test_the_upload_and_the_creation_are_in_the_audit_trail(product, org, sign_in):
    submit(sign_in("release-engineer"), org, product)
    records = AuditRecord.objects.filter(actor_label="release-engineer@acme.test").order_by("pk")
    assert [(record.operation, record.target, record.outcome) for record in records] == [
        ("GenerateOTAUploadURL", "lamp-2", "done"),
        ("CreateOTAFirmware", "lamp-2", "done"),
    ]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_role_without_the_right_cannot_create_a_package(role, product, org, sign_in):
    assert submit(sign_in(role), org, product).status_code == 403
    assert list_packages(org) == ()


def test_a_form_submitted_twice_creates_one_package_and_shows_it_both_times(product, org, sign_in):
    browser = sign_in("release-engineer")
    first, second = submit(browser, org, product), submit(browser, org, product)
    assert first["Location"] == second["Location"]
    assert len(list_packages(org)) == 1


@pytest.mark.parametrize("token", ["\x00", "\u202e" * 5000])
def test_any_text_can_be_the_token_of_a_form(token, product, org, sign_in):
    browser = sign_in("release-engineer")
    first, second = submit(browser, org, product, token=token), submit(browser, org, product, token=token)
    assert first["Location"] == second["Location"]
    assert len(list_packages(org)) == 1


def test_a_form_submitted_again_during_the_first_request_creates_nothing(product, org, sign_in):
    browser = sign_in("release-engineer")
    Submission.objects.create(
        connection=org.connection, user=org.members["release-engineer"], token="one-token"
    )
    response = submit(browser, org, product)
    assert response.status_code == 302
    assert list_packages(org) == ()


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_submissions_create_one_package(product, org, sign_in):
    browsers = [sign_in("release-engineer"), sign_in("release-engineer")]
    responses: list[int] = []
    threads = [
        threading.Thread(target=lambda b=browser: responses.append(submit(b, org, product).status_code))
        for browser in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert responses == [302, 302]
    assert len(list_packages(org)) == 1


@pytest.mark.parametrize("refusal", [PermissionDenied, Undecryptable])
def test_an_operation_refused_before_sending_can_be_repeated_with_its_token(refusal, org):
    request = SimpleNamespace(connection=org.connection, membership=org.gateway("owner").membership)

    def refuse():
        raise refusal

    with pytest.raises(refusal):
        submit_once(request, "one-token", refuse)
    assert submit_once(request, "one-token", lambda: "result") == "result"


@pytest.mark.parametrize(
    "file",
    [
        {"name": "lamp.exe", "content": b"MZ"},
        {"name": "lamp", "content": b"x"},
        {"name": "lamp.bin", "content": b""},
        {"name": "lamp.zip", "content": b"not a zip"},
        {"name": "lamp.tar.gz", "content": b"not gzip"},
    ],
)
def test_an_invalid_file_is_reported_before_anything_is_sent(file, product, org, sign_in, calls):
    response = submit(sign_in("release-engineer"), org, product, file=file)
    assert response.status_code == 422
    assert response.context["form"].errors["file"]
    assert "GenerateOTAUploadURL" not in calls


def test_a_file_that_is_too_large_is_reported_at_the_field(product, org, sign_in, calls, monkeypatch):
    monkeypatch.setattr(api, "MAX_PACKAGE_BYTES", 10)
    response = submit(sign_in("release-engineer"), org, product)
    assert "The limit is 2,000 MB" in response.context["form"].errors["file"][0]
    assert "GenerateOTAUploadURL" not in calls


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "-starts-wrong"}, "name"),
        ({"name": "x" * 41}, "name"),
        ({"version": "2.0 beta"}, "version"),
        ({"version": "x" * 65}, "version"),
        ({"product": ""}, "product"),
        ({"product": "a1elsewhere"}, "product"),
        ({"kind": "delta"}, "source_version"),
        ({"kind": "delta", "source_version": "2.0.0"}, "source_version"),
        ({"description": "x" * 101}, "description"),
        ({"udi": "x" * 4097}, "udi"),
    ],
)
def test_an_invalid_field_is_reported_and_nothing_is_sent(changes, field, product, org, sign_in, calls):
    response = submit(sign_in("release-engineer"), org, product, **changes)
    assert response.status_code == 422
    assert response.context["form"].errors[field]
    assert "GenerateOTAUploadURL" not in calls


@pytest.mark.parametrize(("name", "status"), [("lamp-2", 204), ("lamp 2!", 422)])
def test_the_form_is_checked_without_sending_the_file(name, status, product, org, sign_in, calls):
    response = submit(
        sign_in("release-engineer"), org, product, name=name, address="ota/packages/new/?check=1"
    )
    assert response.status_code == status
    assert {"GenerateOTAUploadURL", "CreateOTAFirmware"}.isdisjoint(calls)
    if status == 422:
        assert "letters, digits, hyphens" in response.content.decode()


def test_a_name_in_use_is_reported_at_the_name_field_and_the_form_can_be_submitted_again(
    product, org, sign_in
):
    browser = sign_in("release-engineer")
    submit(browser, org, product)
    response = submit(browser, org, product, token="two", version="3.0.0")
    assert "already exists" in response.context["form"].errors["name"][0]
    assert "brighter" in response.content.decode()
    assert submit(browser, org, product, token="two", version="3.0.0", name="lamp-3").status_code == 302
    assert len(list_packages(org)) == 2


def test_a_version_in_use_is_reported_at_the_version_field(product, org, sign_in):
    submit(sign_in("release-engineer"), org, product)
    response = submit(sign_in("release-engineer"), org, product, token="two", name="lamp-3")
    assert "this version" in response.context["form"].errors["version"][0]


@pytest.mark.parametrize("operation", ["GenerateOTAUploadURL", "CreateOTAFirmware"])
def test_a_refusal_keeps_the_input_and_the_same_form_works_later(operation, product, emulator, org, sign_in):
    emulator.faults.add(operation, kind="error", code="Forbidden.RAM", status=403, times=1)
    response = submit(sign_in("release-engineer"), org, product)
    text = response.content.decode()
    assert response.status_code == 422
    assert "Forbidden.RAM" in text
    assert "lamp-2" in text
    assert 'value="one-token"' in text
    assert submit(sign_in("release-engineer"), org, product).status_code == 302


def test_after_a_lost_response_the_same_form_does_not_create_a_second_package(
    product, emulator, org, sign_in
):
    browser = sign_in("release-engineer")
    emulator.faults.add("CreateOTAFirmware", kind="drop", times=1, after=True)
    response = submit(browser, org, product)
    assert response.status_code == 422
    assert "one-token" not in response.content.decode()
    assert len(list_packages(org)) == 1
    assert submit(browser, org, product).status_code == 302
    assert len(list_packages(org)) == 1


def test_a_refused_upload_is_explained_and_no_package_is_created(
    product, emulator, clock, org, sign_in, monkeypatch
):
    put = object_storage.upload_file

    def put_late(form, file, **options):
        clock.advance(61)
        return put(form, file, **options)

    monkeypatch.setattr(object_storage, "upload_file", put_late)
    response = submit(sign_in("release-engineer"), org, product)
    assert response.status_code == 422
    assert "PostObject" in response.content.decode()
    assert list_packages(org) == ()


def test_the_module_choices_are_those_of_the_product(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    text = (
        sign_in("release-engineer").get(org.url(f"ota/modules/options/?product={product}")).content.decode()
    )
    assert '<option value="radio">' in text
    submit(sign_in("release-engineer"), org, product, module="radio")
    (package,) = list_packages(org)
    assert package.module == "radio"


# -- deletion ----------------------------------------------------------------------------------------------------------


def test_deletion_asks_for_the_name_and_is_refused_for_a_viewer(product, org, sign_in):
    submit(sign_in("release-engineer"), org, product)
    (package,) = list_packages(org)
    url = org.url(f"ota/packages/{package.id}/delete/")
    assert sign_in("viewer").post(url, {"typed": "lamp-2"}).status_code == 403
    assert sign_in("release-engineer").post(url, {"typed": "lamp"}).status_code == 422
    assert package_exists(org.gateway(), package.id)
    assert sign_in("release-engineer").post(url, {"typed": "lamp-2"}).status_code == 302
    assert not package_exists(org.gateway(), package.id)
    again = sign_in("release-engineer").post(url, {"typed": "lamp-2"}, follow=True)
    assert again.redirect_chain[-1][0] == org.url("ota/packages/")
    assert "The package no longer exists." in again.content.decode()


# -- modules -----------------------------------------------------------------------------------------------------------


def read_modules(org, product):
    return {module.name: module for module in api.list_modules(org.gateway(), product)}


def test_a_module_is_created_edited_and_deleted(product, org, sign_in):
    browser = sign_in("release-engineer")
    browser.post(
        org.url(f"ota/modules/{product}/new/"), {"name": "radio", "alias": "", "description": "LoRa"}
    )
    assert read_modules(org, product)["radio"].description == "LoRa"
    browser.post(org.url(f"ota/modules/{product}/radio/edit/"), {"alias": "lora", "description": ""})
    assert (read_modules(org, product)["radio"].alias, read_modules(org, product)["radio"].description) == (
        "lora",
        "",
    )
    url = org.url(f"ota/modules/{product}/radio/delete/")
    assert browser.post(url, {"typed": "rad"}).status_code == 422
    assert browser.post(url, {"typed": "radio"}).status_code == 302
    assert set(read_modules(org, product)) == {"default"}


def test_a_second_deletion_of_a_module_leads_to_the_list_and_says_so(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    browser, url = sign_in("release-engineer"), org.url(f"ota/modules/{product}/radio/delete/")
    browser.post(url, {"typed": "radio"})
    again = browser.post(url, {"typed": "radio"}, follow=True)
    assert again.redirect_chain[-1][0] == org.url("ota/modules/")
    assert "The module no longer exists." in again.content.decode()


def test_the_form_of_a_module_that_does_not_exist_is_not_found_and_says_why(product, org, sign_in):
    response = sign_in("release-engineer").get(org.url(f"ota/modules/{product}/radio/edit/"))
    assert response.status_code == 404
    assert "iot.ota.OTAModuleNotExist" in response.content.decode()


@pytest.mark.parametrize("name", ["", "default", "Default", "with space", "x" * 65])
def test_an_invalid_module_name_is_refused(name, product, org, sign_in, calls):
    response = sign_in("release-engineer").post(org.url(f"ota/modules/{product}/new/"), {"name": name})
    assert response.status_code == 422
    assert "CreateOTAModule" not in calls


def test_a_module_name_in_use_is_reported_at_the_name_field(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    response = sign_in("release-engineer").post(org.url(f"ota/modules/{product}/new/"), {"name": "RADIO"})
    assert "Enter another name" in response.context["form"].errors["name"][0]


def test_a_module_with_packages_is_not_deleted_and_the_reason_is_shown(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    submit(sign_in("release-engineer"), org, product, module="radio")
    response = sign_in("release-engineer").post(
        org.url(f"ota/modules/{product}/radio/delete/"), {"typed": "radio"}
    )
    assert response.status_code == 422
    assert "iot.ota.DeleteOTAModulePackageExist" in response.content.decode()


def test_the_default_module_can_neither_be_edited_nor_deleted(product, org, sign_in):
    for page in ("edit", "delete"):
        assert sign_in("owner").post(org.url(f"ota/modules/{product}/default/{page}/")).status_code == 404


# -- the client of the store -------------------------------------------------------------------------------------------


def test_the_file_is_read_and_hashed_in_chunks(product, emulator, org):
    import httpx

    largest = 0

    class RecordingFile(io.BytesIO):
        def read(self, size=-1):
            nonlocal largest
            largest = max(largest, size)
            assert size > 0
            return super().read(size)

    data = org.gateway().call("GenerateOTAUploadURL", FileSuffix="bin")["Data"]
    content = bytes(range(256)) * 4096
    stored = object_storage.upload_file(
        object_storage.UploadForm.from_response(data),
        RecordingFile(content),
        transport=httpx.WSGITransport(app=emulator),
    )
    assert stored == object_storage.StoredFile(len(content), hashlib.md5(content).hexdigest())
    assert largest <= 1024 * 1024
