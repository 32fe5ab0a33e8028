"""Batches: checked, summed up, sent once, followed, cancelled, confirmed."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from console.jobs.models import Job
from console.ota import api


@pytest.fixture
def package(product, org):
    """A package for the five lamps that needs no verification; their version is 1.0.0."""
    return make_package(org, product)


def make_package(org, product, **options):
    new = {"name": "lamp-2", "version": "2.0.0", "product_key": product, "verify": False, **options}
    package_id = api.create_package(org.gateway(), api.NewPackage(**new), io.BytesIO(b"firmware"), "bin")
    return api.get_package(org.gateway(), package_id)


@pytest.fixture
def lamps(emulator, product):
    """The lamps have reported version 1.0.0, which a batch asks for."""
    with emulator.store.write() as db:
        db.execute("DELETE FROM device_modules")
        db.execute(
            "INSERT INTO device_modules (account, instance, iot_id, module, version, reported)"
            " SELECT account, instance, iot_id, 'default', '1.0.0', 0 FROM devices"
        )
    return product


def fields(**more):
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
        **more,
    }


def post(browser, org, package, step, **more):
    return browser.post(org.url(f"ota/packages/{package.id}/batch/"), {**fields(**more), "step": step})


def jobs(org, package):
    return api.list_jobs(org.gateway(), package.id).jobs


def carried(answer):
    """The fields that a summary hands on, as a browser would send them."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.content.decode())
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def test_the_summary_tells_how_many_and_sends_nothing(lamps, package, org, sign_in, calls):
    calls.clear()
    answer = post(sign_in("release-engineer"), org, package, "summary")
    assert answer.status_code == 200
    assert answer.context["reach"].count == 5
    assert jobs(org, package) == ()
    assert len(calls) <= 5  # the last is this test's own


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({"target": "GRAY", "percent": "50"}, 2),
        ({"target": "GRAY", "percent": "0.1"}, 1),
        ({"target": "SPECIFIC", "names": "lamp-1, lamp-2\nlamp-2"}, 2),
    ],
)
def test_the_summary_counts_what_the_target_means(more, count, lamps, package, org, sign_in):
    assert post(sign_in("release-engineer"), org, package, "summary", **more).context["reach"].count == count


