"""Packages: bringing a file to the store and making one of it, deleting; modules."""

from __future__ import annotations

import hashlib
import io
import threading
from types import SimpleNamespace

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.access.encryption import Undecryptable
from console.access.models import AuditRecord
from console.cloud import objects
from console.connections.models import Submission
from console.connections.submissions import submit_once
from console.ota import api
from tests.ota.conftest import exists

CONTENT = b"firmware " * 1000
FILE = {"name": "lamp.bin", "content": CONTENT}


def send(browser: Client, org, product_key: str, *, file=None, **fields):
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
    return browser.post(org.url("ota/packages/new/"), {**data, **fields})


def packages(org):
    return api.list_packages(org.gateway(), size=100).packages


def test_a_file_becomes_a_package_with_its_size_and_checksum(product, org, sign_in):
    answer = send(sign_in("release-engineer"), org, product)
    assert answer.status_code == 302
    (package,) = packages(org)
    assert answer["Location"].endswith(f"/ota/packages/{package.id}/")
    assert (package.name, package.version, package.product_key) == ("lamp-2", "2.0.0", product)
    assert package.size == len(CONTENT)
    assert package.sign == hashlib.md5(CONTENT).hexdigest()
    assert package.status == "-1"  # the box "verify" was not ticked


def test_a_package_to_be_verified_is_not_ready(product, org, sign_in):
    send(sign_in("release-engineer"), org, product, verify="on")
    (package,) = packages(org)
    assert package.verifiable
    assert not package.ready


def test_the_upload_and_the_creation_are_in_the_audit_trail(product, org, sign_in):
    send(sign_in("release-engineer"), org, product)
    records = AuditRecord.objects.filter(actor_label="release-engineer@acme.test").order_by("pk")
    assert [(record.operation, record.target, record.outcome) for record in records] == [
        ("GenerateOTAUploadURL", "lamp-2", "done"),
        ("CreateOTAFirmware", "lamp-2", "done"),
    ]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_makes_no_package(role, product, org, sign_in):
    assert send(sign_in(role), org, product).status_code == 403
    assert packages(org) == ()


def test_sent_twice_one_package_is_made_and_shown_both_times(product, org, sign_in):
    browser = sign_in("release-engineer")
    first, second = send(browser, org, product), send(browser, org, product)
    assert first["Location"] == second["Location"]
    assert len(packages(org)) == 1


def test_sent_again_while_the_first_is_under_way_nothing_more_is_made(product, org, sign_in):
    browser = sign_in("release-engineer")
    Submission.objects.create(
        connection=org.connection, user=org.members["release-engineer"], token="one-token"
    )
    answer = send(browser, org, product)
    assert answer.status_code == 302
    assert packages(org) == ()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_make_one_package(product, org, sign_in):
    browsers = [sign_in("release-engineer"), sign_in("release-engineer")]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda b=browser: answers.append(send(b, org, product).status_code))
        for browser in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [302, 302]
    assert len(packages(org)) == 1


@pytest.mark.parametrize("refusal", [PermissionDenied, Undecryptable])
def test_what_was_refused_before_it_was_sent_can_be_sent_again(refusal, org):
    asked = SimpleNamespace(connection=org.connection, membership=org.gateway("owner").membership)

    def refuse():
        raise refusal

    with pytest.raises(refusal):
        submit_once(asked, "one-token", refuse)
    assert submit_once(asked, "one-token", lambda: "made") == "made"


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
def test_a_file_that_the_platform_would_refuse_is_told_before_sending(file, product, org, sign_in, calls):
    answer = send(sign_in("release-engineer"), org, product, file=file)
    assert answer.status_code == 422
    assert answer.context["form"].errors["file"]
    assert "GenerateOTAUploadURL" not in calls


def test_a_file_that_is_too_large_is_told_at_the_field(product, org, sign_in, calls, monkeypatch):
    monkeypatch.setattr(api, "MAX_PACKAGE_BYTES", 10)
    answer = send(sign_in("release-engineer"), org, product)
    assert "at most 2,000 MB" in answer.context["form"].errors["file"][0]
    assert "GenerateOTAUploadURL" not in calls


