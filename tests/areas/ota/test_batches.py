"""Batches: validation, review, creation, monitoring, cancellation, confirmation."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from openpyxl import Workbook

from console.areas.groups import api as groups_api
from console.areas.ota import api, batch_tasks, batches
from console.areas.ota.views import create
from console.connections.submissions import is_outcome_unknown
from console.jobs.models import Job
from iot_client.errors import BadResponse
from tests.areas.ota.packages import create_package


@pytest.fixture
def package(product, org):
    """A package for the five lamps that needs no verification."""
    return create_package(org, product)


def build_fields(**changes):
    return {
        "token": "one-token",
        "target": "ALL",
        "source_versions": "",
        "percent": "",
        "names": "",
        "group": "",
        "start": "",
        "finish": "",
        "rate": "",
        "retry_count": "",
        "retry_interval": "10",
        "timeout": "",
        "need_push": "on",
        "protocol": "HTTPS",
        "tags": "",
        **changes,
    }


def post(browser, org, package, step, **changes):
    """Submit the form (`step` "summary"), which leads to the review, or the review ("send")."""
    return browser.post(
        org.url(f"ota/packages/{package.id}/batch/"),
        {**build_fields(**changes), "step": step},
        follow=step == "summary",
    )


def list_batches(org, package):
    return api.list_batches(org.gateway(), package.id).batches


def read_hidden_fields(response):
    """Return the hidden fields of the review, as a browser would submit them."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', response.content.decode())
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def test_the_review_shows_the_number_of_devices_and_sends_nothing(lamps, package, org, sign_in, calls):
    calls.clear()
    response = post(sign_in("release-engineer"), org, package, "summary")
    assert response.status_code == 200
    assert response.context["size"].count == 5
    assert list_batches(org, package) == ()
    assert len(calls) <= 6  # 2 for the form, 3 for its review; the last is this test's own


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"target": "GRAY", "percent": "50"}, 2),
        ({"target": "GRAY", "percent": "0.1"}, 1),
        ({"target": "GRAY", "percent": "50 %"}, 2),
        ({"target": "SPECIFIC", "names": "lamp-1, lamp-2\nlamp-2"}, 2),
    ],
)
def test_the_review_shows_the_number_of_target_devices(changes, count, lamps, package, org, sign_in):
    assert (
        post(sign_in("release-engineer"), org, package, "summary", **changes).context["size"].count == count
    )


def test_a_new_form_selects_one_percent_of_the_devices_and_not_the_product(package, org, sign_in):
    form = sign_in("release-engineer").get(org.url(f"ota/packages/{package.id}/batch/")).context["form"]
    assert (form["target"].value(), form["percent"].value()) == ("GRAY", "1")


