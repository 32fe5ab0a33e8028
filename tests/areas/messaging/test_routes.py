"""Routes between topics of devices: both directions, creation, deletion, partial failures."""

from __future__ import annotations

import json

import httpx
import pytest
from django.contrib.messages import get_messages

from console.areas.messaging import api
from console.areas.messaging.actions import BULK_DELETE_ROUTES
from console.audit.models import AuditRecord
from console.connections import clients
from console.jobs.models import Item, Job


def create_routes(browser, org, source, *targets):
    return browser.post(
        org.url(f"messaging/routes/new/?topic={source}"), {"source": source, "targets": "\n".join(targets)}
    )


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_topic_shows_what_it_sends_to_and_what_sends_to_it(topic, org, sign_in):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get"), topic(3, "get")])
    api.create_routes(org.gateway(), topic(3), [topic(1)])
    response = sign_in("viewer").get(org.url("messaging/routes/"), {"topic": topic(1)})
    assert [route.target for route in response.context["targets"].rows] == [topic(2, "get"), topic(3, "get")]
    assert [route.source for route in response.context["sources"].rows] == [topic(3)]
    page = response.content.decode()
    assert "2 target topics" in page
    assert "1 source topic" in page


def test_the_other_end_of_a_route_leads_to_its_own_routes_and_its_device(product, topic, org, sign_in):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get")])
    page = sign_in("viewer").get(org.url("messaging/routes/"), {"topic": topic(1)}).content.decode()
    assert f"?topic={topic(2, 'get').replace('/', '%2F')}" in page
    assert org.url(f"devices/{product}/lamp-2/") in page


@pytest.mark.parametrize(
    "text",
    ["nonsense", "/a1x/lamp-1/thing/event", "/sys/a1x/lamp-1/user/get", "/a/b/user/", "\x00", "9" * 5000],
)
def test_a_text_that_is_no_custom_topic_is_explained_before_anything_is_sent(
    product, org, sign_in, calls, text
):
    calls.clear()
    response = sign_in("viewer").get(org.url("messaging/routes/"), {"topic": text})
    assert response.status_code == 200
    assert "is not a custom topic of a device" in response.content.decode()
    assert calls == []


def test_a_topic_of_a_missing_device_or_category_is_404(topic, org, sign_in):
    for missing in (topic(9), topic(1, "never")):
        response = sign_in("viewer").get(org.url("messaging/routes/"), {"topic": missing})
        assert response.status_code == 404
        assert f'value="{missing}"' in response.content.decode(), "the topic can be corrected"


# -- creation ----------------------------------------------------------------------------------------------------------


def test_routes_to_several_targets_are_created_by_one_call(topic, org, sign_in, read_routes, calls):
    targets = [topic(2, "get"), topic(3, "get")]
    calls.clear()
    response = create_routes(sign_in("operator"), org, topic(1), *targets, targets[0])
    assert calls == ["CreateTopicRouteTable"]
    assert response["Location"].startswith(f"{org.url('messaging/routes/')}?topic=")
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["2 routes created."]
    assert read_routes(topic(1)) == (targets, [])
    assert AuditRecord.objects.get(operation="CreateTopicRouteTable").target == topic(1)


def test_the_form_is_opened_with_the_topic_of_the_page(topic, org, sign_in):
    address = f"{org.url('messaging/routes/new/')}?topic={topic(1)}"
    page = sign_in("operator").get(org.url("messaging/routes/"), {"topic": topic(1)}).content.decode()
    assert f'href="{org.url("messaging/routes/new/")}?topic={topic(1).replace("/", "%2F")}"' in page
    assert f'value="{topic(1)}"' in sign_in("operator").get(address).content.decode()


def test_targets_that_the_platform_refuses_are_listed_and_the_others_are_created(
    topic, org, sign_in, read_routes
):
    good, bad = topic(2, "get"), [topic(9, "get"), topic(3, "never")]
    response = create_routes(sign_in("operator"), org, topic(1), good, *bad)
    assert response.status_code == 422
    errors = str(response.context["form"].errors["targets"])
    assert "1 of 3 routes created." in errors
    assert response["HX-Trigger"] == "list-changed", "the list under the dialog shows the created route"
    assert all(target in errors for target in bad)
    assert good not in errors
    assert good in response.content.decode(), "the input is kept"
    assert read_routes(topic(1))[0] == [good]


def test_a_failure_without_the_names_of_the_targets_counts_for_all(topic, org, sign_in, monkeypatch):
    body = {"RequestId": "r", "Success": True, "IsAllSucceed": False}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=json.dumps(body)))
    monkeypatch.setattr(clients, "transport_for", lambda connection: transport)
    clients.drop_clients()
    response = create_routes(sign_in("operator"), org, topic(1), topic(2, "get"))
    assert "0 of 1 routes created." in str(response.context["form"].errors["targets"])