@pytest.mark.parametrize(
    ("fields", "at"),
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
def test_a_field_out_of_its_limits_is_told_and_nothing_sent(fields, at, product, org, sign_in, calls):
    answer = send(sign_in("release-engineer"), org, product, **fields)
    assert answer.status_code == 422
    assert answer.context["form"].errors[at]
    assert "GenerateOTAUploadURL" not in calls


def test_a_name_in_use_is_told_at_the_name_and_the_form_can_be_sent_again(product, org, sign_in):
    browser = sign_in("release-engineer")
    send(browser, org, product)
    answer = send(browser, org, product, token="two", version="3.0.0")
    assert "already exists" in answer.context["form"].errors["name"][0]
    assert "brighter" in answer.content.decode()
    assert send(browser, org, product, token="two", version="3.0.0", name="lamp-3").status_code == 302
    assert len(packages(org)) == 2


def test_a_version_in_use_is_told_at_the_version(product, org, sign_in):
    send(sign_in("release-engineer"), org, product)
    answer = send(sign_in("release-engineer"), org, product, token="two", name="lamp-3")
    assert "this version" in answer.context["form"].errors["version"][0]


@pytest.mark.parametrize("operation", ["GenerateOTAUploadURL", "CreateOTAFirmware"])
def test_a_refusal_keeps_the_input_and_the_same_form_works_later(operation, product, emulator, org, sign_in):
    emulator.faults.add(operation, kind="error", code="Forbidden.RAM", status=403, times=1)
    answer = send(sign_in("release-engineer"), org, product)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Forbidden.RAM" in text
    assert "lamp-2" in text
    assert 'value="one-token"' in text
    assert send(sign_in("release-engineer"), org, product).status_code == 302


def test_after_a_lost_answer_the_same_sending_is_not_repeated(product, emulator, org, sign_in):
    browser = sign_in("release-engineer")
    emulator.faults.add("CreateOTAFirmware", kind="drop", times=1, after=True)
    answer = send(browser, org, product)
    assert answer.status_code == 422
    assert "one-token" not in answer.content.decode()
    assert len(packages(org)) == 1
    assert send(browser, org, product).status_code == 302
    assert len(packages(org)) == 1


def test_a_store_that_refuses_is_explained_and_no_package_is_made(
    product, emulator, clock, org, sign_in, monkeypatch
):
    sent = objects.put

    def late(form, file, **options):
        clock.advance(61)
        return sent(form, file, **options)

    monkeypatch.setattr(objects, "put", late)
    answer = send(sign_in("release-engineer"), org, product)
    assert answer.status_code == 422
    assert "PostObject" in answer.content.decode()
    assert packages(org) == ()


def test_the_choice_of_modules_follows_the_product(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    text = (
        sign_in("release-engineer").get(org.url(f"ota/modules/options/?product={product}")).content.decode()
    )
    assert '<option value="radio">' in text
    send(sign_in("release-engineer"), org, product, module="radio")
    (package,) = packages(org)
    assert package.module == "radio"


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_deleting_asks_for_the_name_and_is_refused_to_a_viewer(product, org, sign_in):
    send(sign_in("release-engineer"), org, product)
    (package,) = packages(org)
    url = org.url(f"ota/packages/{package.id}/delete/")
    assert sign_in("viewer").post(url, {"typed": "lamp-2"}).status_code == 403
    assert sign_in("release-engineer").post(url, {"typed": "lamp"}).status_code == 422
    assert exists(org.gateway(), package.id)
    assert sign_in("release-engineer").post(url, {"typed": "lamp-2"}).status_code == 302
    assert not exists(org.gateway(), package.id)
    assert sign_in("release-engineer").post(url, {"typed": "lamp-2"}).status_code == 404


# -- modules -----------------------------------------------------------------------------------------------------------


def modules(org, product):
    return {module.name: module for module in api.list_modules(org.gateway(), product)}


def test_a_module_is_made_changed_and_deleted(product, org, sign_in):
    browser = sign_in("release-engineer")
    browser.post(
        org.url(f"ota/modules/{product}/new/"), {"name": "radio", "alias": "", "description": "LoRa"}
    )
    assert modules(org, product)["radio"].description == "LoRa"
    browser.post(org.url(f"ota/modules/{product}/radio/edit/"), {"alias": "lora", "description": ""})
    assert (modules(org, product)["radio"].alias, modules(org, product)["radio"].description) == (
        "lora",
        "",
    )
    url = org.url(f"ota/modules/{product}/radio/delete/")
    assert browser.post(url, {"typed": "rad"}).status_code == 422
    assert browser.post(url, {"typed": "radio"}).status_code == 302
    assert set(modules(org, product)) == {"default"}
    assert browser.post(url, {"typed": "radio"}).status_code == 404


@pytest.mark.parametrize("name", ["", "default", "Default", "with space", "x" * 65])
def test_a_module_name_out_of_its_limits_is_told(name, product, org, sign_in, calls):
    answer = sign_in("release-engineer").post(org.url(f"ota/modules/{product}/new/"), {"name": name})
    assert answer.status_code == 422
    assert "CreateOTAModule" not in calls


def test_a_module_name_in_use_is_told_at_the_name(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    answer = sign_in("release-engineer").post(org.url(f"ota/modules/{product}/new/"), {"name": "RADIO"})
    assert "Choose another name" in answer.context["form"].errors["name"][0]


def test_a_module_with_packages_is_not_deleted_and_the_reason_told(product, org, sign_in):
    api.create_module(org.gateway(), product, "radio")
    send(sign_in("release-engineer"), org, product, module="radio")
    answer = sign_in("release-engineer").post(
        org.url(f"ota/modules/{product}/radio/delete/"), {"typed": "radio"}
    )
    assert answer.status_code == 422
    assert "iot.ota.DeleteOTAModulePackageExist" in answer.content.decode()


def test_the_default_module_can_neither_be_edited_nor_deleted(product, org, sign_in):
    for page in ("edit", "delete"):
        assert sign_in("owner").post(org.url(f"ota/modules/{product}/default/{page}/")).status_code == 404


# -- the store's client ------------------------------------------------------------------------------------------------


def test_the_file_is_read_in_pieces_and_hashed_on_the_way(product, emulator, org):
    import httpx

    largest = 0

    class Watched(io.BytesIO):
        def read(self, size=-1):
            nonlocal largest
            largest = max(largest, size)
            assert size > 0
            return super().read(size)

    data = org.gateway().call("GenerateOTAUploadURL", FileSuffix="bin")["Data"]
    content = bytes(range(256)) * 4096
    stored = objects.put(
        objects.UploadForm.of(data), Watched(content), transport=httpx.WSGITransport(app=emulator)
    )
    assert stored == objects.Stored(len(content), hashlib.md5(content).hexdigest())
    assert largest <= 1024 * 1024