def test_what_the_summary_hands_on_makes_the_batch(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    summary = post(
        browser, org, package, "summary", target="GRAY", percent="50", source_versions="1.0.0", rate="100",
        retry_count="2", retry_interval="30", timeout="60", need_confirm="on", tags="ring=1",
    )  # fmt: skip
    answer = browser.post(org.url(f"ota/packages/{package.id}/batch/"), {**carried(summary), "step": "send"})
    assert answer.status_code == 302
    (job,) = jobs(org, package)
    assert answer["Location"].endswith(f"/ota/batches/{job.id}/")
    detail = api.get_job(org.gateway(), job.id)
    assert (detail.gray_percent, detail.source_versions, detail.rate) == ("50", ("1.0.0",), 100)
    assert (detail.retry_count, detail.retry_interval, detail.timeout) == (2, 30, 60)
    assert (detail.need_confirm, detail.need_push, detail.tags) == (True, True, (("ring", "1"),))


def test_a_new_batch_is_watched(lamps, package, org, sign_in):
    post(sign_in("release-engineer"), org, package, "send")
    (job,) = jobs(org, package)
    watch = Job.objects.get(kind="ota.watch")
    assert (watch.subject, watch.connection) == (job.id, org.connection)


def test_sent_twice_one_batch_is_made_and_shown_both_times(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    first, second = (post(browser, org, package, "send") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert len(jobs(org, package)) == 1


def test_changing_something_brings_the_form_back_as_it_was(lamps, package, org, sign_in):
    answer = post(
        sign_in("release-engineer"),
        org,
        package,
        "back",
        target="GRAY",
        percent="33.3",
        rate="77",
        tags="a=b",
    )
    text = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="33.3"' in text
    assert 'value="77"' in text
    assert "a=b" in text
    assert "invalid-feedback" not in text


@pytest.mark.parametrize(
    ("more", "at"),
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
def test_a_field_out_of_its_limits_is_told_at_both_steps_and_nothing_sent(
    more, at, step, lamps, package, org, sign_in, calls
):
    answer = post(sign_in("release-engineer"), org, package, step, **more)
    assert answer.status_code == 422
    assert answer.context["form"].errors[at]
    assert "CreateOTAStaticUpgradeJob" not in calls


def test_a_schedule_is_taken_in_the_persons_time_zone(lamps, package, org, sign_in):
    engineer = org.members["release-engineer"]
    engineer.time_zone = "Asia/Shanghai"
    engineer.save()
    now = timezone.now()
    start = (now + timedelta(hours=2)).replace(second=0, microsecond=0)
    local = (start + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")
    answer = post(sign_in("release-engineer"), org, package, "summary", start=local)
    assert answer.context["form"].cleaned_data["start"] == start


def test_names_from_a_file_are_read_and_handed_on(lamps, package, org, sign_in):
    file = SimpleUploadedFile("names.csv", "\ufeffDeviceName\r\nlamp-1\r\nlamp-2\r\n".encode())
    summary = post(
        sign_in("release-engineer"),
        org,
        package,
        "summary",
        target="SPECIFIC",
        names="lamp-3",
        list_file=file,
    )
    assert summary.context["reach"].count == 3
    browser = sign_in("release-engineer")
    browser.post(org.url(f"ota/packages/{package.id}/batch/"), {**carried(summary), "step": "send"})
    (job,) = jobs(org, package)
    _detail, tasks = api.get_job_with_tasks(org.gateway(), job.id)
    assert {task.device for task in tasks.tasks} == {"lamp-1", "lamp-2", "lamp-3"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04\x00\x00", b"\x89PNG\r\n\x1a\n\x00"])
def test_a_list_that_is_no_text_is_told(content, lamps, package, org, sign_in):
    file = SimpleUploadedFile("names.csv", content)
    answer = post(sign_in("release-engineer"), org, package, "summary", target="SPECIFIC", list_file=file)
    assert answer.status_code == 422


def test_more_than_two_hundred_names_go_by_way_of_the_store(
    emulator, product, lamps, package, org, sign_in, calls
):
    gateway = org.gateway()
    for number in range(6, 206):
        gateway.call("RegisterDevice", ProductKey=product, DeviceName=f"lamp-{number}")
    names = "\n".join(f"lamp-{number}" for number in range(1, 206))
    calls.clear()
    answer = post(sign_in("release-engineer"), org, package, "send", target="SPECIFIC", names=names)
    assert answer.status_code == 302, answer.content.decode()
    assert "GenerateDeviceNameListURL" in calls
    assert len(calls) <= 4


def test_the_devices_of_a_group_are_aimed_at(lamps, package, org, sign_in):
    from console.groups import api as groups

    gateway = org.gateway()
    group = groups.create_group(gateway, name="Hall_1")
    groups.add_devices(gateway, group.id, lamps, ["lamp-1", "lamp-4"])
    browser = sign_in("release-engineer")
    assert post(browser, org, package, "summary", target="GROUP", group=group.id).context["reach"].count == 2
    post(browser, org, package, "send", target="GROUP", group=group.id)
    (job,) = jobs(org, package)
    _detail, tasks = api.get_job_with_tasks(gateway, job.id)
    assert {task.device for task in tasks.tasks} == {"lamp-1", "lamp-4"}


def test_a_delta_package_updates_from_its_own_version_only(lamps, product, org, sign_in):
    package = make_package(org, product, delta=True, source_version="1.0.0")
    browser = sign_in("release-engineer")
    post(browser, org, package, "send", source_versions="0.9")
    (job,) = jobs(org, package)
    assert api.get_job(org.gateway(), job.id).source_versions == ("1.0.0",)


@pytest.mark.parametrize("kind", ["error", "drop"])
def test_a_failure_keeps_the_input(kind, lamps, package, emulator, org, sign_in):
    emulator.faults.add("CreateOTAStaticUpgradeJob", kind=kind, times=99)
    answer = post(
        sign_in("release-engineer"), org, package, "send", target="SPECIFIC", names="lamp-1", rate="55"
    )
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "CreateOTAStaticUpgradeJob" in text
    assert 'value="55"' in text
    assert "lamp-1" in text


def test_after_a_lost_answer_the_same_sending_makes_no_second_batch(lamps, package, emulator, org, sign_in):
    browser = sign_in("release-engineer")
    emulator.faults.add("CreateOTAStaticUpgradeJob", kind="drop", times=1, after=True)
    assert post(browser, org, package, "send").status_code == 422
    assert post(browser, org, package, "send").status_code == 302
    assert len(jobs(org, package)) == 1


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("step", ["summary", "send"])
def test_who_may_not_makes_no_batch(role, step, lamps, package, org, sign_in):
    assert post(sign_in(role), org, package, step).status_code == 403
    assert jobs(org, package) == ()


def test_a_package_that_is_not_verified_leads_to_no_batch(lamps, product, org, sign_in):
    package = make_package(org, product, verify=True)
    answer = post(sign_in("release-engineer"), org, package, "send")
    assert answer.status_code == 409
    assert "not verified yet" in answer.content.decode()
    assert jobs(org, package) == ()


def test_a_package_is_verified_on_named_devices(lamps, product, org, sign_in):
    package = make_package(org, product, verify=True)
    browser = sign_in("release-engineer")
    url = org.url(f"ota/packages/{package.id}/verify/")
    assert browser.post(url, {"token": "v", "names": "", "need_push": "on"}).status_code == 422
    eleven = " ".join(f"lamp-{number}" for number in range(11))
    assert browser.post(url, {"token": "v", "names": eleven}).status_code == 422
    assert browser.post(url, {"token": "v", "names": "lamp-1", "need_push": "on"}).status_code == 302
    (job,) = jobs(org, package)
    assert job.verify


def test_a_dynamic_batch_is_made_once_and_stopped_by_name(lamps, package, org, sign_in):
    browser = sign_in("release-engineer")
    url = org.url(f"ota/packages/{package.id}/dynamic/")
    assert browser.post(url, fields(source_versions="")).status_code == 422
    assert browser.post(url, fields(source_versions="1.0.0", rate="1001")).status_code == 422
    for _ in range(2):
        assert browser.post(url, fields(source_versions="1.0.0")).status_code == 302
    (job,) = jobs(org, package)
    assert job.dynamic
    stop = org.url(f"ota/batches/{job.id}/stop/")
    assert browser.post(stop, {"typed": "wrong"}).status_code == 422
    assert browser.post(stop, {"typed": "lamp-2"}).status_code == 302
    assert api.get_job(org.gateway(), job.id).job.status == "CANCELED"


# -- a batch under way -------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(lamps, package, org):
    """A batch of all lamps whose tasks wait for confirmation: its id."""
    return api.create_static_job(org.gateway(), package, api.Aim("ALL"), api.Strategy(need_confirm=True))


def tasks(org, job_id):
    return {task.device: task for task in api.get_job_with_tasks(org.gateway(), job_id)[1].tasks}


def test_ticked_tasks_are_confirmed_after_asking(waiting, org, sign_in):
    browser = sign_in("release-engineer")
    task = tasks(org, waiting)["lamp-1"]
    url = org.url(f"ota/batches/{waiting}/confirm/")
    asked = browser.post(url, {"selected": f"{task.id}/lamp-1"})
    assert "Confirm the update of 1 device?" in asked.content.decode()
    assert tasks(org, waiting)["lamp-1"].confirmable
    assert browser.post(url, {"selected": f"{task.id}/lamp-1", "confirmed": "1"}).status_code == 302
    assert not tasks(org, waiting)["lamp-1"].confirmable
    assert tasks(org, waiting)["lamp-2"].confirmable


def test_confirming_twice_tells_that_it_does_not_wait_any_more(waiting, org, sign_in):
    browser = sign_in("release-engineer")
    sent = {"selected": f"{tasks(org, waiting)['lamp-1'].id}/lamp-1", "confirmed": "1"}
    browser.post(org.url(f"ota/batches/{waiting}/confirm/"), sent)
    again = browser.post(org.url(f"ota/batches/{waiting}/confirm/"), sent)
    assert again.status_code == 422
    assert "iot.firmware.InvalidTaskStatus" in again.content.decode()


def test_more_than_ten_cannot_be_confirmed_at_once(waiting, org, sign_in, calls):
    ticked = [f"task-{number}/lamp-{number}" for number in range(11)]
    answer = sign_in("release-engineer").post(
        org.url(f"ota/batches/{waiting}/confirm/"), {"selected": ticked, "confirmed": "1"}
    )
    assert "at most 10 at once" in answer.content.decode()
    assert "ConfirmOTATask" not in calls


def test_one_devices_update_is_cancelled(waiting, org, sign_in):
    task = tasks(org, waiting)["lamp-1"]
    sent = {"selected": f"{task.id}/lamp-1", "confirmed": "1"}
    answer = sign_in("release-engineer").post(org.url(f"ota/batches/{waiting}/cancel-devices/"), sent)
    assert answer.status_code == 302
    assert tasks(org, waiting)["lamp-1"].status == "CANCELED"
    assert tasks(org, waiting)["lamp-2"].status == "CONFIRM"


def test_a_batch_is_cancelled_by_the_states_that_were_ticked(lamps, package, org, sign_in, waiting):
    browser = sign_in("release-engineer")
    task = tasks(org, waiting)["lamp-1"]
    api.confirm_tasks(org.gateway(), [task.id])
    url = org.url(f"ota/batches/{waiting}/cancel/")
    assert browser.post(url, {}).status_code == 422
    assert browser.post(url, {"states": "QUEUED"}).status_code == 302
    left = tasks(org, waiting)
    assert left["lamp-2"].status == "CONFIRM"
    assert browser.post(url, {"states": ["CONFIRM"]}).status_code == 302
    assert tasks(org, waiting)["lamp-2"].status == "CANCELED"


def test_cancelling_twice_tells_that_it_is_cancelled(waiting, org, sign_in):
    browser = sign_in("release-engineer")
    url = org.url(f"ota/batches/{waiting}/cancel/")
    assert browser.post(url, {"states": ["CONFIRM", "QUEUED", "NOTIFIED"]}).status_code == 302
    again = browser.post(url, {"states": ["CONFIRM", "QUEUED", "NOTIFIED"]})
    assert again.status_code == 422
    assert "iot.firmware.JobAlreadyCanceled" in again.content.decode()


@pytest.mark.parametrize("page", ["cancel", "stop", "confirm", "cancel-devices", "watch"])
def test_who_may_only_read_changes_nothing_of_a_batch(page, waiting, org, sign_in):
    task = tasks(org, waiting)["lamp-1"]
    sent = {"selected": f"{task.id}/lamp-1", "confirmed": "1", "states": "CONFIRM", "typed": "lamp-2"}
    for role in ("viewer", "operator"):
        assert sign_in(role).post(org.url(f"ota/batches/{waiting}/{page}/"), sent).status_code == 403
    assert tasks(org, waiting)["lamp-1"].status == "CONFIRM"
    assert not Job.objects.exists()


@pytest.mark.parametrize("page", ["confirm", "cancel-devices", "watch"])
def test_what_changes_by_a_button_takes_post_only(page, waiting, org, sign_in):
    assert sign_in("owner").get(org.url(f"ota/batches/{waiting}/{page}/")).status_code == 405


def test_a_batch_nobody_watches_can_be_watched_once(waiting, org, sign_in):
    browser = sign_in("release-engineer")
    for _ in range(2):
        assert browser.post(org.url(f"ota/batches/{waiting}/watch/")).status_code == 302
    assert Job.objects.filter(kind="ota.watch", subject=waiting).count() == 1


def test_a_watched_batch_shows_the_kept_counts_and_its_chart(waiting, org, sign_in):
    from console.jobs.models import Sample
    from console.ota.jobs import watch

    job = watch(org.gateway("release-engineer"), waiting, product_key="k1")
    for succeeded in (0, 3):
        Sample.objects.create(job=job, counts={"SUCCEEDED": succeeded, "QUEUED": 5 - succeeded})
    browser = sign_in("viewer")
    page = browser.get(org.url(f"ota/batches/{waiting}/"))
    assert page.context["counts"].finished == 3
    assert "history.json" in page.content.decode()
    data = browser.get(org.url(f"ota/batches/{waiting}/history.json")).json()
    assert len(data["x"]) == 2
    assert {curve["label"]: curve["values"] for curve in data["series"]} == {
        "Succeeded": [0, 3],
        "Waiting": [5, 2],
    }


def test_a_watch_that_was_ended_too_early_is_not_taken_for_the_present(waiting, org, sign_in):
    from console.jobs.models import Sample
    from console.ota.jobs import watch

    job = watch(org.gateway("release-engineer"), waiting, product_key="k1")
    Sample.objects.create(job=job, counts={"QUEUED": 5})
    Job.objects.filter(pk=job.pk).update(state="canceled", finished_at=timezone.now())
    page = sign_in("release-engineer").get(org.url(f"ota/batches/{waiting}/"))
    assert page.context["counts"] is None
    assert "Watch it" in page.content.decode()


def test_a_watch_without_a_first_look_is_waited_for(waiting, org, sign_in):
    from console.ota.jobs import watch

    watch(org.gateway("release-engineer"), waiting, product_key="k1")
    text = sign_in("viewer").get(org.url(f"ota/batches/{waiting}/")).content.decode()
    assert "Refreshes by itself" in text
    assert f"/batches/{waiting}/live/" in text