@pytest.mark.parametrize(
    ("source", "targets", "field", "text"),
    [
        ("nonsense", ["/a1x/lamp-2/user/get"], "source", "“nonsense” is not a custom topic"),
        (
            "/a1x/lamp-1/user/update",
            ["/a1x/lamp-2/get"],
            "targets",
            "“/a1x/lamp-2/get” is not a custom topic",
        ),
        (
            "/a1x/lamp-1/user/update",
            ["/a1x/lamp-1/user/update"],
            "targets",
            "The source topic cannot be a target",
        ),
        ("/a1x/lamp-1/user/update", [], "targets", "required"),
        (
            "/a1x/lamp-1/user/update",
            [f"/a1x/lamp-{number}/user/get" for number in range(101)],
            "targets",
            "up to 100 entries",
        ),
    ],
)
def test_invalid_routes_are_reported_at_the_field_before_anything_is_sent(
    product, org, sign_in, calls, source, targets, field, text
):
    calls.clear()
    response = create_routes(sign_in("operator"), org, source, *targets)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert text in str(response.context["form"].errors[field])
    assert calls == []


def test_a_source_whose_device_was_never_activated_is_explained(topic, org, sign_in):
    response = create_routes(sign_in("operator"), org, topic(4), topic(1, "get"))
    assert response.status_code == 422
    text = response.content.decode()
    assert "The device has never been activated." in text
    assert topic(1, "get") in text


def test_a_source_cannot_have_more_than_a_hundred_targets(topic, org, sign_in, read_routes, add_categories):
    add_categories(40)
    everything = [topic(device, f"t{number}") for device in (1, 2, 3) for number in range(40)]
    assert create_routes(sign_in("operator"), org, topic(1), *everything[:100]).status_code == 302
    response = create_routes(sign_in("operator"), org, topic(1), everything[100])
    assert response.status_code == 422
    assert "iot.messagebroker.DestTopicNameArraySizeIsLarge" in response.content.decode()
    assert len(read_routes(topic(1))[0]) == 100


# -- deletion ----------------------------------------------------------------------------------------------------------


def delete_routes(browser, org, *keys, **values):
    return browser.post(org.url("messaging/routes/bulk/delete/"), {"selected": keys, **values})


def test_ticked_routes_of_both_directions_are_deleted_with_one_call_for_each_source(
    topic, org, sign_in, read_routes, calls
):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get"), topic(3, "get")])
    api.create_routes(org.gateway(), topic(3), [topic(1)])
    page = sign_in("operator").get(org.url("messaging/routes/"), {"topic": topic(1)})
    rows = [*page.context["targets"].rows, *page.context["sources"].rows]
    keys = [route.key for route in rows]
    question = delete_routes(sign_in("operator"), org, *keys, query=f"topic={topic(1)}").content.decode()
    assert "Delete 3 routes?" in question
    assert f"{topic(1)} → {topic(2, 'get')}" in question
    calls.clear()
    done = delete_routes(sign_in("operator"), org, *keys, query=f"topic={topic(1)}", confirmed="1")
    assert "3 succeeded" in done.content.decode()
    assert f"{org.url('messaging/routes/')}?topic=" in done.content.decode()
    assert calls == ["DeleteTopicRouteTable"] * 2
    assert read_routes(topic(1)) == ([], [])


def test_a_route_that_was_deleted_meanwhile_fails_alone(topic, org, sign_in, read_routes):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get"), topic(3, "get")])
    gone, kept = f"{topic(1)} {topic(2)}", f"{topic(1)} {topic(3, 'get')}"
    done = delete_routes(sign_in("operator"), org, gone, kept, confirmed="1").content.decode()
    assert "1 succeeded, 1 failed" in done
    assert "iot.messagebroker.DeleteTopicRouteFailed" in done
    assert read_routes(topic(1))[0] == [topic(2, "get")]


def test_many_routes_are_deleted_by_a_job_also_those_of_one_source_and_with_long_topics(
    product, topic, org, sign_in, read_routes, run_job, monkeypatch, emulator
):
    monkeypatch.setitem(BULK_DELETE_ROUTES.__dict__, "direct", 2)
    long_name = "alarm_of_the_highest_level/" * 4 + "now"
    api.create_category(org.gateway(), product, short_name=long_name, permission="ALL")
    targets = [topic(2, "get"), topic(3, "get"), topic(3, long_name)]
    for source in (topic(1), topic(1, long_name)):
        assert not api.create_routes(org.gateway(), source, targets)
    keys = [f"{source} {target}" for source in (topic(1), topic(1, long_name)) for target in targets]
    browser = sign_in("operator")
    delete_routes(browser, org, *keys)
    job = Job.objects.get()
    assert list(Item.objects.filter(job=job).values_list("key", flat=True)) == keys
    limits = {name: Item._meta.get_field(name).max_length for name in ("key", "label")}
    assert all(
        len(getattr(item, name)) <= most for item in Item.objects.all() for name, most in limits.items()
    )
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    job = run_job(job)
    assert (job.state, job.succeeded) == (Job.State.SUCCEEDED, len(keys))
    assert read_routes(topic(1)) == read_routes(topic(1, long_name)) == ([], [])


def test_a_cloud_error_counts_for_all_routes_of_its_source(topic, org, sign_in, read_routes):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get")])
    keys = [f"{topic(1)} {topic(2, 'get')}", f"{topic(9)} {topic(2, 'get')}", f"{topic(9)} {topic(3, 'get')}"]
    done = delete_routes(sign_in("operator"), org, *keys, confirmed="1").content.decode()
    assert "1 succeeded, 2 failed" in done
    assert "iot.device.NotExistedDevice" in done
    assert read_routes(topic(2, "get")) == ([], [])