def test_the_button_of_the_review_says_how_many_devices_are_updated(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    text = post(browser, org, package, "summary").content.decode()
    assert "Update 5 devices" in text
    assert "devices at most: all devices of" in text
    text = post(browser, org, package, "summary", target="SPECIFIC", names="lamp-1").content.decode()
    assert "Update 1 device\n" in text
    assert "at most" not in text


def test_a_review_without_devices_cannot_be_sent(lamps, package, org, sign_in):
    group = groups_api.create_group(org.gateway(), name="Hall_1")
    text = post(
        sign_in("release-engineer"), org, package, "summary", target="GROUP", group=group.id
    ).content.decode()
    assert "No devices match this target." in text
    assert 'value="send"' not in text


def register_lamps(org, product, last):
    """Register lamp-6 and so on."""
    for number in range(6, last + 1):
        org.gateway().call("RegisterDevice", ProductKey=product, DeviceName=f"lamp-{number}")


def test_from_a_hundred_devices_on_the_name_of_the_package_is_typed(lamps, package, org, sign_in, calls):
    register_lamps(org, lamps, 100)
    browser = sign_in("release-engineer")
    names = [f"lamp-{number}" for number in range(1, 101)]
    few, many = (
        {"target": "SPECIFIC", "names": " ".join(names[1:])},
        {"target": "SPECIFIC", "names": " ".join(names)},
    )
    assert post(browser, org, package, "summary", **few).context["confirmation"] is None
    review = post(browser, org, package, "summary", **many)
    assert "Update 100 devices" in review.content.decode()
    assert "data-expected" in review.content.decode()
    for typed in ("", "lamp"):
        refused = post(browser, org, package, "send", typed=typed, **many)
        assert refused.status_code == 422
        assert "Update 100 devices" in refused.content.decode()
    assert "CreateOTAStaticUpgradeJob" not in calls
    post(browser, org, package, "send", typed="lamp-2", **many)
    assert calls.count("CreateOTAStaticUpgradeJob") == 1


def test_the_values_of_the_review_create_the_batch(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    review = post(
        browser, org, package, "summary", target="GRAY", percent="50", source_versions="1.0.0", rate="100",
        retry_count="2", retry_interval="30", timeout="60", need_confirm="on", tags="stage=1",
    )  # fmt: skip
    response = browser.post(
        org.url(f"ota/packages/{package.id}/batch/"), {**read_hidden_fields(review), "step": "send"}
    )
    assert response.status_code == 302
    (batch,) = list_batches(org, package)
    assert response["Location"].endswith(f"/ota/batches/{batch.id}/")
    detail = api.get_batch(org.gateway(), batch.id)
    assert (detail.gray_percent, detail.source_versions, detail.rate) == ("50", ("1.0.0",), 100)
    assert (detail.retry_count, detail.retry_interval, detail.timeout) == (2, 30, 60)
    assert (detail.need_confirm, detail.need_push, detail.tags) == (True, True, (("stage", "1"),))


def read_jobs(org, sign_in):
    return sign_in("viewer").get(org.url("jobs/")).content.decode()


def test_a_new_batch_is_monitored(lamps, package, org, sign_in):
    post(sign_in("release-engineer"), org, package, "send")
    (batch,) = list_batches(org, package)
    job = Job.objects.get(kind="ota.monitor")
    assert (job.subject, job.connection) == (batch.id, org.connection)
    assert f"Monitoring a batch of {package.name} {package.version}" in read_jobs(org, sign_in)


@pytest.mark.parametrize("kind", ["static", "dynamic", "verification"])
def test_the_function_that_creates_a_batch_starts_its_monitoring(kind, lamps, product, org):
    package = create_package(org, product, verify=kind == "verification")
    gateway = org.gateway("release-engineer")
    if kind == "static":
        batch = batches.create_static_batch(gateway, package, api.BatchTarget("ALL"), api.Strategy())
    elif kind == "dynamic":
        batch = batches.create_dynamic_batch(
            gateway, package, ["1.0.0"], api.Strategy(), new_devices_only=False
        )
    else:
        batch = batches.create_verification_batch(gateway, package, ["lamp-1"], timeout=60)
    job = Job.objects.get(kind="ota.monitor")
    assert (job.pk, job.subject, job.params["product_key"]) == (batch.monitoring_job, batch.id, product)
    assert job.started_by == org.members["release-engineer"]


def test_a_response_without_a_batch_id_leaves_the_outcome_unknown(org):
    with pytest.raises(BadResponse) as raised:
        batches.monitor_new_batch(org.gateway(), api.CREATE_STATIC, {"Data": {}}, product_key="k1")
    assert is_outcome_unknown(raised.value)
    assert not Job.objects.exists()


def test_a_form_submitted_twice_creates_one_batch_and_shows_it_both_times(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    first, second = (post(browser, org, package, "send") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert len(list_batches(org, package)) == 1


def test_a_review_can_be_loaded_again(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    file = SimpleUploadedFile("names.txt", b"lamp-1\nlamp-3\n")
    review = post(browser, org, package, "summary", target="SPECIFIC", names="lamp-2", list_file=file)
    address, status = review.redirect_chain[-1]
    assert status == 302
    again = browser.get(address)
    assert again.context["size"].count == 3
    assert read_hidden_fields(again) == read_hidden_fields(review)
    other = sign_in("administrator").get(address, follow=True)
    assert "The form has expired" in other.content.decode(), "the values belong to one user"


def test_a_review_that_is_not_kept_leads_to_an_empty_form_and_says_so(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    addresses = [
        post(browser, org, package, "summary", token=f"t{number}").redirect_chain[-1][0]
        for number in range(4)
    ]
    response = browser.get(addresses[0], follow=True)
    assert "The form has expired. Enter the values again." in response.content.decode()
    assert response.context["form"].is_bound is False
    assert browser.get(addresses[1]).context["details"], "the last three are kept"


def test_a_review_does_not_depend_on_redis(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    review = post(browser, org, package, "summary", rate="77")
    caches["default"].clear()
    assert browser.get(review.redirect_chain[-1][0]).context["details"]
    assert sign_in("owner").get(review.redirect_chain[-1][0], follow=True).context["form"].is_bound is False


def test_a_review_whose_start_has_passed_is_the_form_with_the_reason(lamps, package, org, sign_in, clock):
    start = (timezone.now() + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M")
    browser = sign_in("release-engineer")
    review = post(browser, org, package, "summary", start=start, rate="77")
    assert review.context["details"]
    address = review.redirect_chain[-1][0]
    with time_machine.travel(timezone.now() + timedelta(minutes=8)):
        response = browser.get(address)
    assert response.context["form"].errors["start"]
    assert 'value="77"' in response.content.decode()


def test_going_back_from_the_review_keeps_the_values(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    values = {"target": "GRAY", "percent": "33.3", "rate": "77", "tags": "a=b"}
    review = post(browser, org, package, "summary", **values)
    response = browser.get(review.context["edit_url"])
    text = response.content.decode()
    assert response.status_code == 200
    assert 'value="33.3"' in text
    assert 'value="77"' in text
    assert "a=b" in text
    assert "invalid-feedback" not in text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "GRAY"}, "percent"),
        ({"target": "GRAY", "percent": "0"}, "percent"),
        ({"target": "GRAY", "percent": "101"}, "percent"),
        ({"target": "GRAY", "percent": "1.2345"}, "percent"),
        ({"target": "SPECIFIC"}, "names"),
        ({"target": "SPECIFIC", "names": "ab"}, "names"),
        ({"target": "SPECIFIC", "names": "\n".join(f"lamp-{n:05}" for n in range(10_001))}, "names"),
        ({"target": "GROUP"}, "group"),
        ({"target": "SOME"}, "target"),
        ({"source_versions": " ".join(f"1.{n}" for n in range(11))}, "source_versions"),
        ({"source_versions": "1/0"}, "source_versions"),
        ({"source_versions": "1.0.0 2.0.0"}, "source_versions"),
        ({"rate": "9"}, "rate"),
        ({"rate": "10001"}, "rate"),
        ({"timeout": "0"}, "timeout"),
        ({"timeout": "1441"}, "timeout"),
        ({"retry_count": "3"}, "retry_count"),
        ({"retry_count": "1", "retry_interval": "60", "timeout": "60"}, "retry_interval"),
        ({"multi_module": "on", "overwrite": "on"}, "multi_module"),
        ({"tags": "nonsense"}, "tags"),
        ({"tags": "\n".join(f"k{n}=v" for n in range(11))}, "tags"),
        ({"start": "2001-01-01T00:00"}, "start"),
        ({"finish": "2099-01-01T00:00"}, "finish"),
        ({"start": "not a time"}, "start"),
    ],
)
@pytest.mark.parametrize("step", ["summary", "send"])
def test_an_invalid_field_is_reported_at_both_steps_and_nothing_is_sent(
    changes, field, step, lamps, package, org, sign_in, calls
):
    response = post(sign_in("release-engineer"), org, package, step, **changes)
    assert response.status_code == 422
    assert response.context["form"].errors[field]
    assert "CreateOTAStaticUpgradeJob" not in calls


def test_a_start_time_is_read_in_the_time_zone_of_the_user(lamps, package, org, sign_in):
    engineer = org.members["release-engineer"]
    engineer.time_zone = "Asia/Shanghai"
    engineer.save()
    now = timezone.now()
    start = (now + timedelta(hours=2)).replace(second=0, microsecond=0)
    local = (start + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")
    response = post(sign_in("release-engineer"), org, package, "summary", start=local)
    assert response.context["form"].cleaned_data["start"] == start


def test_names_from_a_file_are_read_and_submitted(lamps, package, org, sign_in):
    file = SimpleUploadedFile("names.csv", "\ufeffDeviceName\r\nlamp-1\r\nlamp-2\r\n".encode())
    review = post(
        sign_in("release-engineer"),
        org,
        package,
        "summary",
        target="SPECIFIC",
        names="lamp-3",
        list_file=file,
    )
    assert review.context["size"].count == 3
    browser = sign_in("release-engineer")
    browser.post(org.url(f"ota/packages/{package.id}/batch/"), {**read_hidden_fields(review), "step": "send"})
    (batch,) = list_batches(org, package)
    _detail, tasks = batch_tasks.get_batch_with_tasks(org.gateway(), batch.id)
    assert {task.device for task in tasks.tasks} == {"lamp-1", "lamp-2", "lamp-3"}


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffName,Status,Nickname\r\nlamp-1,Online,Boiler_1\r\nlamp-2,Offline,\r\n",  # an export of devices
        "名称,状态,备注名称\r\nlamp-1,在线,锅炉_1\r\nlamp-2,离线,\r\n",
        'Nickname;Device name\n"a;b";lamp-1\n\n;"lamp-2"\n',
        "lamp-1\tlamp-2\nlamp-2",  # no heading: all are names
    ],
)
def test_only_the_column_of_names_is_read_from_a_table(content, lamps, package, org, sign_in):
    file = SimpleUploadedFile("devices.csv", content.encode())
    review = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert review.context["batch_target"].names == ("lamp-1", "lamp-2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_the_review_says_which_column_of_a_table_was_read(encoding, lamps, package, org, sign_in):
    content = "设备清单\n设备名称,状态\nlamp-1,在线\nlamp-2,离线\n".encode(encoding)
    file = SimpleUploadedFile("devices.csv", content)
    review = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert "2 names from the column <code>设备名称</code>" in review.content.decode()


def test_the_names_of_a_workbook_are_read(lamps, package, org, sign_in):
    workbook = Workbook()
    for row in (["Status", "Device name"], ["Online", "lamp-1"], ["Offline", "lamp-2"]):
        workbook.active.append(row)
    content = io.BytesIO()
    workbook.save(content)
    file = SimpleUploadedFile("devices.xlsx", content.getvalue())
    review = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert review.context["batch_target"].names == ("lamp-1", "lamp-2")


def test_names_that_a_spreadsheet_changed_are_refused_with_their_rows(lamps, package, org, sign_in):
    response = post(
        sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", names="lamp-1\n1.2E+12\nab"
    )
    errors = response.context["form"].errors["names"]
    assert any("shortened" in error and "2: 1.2E+12" in error for error in errors)
    assert any("4 to 32" in error and "3: ab" in error for error in errors)


def test_a_device_can_have_a_name_that_looks_like_a_shortened_number(lamps, product, org, sign_in, calls):
    name = "898603123456789000"
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName=name)
    package = create_package(org, product, verify=True)
    url = org.url(f"ota/packages/{package.id}/verify/")
    for names in ({"device": [name]}, {"names": name}):
        calls.clear()
        response = sign_in("release-engineer").post(url, {"token": "v", **names})
        assert "CreateOTAVerifyJob" in calls, response.context["form"].errors


def test_names_that_do_not_exist_are_listed_before_the_review(lamps, package, org, sign_in, calls):
    file = SimpleUploadedFile("names.csv", b"DeviceName\nlamp-1\nlamp-77\nlamp-78\n")
    response = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert response.status_code == 422
    assert "these 2 names: lamp-77, lamp-78." in response.context["form"].errors["names"][0]
    assert response.context["form"]["names"].value() == "lamp-1\nlamp-77\nlamp-78", "to be corrected"


def test_a_name_that_does_not_exist_is_named_before_a_verification(lamps, product, org, sign_in, calls):
    package = create_package(org, product, verify=True)
    url = org.url(f"ota/packages/{package.id}/verify/")
    response = sign_in("release-engineer").post(url, {"token": "v", "names": "lamp-1 lamp-77"})
    assert response.status_code == 422
    assert "lamp-77" in response.context["form"].errors["names"][0]
    assert "CreateOTAVerifyJob" not in calls


def test_the_number_of_looked_up_names_is_limited_and_said(lamps, package, org, sign_in, calls, monkeypatch):
    monkeypatch.setattr("console.areas.ota.views.submission.MAX_LOOKED_UP", 2)
    monkeypatch.setattr("console.areas.ota.views.create.MAX_LOOKED_UP", 2)
    names = {"target": "SPECIFIC", "names": "lamp-1 lamp-2 lamp-77"}
    review = post(sign_in("release-engineer"), org, package, "summary", **names)
    assert "Only the first 2 names were checked." in review.content.decode()
    assert calls.count("BatchQueryDeviceDetail") == 1


def test_a_table_that_cannot_be_read_is_reported_at_its_field(lamps, package, org, sign_in):
    file = SimpleUploadedFile("devices.csv", b'name,note\nlamp-1,"' + b"x" * 200_000)
    response = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert response.status_code == 422
    assert "quotation mark" in str(response.context["form"].errors["list_file"])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04\x00\x00", b"\x89PNG\r\n\x1a\n\x00"])
def test_a_list_that_is_not_a_text_file_is_refused(content, lamps, package, org, sign_in):
    file = SimpleUploadedFile("names.csv", content)
    response = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert response.status_code == 422


def test_more_than_two_hundred_names_are_uploaded_as_a_file(product, lamps, package, org, sign_in, calls):
    register_lamps(org, product, 205)
    names = "\n".join(f"lamp-{number}" for number in range(1, 206))
    calls.clear()
    response = post(
        sign_in("release-engineer"), org, package, "send", target="SPECIFIC", names=names, typed="lamp-2"
    )
    assert response.status_code == 302, response.content.decode()
    assert "GenerateDeviceNameListURL" in calls
    assert len(calls) <= 4


def test_the_devices_of_a_group_are_the_target(lamps, package, org, sign_in):
    gateway = org.gateway()
    group = groups_api.create_group(gateway, name="Hall_1")
    groups_api.add_devices(gateway, group.id, lamps, ["lamp-1", "lamp-4"])
    browser = sign_in("release-engineer")
    assert post(browser, org, package, "summary", target="GROUP", group=group.id).context["size"].count == 2
    post(browser, org, package, "send", target="GROUP", group=group.id)
    (batch,) = list_batches(org, package)
    _detail, tasks = batch_tasks.get_batch_with_tasks(gateway, batch.id)
    assert {task.device for task in tasks.tasks} == {"lamp-1", "lamp-4"}


def test_a_delta_package_updates_only_its_source_version(lamps, product, org, sign_in):
    package = create_package(org, product, delta=True, source_version="1.0.0")
    browser = sign_in("release-engineer")
    post(browser, org, package, "send", source_versions="0.9")
    (batch,) = list_batches(org, package)
    assert api.get_batch(org.gateway(), batch.id).source_versions == ("1.0.0",)


@pytest.mark.parametrize("address", ["batch", "dynamic"])
def test_the_source_version_of_a_delta_package_is_shown_as_fixed(address, product, org, sign_in):
    package = create_package(org, product, delta=True, source_version="1.0.0")
    response = sign_in("release-engineer").get(org.url(f"ota/packages/{package.id}/{address}/"))
    html = response.content.decode()
    (field,) = re.findall(
        r'<div class="fd-label-row">\s*<label[^>]*for="id_source_versions">.*?</div>\s*</div>',
        html,
        re.DOTALL,
    )
    assert "optional" not in field
    assert re.search(r'<input type="text" name="source_versions" value="1.0.0"[^>]* disabled', field)
    assert "only this version" in field


def test_a_dynamic_batch_requires_source_versions(package, org, sign_in):
    browser = sign_in("release-engineer")
    address = org.url(f"ota/packages/{package.id}/dynamic/")
    html = browser.get(address).content.decode()
    assert "optional" not in re.search(r'for="id_source_versions">(.*?)</label>', html, re.DOTALL)[1]
    response = browser.post(address, {"step": "summary", "token": "t", "protocol": "HTTPS"})
    assert response.context["form"].errors["source_versions"]


@pytest.mark.parametrize("kind", ["error", "drop"])
def test_a_cloud_error_keeps_the_input(kind, lamps, package, emulator, org, sign_in):
    emulator.faults.add("CreateOTAStaticUpgradeJob", kind=kind, times=99)
    response = post(
        sign_in("release-engineer"), org, package, "send", target="SPECIFIC", names="lamp-1", rate="55"
    )
    text = response.content.decode()
    assert response.status_code == 422
    assert "CreateOTAStaticUpgradeJob" in text
    assert 'value="55"' in text
    assert "lamp-1" in text


def test_after_a_lost_response_the_same_form_does_not_create_a_second_batch(
    lamps, package, emulator, org, sign_in
):
    browser = sign_in("release-engineer")
    emulator.faults.add("CreateOTAStaticUpgradeJob", kind="drop", times=1, after=True)
    assert post(browser, org, package, "send").status_code == 422
    assert post(browser, org, package, "send").status_code == 302
    assert len(list_batches(org, package)) == 1


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("step", ["summary", "send"])
def test_a_role_without_the_right_cannot_create_a_batch(role, step, lamps, package, org, sign_in):
    assert post(sign_in(role), org, package, step).status_code == 403
    assert list_batches(org, package) == ()


def test_a_package_that_is_not_verified_cannot_have_a_batch(lamps, product, org, sign_in):
    package = create_package(org, product, verify=True)
    response = post(sign_in("release-engineer"), org, package, "send")
    assert response.status_code == 409
    assert "Package not verified" in response.content.decode()
    assert list_batches(org, package) == ()


def test_a_package_is_verified_on_the_selected_devices(lamps, product, org, sign_in):
    package = create_package(org, product, verify=True)
    browser = sign_in("release-engineer")
    url = org.url(f"ota/packages/{package.id}/verify/")
    assert browser.post(url, {"token": "v", "names": "", "need_push": "on"}).status_code == 422
    eleven = " ".join(f"lamp-{number}" for number in range(11))
    assert browser.post(url, {"token": "v", "names": eleven}).status_code == 422
    data = {"token": "v", "device": ["lamp-1", "lamp-2"], "names": "lamp-2 lamp-3", "need_push": "on"}
    assert browser.post(url, data).status_code == 302
    (batch,) = list_batches(org, package)
    assert batch.is_verification
    _detail, tasks = batch_tasks.get_batch_with_tasks(org.gateway(), batch.id)
    assert {task.device for task in tasks.tasks} == {"lamp-1", "lamp-2", "lamp-3"}


def test_a_dynamic_batch_is_created_once_and_stopped_by_name(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    url = org.url(f"ota/packages/{package.id}/dynamic/")
    for step in ("summary", "send"):
        assert browser.post(url, build_fields(source_versions="", step=step)).status_code == 422
        too_fast = build_fields(source_versions="1.0.0", rate="1001", step=step)
        assert browser.post(url, too_fast).status_code == 422
    for _ in range(2):
        assert browser.post(url, build_fields(source_versions="1.0.0", step="send")).status_code == 302
    (batch,) = list_batches(org, package)
    assert batch.is_dynamic
    stop = org.url(f"ota/batches/{batch.id}/stop/")
    assert browser.post(stop, {"typed": "wrong"}).status_code == 422
    assert browser.post(stop, {"typed": "lamp-2"}).status_code == 302
    assert api.get_batch(org.gateway(), batch.id).batch.status == "CANCELED"


def post_dynamic(browser, org, package, step, **changes):
    fields = build_fields(source_versions="1.0.0", **changes)
    url = org.url(f"ota/packages/{package.id}/dynamic/")
    return browser.post(url, {**fields, "step": step}, follow=step == "summary")


@pytest.mark.parametrize(
    ("mode", "count", "text"), [("", 5, "Update 5 devices"), ("1", 0, "Start dynamic batch")]
)
def test_a_dynamic_batch_is_reviewed_with_the_devices_now_and_later(
    mode, count, text, lamps, package, org, sign_in
):
    browser = sign_in("release-engineer")
    review = post_dynamic(browser, org, package, "summary", new_devices_only=mode)
    page = review.content.decode()
    assert review.context["size"].count == count
    assert text in page
    assert "Devices that report a source version later are also updated" in page
    assert list_batches(org, package) == ()
    url = org.url(f"ota/packages/{package.id}/dynamic/")
    browser.post(url, {**read_hidden_fields(review), "step": "send"})
    (batch,) = list_batches(org, package)
    detail = api.get_batch(org.gateway(), batch.id)
    assert (detail.source_versions, detail.dynamic_mode) == (("1.0.0",), 2 if mode else 1)


@pytest.mark.parametrize("mode", ["", "1"])
def test_a_dynamic_batch_of_a_large_product_needs_the_name_of_the_package(
    mode, lamps, package, org, sign_in, monkeypatch
):
    monkeypatch.setattr(create, "MIN_TYPED", 5)
    browser = sign_in("release-engineer")
    assert post_dynamic(browser, org, package, "send", new_devices_only=mode).status_code == 422
    assert list_batches(org, package) == ()
    response = post_dynamic(browser, org, package, "send", new_devices_only=mode, typed="lamp-2")
    assert response.status_code == 302


def test_going_back_from_the_review_of_a_dynamic_batch_keeps_the_values(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    review = post_dynamic(browser, org, package, "summary", rate="77")
    response = browser.get(review.context["edit_url"])
    text = response.content.decode()
    assert response.status_code == 200
    assert "1.0.0</textarea>" in text
    assert 'value="77"' in text


def test_a_refused_verification_names_the_device_that_does_not_exist_once(lamps, product, org, sign_in):
    package = create_package(org, product, verify=True)
    url = org.url(f"ota/packages/{package.id}/verify/")
    names = {"names": "lamp-1\nlamp-typo", "timeout": "60", "need_push": "on", "token": "t1"}
    response = sign_in("release-engineer").post(url, names)
    assert response.status_code == 422
    (error,) = response.context["form"].errors["names"]
    assert "has no device with this name: lamp-typo." in error
    text = response.content.decode()
    assert text.count("has no device with this name") == 1
    assert "fd-cloud-error" not in text
    assert api.get_package(org.gateway(), package.id).status == "0"


def test_an_error_of_the_platform_stands_on_the_form_once(lamps, package, emulator, org, sign_in):
    emulator.faults.add("CreateOTAStaticUpgradeJob", kind="error", code="Forbidden.RAM", status=403, times=9)
    response = post(sign_in("release-engineer"), org, package, "send")
    assert response.content.decode().count('role="alert"') == 1


def test_the_form_of_a_verification_explains_push_and_confirmation(lamps, product, org, sign_in):
    package = create_package(org, product, verify=True)
    text = sign_in("release-engineer").get(org.url(f"ota/packages/{package.id}/verify/")).content.decode()
    assert "If off, a device gets the update when it requests it." in text
    assert "Each update starts after you confirm it here or in your app." in text


# -- a running batch ---------------------------------------------------------------------------------------------------


@pytest.fixture
def batch_id(lamps, package, org):
    """The ID of a batch of all lamps whose tasks wait for confirmation. Another program created it: it is not monitored."""
    response = org.gateway().call(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=package.id,
        ProductKey=package.product_key,
        TargetSelection="ALL",
        NeedConfirm=True,
    )
    return response["Data"]["JobId"]


def read_tasks(org, batch_id):
    return {task.device: task for task in batch_tasks.get_batch_with_tasks(org.gateway(), batch_id)[1].tasks}


def test_selected_tasks_are_confirmed_after_a_question(batch_id, org, sign_in):
    browser = sign_in("release-engineer")
    task = read_tasks(org, batch_id)["lamp-1"]
    url = org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/")
    question = browser.post(url, {"selected": f"{task.id}/lamp-1"})
    assert "Confirm the update of 1 device?" in question.content.decode()
    assert read_tasks(org, batch_id)["lamp-1"].status == "CONFIRM"
    result = browser.post(url, {"selected": f"{task.id}/lamp-1", "confirmed": "1"})
    assert (result.context["succeeded"], result.context["failed"]) == (1, 0)
    assert read_tasks(org, batch_id)["lamp-1"].status != "CONFIRM"
    assert read_tasks(org, batch_id)["lamp-2"].status == "CONFIRM"


def test_confirming_twice_reports_that_the_task_does_not_wait(batch_id, org, sign_in):
    browser = sign_in("release-engineer")
    data = {"selected": f"{read_tasks(org, batch_id)['lamp-1'].id}/lamp-1", "confirmed": "1"}
    browser.post(org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/"), data)
    second = browser.post(org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/"), data)
    assert second.context["failed"] == 1
    assert "iot.firmware.InvalidTaskStatus" in second.content.decode()


@pytest.fixture
def canceled_task(batch_id, org):
    """The key of a task that was canceled in a batch that goes on."""
    task = read_tasks(org, batch_id)["lamp-1"]
    api.cancel_devices(org.gateway(), api.get_batch(org.gateway(), batch_id).batch, ["lamp-1"])
    assert read_tasks(org, batch_id)["lamp-1"].status == "CANCELED"
    return f"{task.id}/lamp-1"


def test_selected_updates_that_ended_without_success_are_retried_after_a_question(
    canceled_task, batch_id, org, sign_in
):
    browser = sign_in("release-engineer")
    url = org.url(f"ota/batches/{batch_id}/tasks/bulk/retry/")
    assert url in browser.get(org.url(f"ota/batches/{batch_id}/")).content.decode()
    question = browser.post(url, {"selected": canceled_task})
    assert "Retry the update of 1 device?" in question.content.decode()
    assert read_tasks(org, batch_id)["lamp-1"].status == "CANCELED"
    result = browser.post(url, {"selected": canceled_task, "confirmed": "1"})
    assert (result.context["succeeded"], result.context["failed"]) == (1, 0)
    assert read_tasks(org, batch_id)["lamp-1"].status == "CONFIRM"


def test_an_update_that_did_not_end_is_not_retried(batch_id, org, sign_in):
    task = read_tasks(org, batch_id)["lamp-2"]
    url = org.url(f"ota/batches/{batch_id}/tasks/bulk/retry/")
    result = sign_in("release-engineer").post(url, {"selected": f"{task.id}/lamp-2", "confirmed": "1"})
    assert (result.context["succeeded"], result.context["failed"]) == (0, 1)


def test_the_updates_of_a_canceled_batch_are_not_offered_for_retry(batch_id, org, sign_in):
    org.gateway().call("CancelOTATaskByJob", JobId=batch_id, CancelUnconfirmedTask=True)
    page = sign_in("release-engineer").get(org.url(f"ota/batches/{batch_id}/")).content.decode()
    assert "tasks/bulk/retry/" not in page


def test_a_call_confirms_no_more_tasks_than_the_platform_accepts(batch_id, org, sign_in, calls, monkeypatch):
    monkeypatch.setattr(batch_tasks, "MAX_TASKS_PER_CALL", 2)
    keys = [f"{task.id}/{name}" for name, task in read_tasks(org, batch_id).items()]
    response = sign_in("release-engineer").post(
        org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/"), {"selected": keys, "confirmed": "1"}
    )
    assert (response.context["succeeded"], response.context["failed"]) == (5, 0)
    assert calls.count("ConfirmOTATask") == 3


def test_a_task_that_is_not_one_of_the_batch_is_not_confirmed(batch_id, lamps, org, sign_in, calls):
    other = create_package(org, lamps, name="other", version="9.0")
    response = org.gateway().call(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=other.id,
        ProductKey=lamps,
        TargetSelection="SPECIFIC",
        TargetDeviceName=["lamp-1"],
        OverwriteMode=2,
        NeedConfirm=True,
    )
    other_batch = response["Data"]["JobId"]
    task = read_tasks(org, other_batch)["lamp-1"]
    calls.clear()
    url = org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/")
    response = sign_in("release-engineer").post(url, {"selected": f"{task.id}/lamp-1", "confirmed": "1"})
    assert (response.context["succeeded"], response.context["failed"]) == (0, 1)
    assert "ConfirmOTATask" not in calls
    assert read_tasks(org, other_batch)["lamp-1"].status == "CONFIRM"


@pytest.mark.parametrize("action", ["confirm", "cancel"])
def test_updates_of_a_batch_that_does_not_exist_are_not_changed(action, batch_id, org, sign_in):
    task = read_tasks(org, batch_id)["lamp-1"]
    url = org.url(f"ota/batches/nosuchbatch/tasks/bulk/{action}/")
    response = sign_in("release-engineer").post(url, {"selected": f"{task.id}/lamp-1", "confirmed": "1"})
    assert response.status_code == 404 or response.context["failed"] == 1
    assert read_tasks(org, batch_id)["lamp-1"].status == "CONFIRM"


def test_all_tasks_that_match_the_filter_are_asked_about(batch_id, org, sign_in):
    data = {"all_matching": "1", "query": "status=CONFIRM"}
    question = sign_in("release-engineer").post(org.url(f"ota/batches/{batch_id}/tasks/bulk/confirm/"), data)
    waiting = {name for name, task in read_tasks(org, batch_id).items() if task.status == "CONFIRM"}
    assert {key.partition("/")[2] for key in question.context["keys"]} == waiting


def test_the_update_of_one_device_is_canceled(batch_id, org, sign_in):
    task = read_tasks(org, batch_id)["lamp-1"]
    data = {"selected": f"{task.id}/lamp-1", "confirmed": "1"}
    response = sign_in("release-engineer").post(org.url(f"ota/batches/{batch_id}/tasks/bulk/cancel/"), data)
    assert (response.context["succeeded"], response.context["failed"]) == (1, 0)
    assert read_tasks(org, batch_id)["lamp-1"].status == "CANCELED"
    assert read_tasks(org, batch_id)["lamp-2"].status == "CONFIRM"


def test_a_batch_is_canceled_by_the_selected_statuses(lamps, package, org, sign_in, batch_id):
    browser = sign_in("release-engineer")
    task = read_tasks(org, batch_id)["lamp-1"]
    assert batch_tasks.confirm_each(org.gateway(), [(task.id, task.device)], batch_id=batch_id) == [None]
    url = org.url(f"ota/batches/{batch_id}/cancel/")
    assert browser.post(url, {}).status_code == 422
    assert browser.post(url, {"statuses": "QUEUED"}).status_code == 302
    remaining = read_tasks(org, batch_id)
    assert remaining["lamp-2"].status == "CONFIRM"
    assert browser.post(url, {"statuses": ["CONFIRM"]}).status_code == 302
    assert read_tasks(org, batch_id)["lamp-2"].status == "CANCELED"


def test_canceling_twice_reports_that_the_batch_is_canceled(batch_id, org, sign_in):
    browser = sign_in("release-engineer")
    url = org.url(f"ota/batches/{batch_id}/cancel/")
    assert browser.post(url, {"statuses": ["CONFIRM", "QUEUED", "NOTIFIED"]}).status_code == 302
    second = browser.post(url, {"statuses": ["CONFIRM", "QUEUED", "NOTIFIED"]})
    assert second.status_code == 422
    assert "iot.firmware.JobAlreadyCanceled" in second.content.decode()


@pytest.mark.parametrize("page", ["cancel", "stop", "tasks/bulk/confirm", "tasks/bulk/cancel", "monitor"])
def test_a_role_that_may_only_read_cannot_change_a_batch(page, batch_id, org, sign_in):
    task = read_tasks(org, batch_id)["lamp-1"]
    data = {"selected": f"{task.id}/lamp-1", "confirmed": "1", "statuses": "CONFIRM", "typed": "lamp-2"}
    for role in ("viewer", "operator"):
        assert sign_in(role).post(org.url(f"ota/batches/{batch_id}/{page}/"), data).status_code == 403
    assert read_tasks(org, batch_id)["lamp-1"].status == "CONFIRM"
    assert not Job.objects.exists()


@pytest.mark.parametrize("page", ["tasks/bulk/confirm", "tasks/bulk/cancel", "monitor"])
def test_actions_accept_only_post(page, batch_id, org, sign_in):
    assert sign_in("owner").get(org.url(f"ota/batches/{batch_id}/{page}/")).status_code == 405


def test_monitoring_of_a_batch_starts_only_once(batch_id, org, sign_in):
    browser = sign_in("release-engineer")
    for _ in range(2):
        assert browser.post(org.url(f"ota/batches/{batch_id}/monitor/")).status_code == 302
    assert Job.objects.filter(kind="ota.monitor", subject=batch_id).count() == 1


def test_a_monitored_batch_shows_the_recorded_counts_and_its_chart(batch_id, org, sign_in):
    from console.areas.ota.jobs import monitor_batch
    from console.jobs.models import Sample

    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    for succeeded in (0, 2, 3):
        Sample.objects.create(job=job, counts={"SUCCEEDED": succeeded, "QUEUED": 5 - succeeded})
    browser = sign_in("viewer")
    page = browser.get(org.url(f"ota/batches/{batch_id}/"))
    assert page.context["counts"].finished == 3
    assert "history.json" in page.content.decode()
    data = browser.get(org.url(f"ota/batches/{batch_id}/history.json")).json()
    assert len(data["x"]) == 3
    values = {curve["label"]: curve["values"] for curve in data["series"]}
    assert values.pop("Succeeded") == [0, 2, 3]
    assert values.pop("Waiting to be sent") == [5, 3, 2]
    assert values == {label: [0, 0, 0] for label in values}
    failures = browser.get(org.url(f"ota/batches/{batch_id}/history.json"), {"status": "FAILED"}).json()
    assert [curve["label"] for curve in failures["series"]] == ["Failed"]


def test_the_charts_of_a_running_batch_load_again_with_new_counts(batch_id, org, sign_in):
    from console.areas.ota.jobs import monitor_batch
    from console.jobs.models import Sample

    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    browser = sign_in("viewer")

    def find_live_part(response):
        address = re.search(r'hx-get="([^"]+/live/[^"]*)"', response.content.decode())
        return address[1].replace("&amp;", "&")

    address = find_live_part(browser.get(org.url(f"ota/batches/{batch_id}/")))
    assert "HX-Trigger" not in browser.get(address), "nothing is counted yet"
    for succeeded in (1, 2):
        Sample.objects.create(job=job, counts={"SUCCEEDED": succeeded, "QUEUED": 5 - succeeded})
        response = browser.get(address)
        assert response["HX-Trigger"] == "fd:charts"
        address = find_live_part(response)
        assert "HX-Trigger" not in browser.get(address), "the same counts"


def test_the_chart_of_a_batch_names_each_status_as_the_tiles_do_and_in_their_color(batch_id, org, sign_in):
    from console.areas.ota.jobs import STATUSES, monitor_batch
    from console.jobs.models import Sample

    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    Sample.objects.create(job=job, counts=dict.fromkeys(STATUSES, 1))
    browser = sign_in("viewer")
    tiles = browser.get(org.url(f"ota/batches/{batch_id}/")).context["counts"].tiles
    series = browser.get(org.url(f"ota/batches/{batch_id}/history.json")).json()["series"]
    curves = {curve["label"]: curve for curve in series}
    assert set(curves) == {str(tile.label) for tile in tiles}
    css = (settings.BASE_DIR / "static/areas/ota/ota.css").read_text()
    for tile in tiles:
        curve = curves[str(tile.label)]
        assert f".ota-dot-{tile.status.lower()} {{ background: var({curve['color']}); }}" in css
        assert f".ota-seg-{tile.status.lower()} {{ fill: var({curve['color']}); }}" in css


def test_a_batch_that_was_not_monitored_for_a_while_has_a_gap_in_its_chart(batch_id, org, sign_in):
    from console.areas.ota.jobs import monitor_batch
    from console.jobs.models import Sample

    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    for minutes in (60, 56, 4, 0):
        at = timezone.now() - timedelta(minutes=minutes)
        Sample.objects.create(job=job, at=at, counts={"QUEUED": minutes})
    data = sign_in("viewer").get(org.url(f"ota/batches/{batch_id}/history.json")).json()
    queued = next(curve["values"] for curve in data["series"] if curve["label"] == "Waiting to be sent")
    assert queued == [60, 56, None, 4, 0]


def test_counts_of_stopped_monitoring_are_not_shown_as_current(batch_id, org, sign_in):
    from console.areas.ota.jobs import monitor_batch
    from console.jobs.models import Sample

    job = monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    Sample.objects.create(job=job, counts={"QUEUED": 5})
    Job.objects.filter(pk=job.pk).update(state="canceled", finished_at=timezone.now())
    page = sign_in("release-engineer").get(org.url(f"ota/batches/{batch_id}/"))
    assert page.context["counts"].total is None
    assert "Start monitoring" in page.content.decode()


def test_a_batch_without_a_first_count_waits_for_monitoring(batch_id, org, sign_in):
    from console.areas.ota.jobs import monitor_batch

    monitor_batch(org.gateway("release-engineer"), batch_id, product_key="k1")
    text = sign_in("viewer").get(org.url(f"ota/batches/{batch_id}/")).content.decode()
    assert "Updates automatically" in text
    assert f"/batches/{batch_id}/live/" in text
