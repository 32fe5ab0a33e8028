"""Pages of a team's connections: keys are tested before they are saved, and never sent back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.utils import timezone

from console.audit.models import AuditRecord
from console.connections import clients
from console.connections.models import Connection
from console.jobs.models import Job
from tests.conftest import KEY_SECRET, Organization
from tests.connections.forms import ADD, DELETE, EDIT, LIST, TEST, UNCHANGED, VALID, read_errors
from tests.recorded_calls import RecordedNetwork

SignIn = Callable[[str], Client]
FAILED_TEST = (
    "Connection Production saved, but its test failed: "
    "The platform did not respond in time, or returned an internal error. Try again."
)


def test_a_connection_whose_keys_work_is_saved_and_recorded(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("administrator").post(ADD, VALID)
    assert response["Location"] == "/acme/production/"
    connection = Connection.objects.get(team=org.team, slug="production")
    assert connection.access_key_secret == KEY_SECRET
    assert network.calls.count("QueryProductList") == 1
    records = AuditRecord.objects.for_team(org.team)
    assert set(records.values_list("operation", "outcome")) == {
        ("connection.test", "done"),
        ("connection.create", "done"),
    }
    assert KEY_SECRET not in str([vars(record) for record in records])


@pytest.mark.parametrize("name", ["Sandbox", "SANDBOX", "Ｓandbox", "Sand\u200bbox"])
def test_a_connection_cannot_look_like_another_one(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, name: str
) -> None:
    response = sign_in("owner").post(ADD, {**VALID, "name": name, "slug": "other"})
    assert "is the same as" in read_errors(response, "name")
    assert not Connection.objects.filter(slug="other").exists()


def test_a_connection_with_the_name_of_another_one_can_be_edited(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    twin = Connection.objects.get(team=org.team, slug="sandbox")
    twin.pk, twin.slug = None, "twin"
    twin.save()
    assert sign_in("owner").post(EDIT, {**UNCHANGED, "region": "cn-beijing"}).status_code == 302


def test_a_wrong_key_id_is_shown_at_its_field_and_the_input_is_kept(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("owner").post(ADD, {**VALID, "access_key_id": "LTAIwrong"})
    assert "This AccessKey ID does not exist" in read_errors(response, "access_key_id")
    assert "LTAIwrong" in response.content.decode()
    assert not Connection.objects.filter(slug="production").exists()


def test_a_wrong_secret_is_shown_at_its_field_and_not_sent_back(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("owner").post(ADD, {**VALID, "access_key_secret": "wrong-secret-typed"})
    assert "secret does not match" in read_errors(response, "access_key_secret")
    assert "wrong-secret-typed" not in response.content.decode()


def test_a_wrong_instance_is_shown_at_its_field(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("owner").post(ADD, {**VALID, "instance_id": "iot-unknown"})
    assert "No instance with this ID" in read_errors(response, "instance_id")


def test_a_wrong_server_clock_is_reported(
    emulator: Any,
    network: RecordedNetwork,
    org: Organization,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hour_ago = time.gmtime(time.time() - 3600)
    monkeypatch.setattr("iot_client.client.time.gmtime", lambda *args: hour_ago)
    assert "clock" in read_errors(sign_in("owner").post(ADD, VALID))


class BrokenTransport(httpx.BaseTransport):
    """A network that always fails in the same way."""

    def __init__(self, failure: Exception | httpx.Response) -> None:
        self.failure = failure

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure


@pytest.mark.parametrize(
    ("failure", "endpoint", "field", "message"),
    [
        (httpx.ConnectError("refused"), "https://nowhere.test", "endpoint", "No response from"),
        (httpx.ConnectError("no such host"), "", "region", "cannot be reached"),
        (httpx.ReadTimeout("slow"), "https://slow.test", "endpoint", "in time"),
        (
            httpx.Response(200, text="<html>hello</html>"),
            "https://web.test",
            "endpoint",
            "is not IoT Platform",
        ),
        (httpx.Response(404, text="not here"), "https://web.test", "endpoint", "is not IoT Platform"),
        (httpx.Response(503, text="busy"), "https://web.test", "endpoint", "internal error"),
    ],
)
def test_an_address_that_is_not_the_platform_is_shown_at_its_field(
    org: Organization,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
    failure: Any,
    endpoint: str,
    field: str,
    message: str,
) -> None:
    monkeypatch.setattr(clients, "transport_for", lambda connection: BrokenTransport(failure))
    response = sign_in("owner").post(ADD, {**VALID, "endpoint": endpoint})
    assert message in read_errors(response, field)


def test_keys_that_may_not_list_products_are_valid(
    emulator: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    emulator.faults.add("QueryProductList", "error", code="iot.common.RamActionPermissionDeny", status=200)
    assert sign_in("owner").post(ADD, VALID).status_code == 302


def test_a_connection_can_be_saved_although_the_test_failed(
    emulator: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    emulator.faults.add("QueryProductList", "error", times=9, status=503)
    client = sign_in("owner")
    response = client.post(ADD, {**VALID, "skip_test": "on"}, follow=True)
    assert Connection.objects.filter(slug="production").exists()
    assert [str(message) for message in response.context["messages"]] == [FAILED_TEST]


def test_a_changed_connection_whose_test_failed_is_not_reported_as_working(
    emulator: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    emulator.faults.add("QueryProductList", "error", times=9, status=503)
    client = sign_in("owner")
    response = client.post(EDIT, {**UNCHANGED, "skip_test": "on"}, follow=True)
    assert [str(message) for message in response.context["messages"]] == [
        FAILED_TEST.replace("Production", "Sandbox")
    ]


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://emulator.test",
        "https://user:password@emulator.test",
        "https://emulator.test/path",
        "https://emulator.test?x=1",
        "https://",
        "javascript:alert(1)",
        "https://emulator.test:99999",
    ],
)
def test_an_endpoint_must_be_an_address_without_anything_else(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, endpoint: str
) -> None:
    assert read_errors(sign_in("owner").post(ADD, {**VALID, "endpoint": endpoint}), "endpoint")
    assert network.calls == []


@pytest.mark.parametrize("region", ["", "cn shanghai", "evil.example/", "cn_shanghai", "x" * 60])
def test_a_region_must_be_a_valid_id(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, region: str
) -> None:
    assert read_errors(sign_in("owner").post(ADD, {**VALID, "region": region}), "region")


def test_a_short_name_is_unique_in_the_team_only(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    assert "already" in read_errors(client.post(ADD, {**VALID, "slug": "sandbox"}), "slug")
    assert client.post(ADD, {**VALID, "slug": "plant"}).status_code == 302


def test_the_secret_is_never_sent_to_the_browser(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    Connection.objects.filter(pk=org.connection.pk).update(security_token="token-of-no-worth")
    client = sign_in("owner")
    for page in (LIST, EDIT, ADD, DELETE):
        text = client.get(page).content.decode()
        assert KEY_SECRET not in text
        assert "token-of-no-worth" not in text


def test_an_empty_secret_field_keeps_the_stored_secret(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    assert sign_in("administrator").post(EDIT, {**UNCHANGED, "name": "Renamed"}).status_code == 302
    connection = Connection.objects.get(pk=org.connection.pk)
    assert (connection.name, connection.access_key_secret) == ("Renamed", KEY_SECRET)


def test_a_stored_token_is_not_sent_to_another_address(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    connection = org.connection
    connection.security_token = "token-of-no-worth"
    connection.save()
    changed = {**UNCHANGED, "endpoint": "https://evil.test", "skip_test": "on"}
    client = sign_in("owner")
    assert "Enter the token again" in read_errors(client.post(EDIT, changed), "security_token")
    assert network.calls == []
    assert client.post(EDIT, {**changed, "remove_token": "on"}).status_code == 302
    assert Connection.objects.get(pk=connection.pk).security_token == ""


def test_an_edit_does_not_overwrite_another_users_change(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    shown_version = sign_in("owner").get(EDIT).context["form"]["shown_version"].value()
    assert sign_in("administrator").post(EDIT, {**UNCHANGED, "name": "Renamed"}).status_code == 302
    response = sign_in("owner").post(
        EDIT, {**UNCHANGED, "region": "us-west-1", "shown_version": shown_version}
    )
    assert "another user" in read_errors(response).lower()
    connection = Connection.objects.get(pk=org.connection.pk)
    assert (connection.name, connection.region) == ("Renamed", "cn-shanghai")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_change_during_the_key_test_is_not_overwritten(
    network: RecordedNetwork,
    org: Organization,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
    deleted: bool,
) -> None:
    send = network.handle_request

    def change_during_test(request: httpx.Request) -> httpx.Response:
        if deleted:
            Connection.objects.filter(pk=org.connection.pk).delete()
        else:
            Connection.objects.get(pk=org.connection.pk).save()
        return send(request)

    monkeypatch.setattr(network, "handle_request", change_during_test)
    response = sign_in("owner").post(EDIT, {**UNCHANGED, "name": "Late"})
    assert "another user" in read_errors(response).lower()
    assert not Connection.objects.filter(name="Late").exists()
    assert AuditRecord.objects.get(operation="connection.edit").outcome == "failed"


def test_an_undecryptable_secret_can_be_entered_again(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, settings: Any
) -> None:
    keys, connection = settings.FIELD_ENCRYPTION_KEYS, Connection.objects.get(pk=org.connection.pk)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    connection.access_key_secret = KEY_SECRET
    connection.save()  # encrypts the secret with a key that the console does not have afterwards
    settings.FIELD_ENCRYPTION_KEYS = keys
    client = sign_in("owner")
    assert client.get(LIST).status_code == 200
    assert client.get(EDIT).status_code == 200
    assert "Enter it again" in read_errors(client.post(EDIT, UNCHANGED), "access_key_secret")
    assert client.post(EDIT, {**UNCHANGED, "access_key_secret": KEY_SECRET}).status_code == 302
    assert Connection.objects.get(pk=org.connection.pk).access_key_secret == KEY_SECRET


def test_the_next_call_uses_the_new_keys(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    before = clients.client_for(Connection.objects.get(pk=org.connection.pk))
    sign_in("owner").post(EDIT, {**UNCHANGED, "region": "us-east-1"})
    after = clients.client_for(Connection.objects.get(pk=org.connection.pk))
    assert (before.region, after.region) == ("cn-shanghai", "us-east-1")
    assert clients.client_for(Connection.objects.get(pk=org.connection.pk)) is after


@pytest.mark.parametrize(
    ("changes", "continues"),
    [
        ({"same_account": "on"}, True),
        ({}, False),
        ({"same_account": "on", "region": "us-east-1"}, False),
        ({"same_account": "on", "instance_id": "iot-other"}, False),
    ],
)
def test_unfinished_jobs_continue_with_a_new_key_only_if_it_is_said_to_belong_to_the_same_account(
    network: RecordedNetwork, org: Organization, sign_in: SignIn, changes: dict[str, str], continues: bool
) -> None:
    def create_job(**values: Any) -> Job:
        return Job.objects.create(team=org.team, connection=org.connection, kind="x", **values)

    running = create_job(account=org.connection.account, state=Job.State.RUNNING)
    of_another_account = create_job(account="another", state=Job.State.RUNNING)
    finished = create_job(
        account=org.connection.account, state=Job.State.SUCCEEDED, finished_at=timezone.now()
    )
    client = sign_in("owner")
    assert 'name="same_account"' in client.get(EDIT).content.decode()
    new_key = {"access_key_id": "LTAI5tRotatedKey0000", "access_key_secret": "rotated", "skip_test": "on"}
    assert client.post(EDIT, {**UNCHANGED, **new_key, **changes}).status_code == 302
    connection = Connection.objects.get(pk=org.connection.pk)
    accounts = {job: Job.objects.get(pk=job.pk).account for job in (running, of_another_account, finished)}
    assert (accounts[running] == connection.account) is continues
    assert accounts[of_another_account] == "another"
    assert accounts[finished] == org.connection.account


def test_a_new_connection_is_not_asked_for_its_former_account(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    assert "same_account" not in sign_in("owner").get("/acme/-/connections/add/").content.decode()


def test_the_test_button_shows_whether_the_keys_work(
    emulator: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    assert "accepts the keys" in client.post(TEST, headers={"HX-Request": "true"})["HX-Trigger"]
    emulator.keys.clear()
    emulator.faults.add("QueryProductList", "error", code="InvalidAccessKeyId.NotFound", status=404)
    assert (
        "This AccessKey ID does not exist" in client.post(TEST, headers={"HX-Request": "true"})["HX-Trigger"]
    )


def test_the_list_shows_the_last_test_of_each_connection(
    emulator: Any, network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    version = Connection.objects.get(pk=org.connection.pk).updated_at

    def read_status() -> str:
        (row,) = client.get(LIST).context["table"].rows
        return str(row.test_status)

    assert read_status() == "untested"
    client.post(TEST)
    assert read_status() == "accepted"
    emulator.faults.add("QueryProductList", "error", code="InvalidAccessKeyId.NotFound", status=404)
    assert "list-changed" in client.post(TEST, headers={"HX-Request": "true"})["HX-Trigger"]
    assert read_status() == "refused"
    # A test is no edit: the form of another user stays valid.
    assert Connection.objects.get(pk=org.connection.pk).updated_at == version
    assert client.post(EDIT, UNCHANGED).status_code == 302
    assert read_status() == "accepted"


def test_a_test_of_refused_keys_does_not_change_the_status_of_the_stored_ones(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    client.post(TEST)
    assert client.post(EDIT, {**UNCHANGED, "access_key_id": "LTAIwrong"}).status_code == 422
    assert Connection.objects.get(pk=org.connection.pk).test_status == "accepted"


def test_deleting_requires_the_name_and_changes_nothing_in_the_cloud(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    assert client.post(DELETE, {"typed": "sandbox"}).status_code == 422
    assert client.post(DELETE, {"typed": "Sandbox"}).status_code == 302
    assert not Connection.objects.filter(pk=org.connection.pk).exists()
    assert network.calls == []
    assert AuditRecord.objects.filter(operation="connection.delete", outcome="done").exists()


def test_a_connection_with_running_jobs_is_not_deleted(org: Organization, sign_in: SignIn) -> None:
    Job.objects.create(team=org.team, connection=org.connection, kind="x", state=Job.State.RUNNING)
    assert "Jobs" in read_errors(sign_in("owner").post(DELETE, {"typed": "Sandbox"}))
    assert Connection.objects.filter(pk=org.connection.pk).exists()


def test_another_teams_connection_is_not_found(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    for verb in ("edit", "delete"):
        assert client.get(f"/acme/-/connections/plant/{verb}/").status_code == 404
        assert client.get(f"/globex/-/connections/plant/{verb}/").status_code == 404
    client.post("/acme/-/connections/plant/delete/", {"typed": "Plant"})
    assert Connection.objects.filter(slug="plant").exists()


def test_a_region_that_the_list_does_not_have_is_entered(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    other = {**VALID, "region": "other"}
    assert "region ID" in read_errors(client.post(ADD, {**other, "region_id": ""}), "region_id")
    assert "region ID" in read_errors(client.post(ADD, {**other, "region_id": "cn beijing"}), "region_id")
    assert client.post(ADD, {**other, "region_id": "CN-Beijing"}).status_code == 302
    assert Connection.objects.get(slug="production").region == "cn-beijing"
    form = client.get("/acme/-/connections/production/edit/").context["form"]
    assert (form["region"].value(), form["region_id"].value()) == ("other", "cn-beijing")
    assert (
        "region"
        not in type(form)(
            form.actor, {**other, "region_id": "cn-beijing"}, instance=form.instance
        ).changed_data
    )


def test_a_token_is_not_sent_to_a_region_that_was_entered_later(
    network: RecordedNetwork, org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    connection = Connection.objects.get(pk=org.connection.pk)
    connection.security_token = "token"
    connection.save()
    changed = {**UNCHANGED, "region": "other", "region_id": "cn-beijing"}
    assert "Enter the token again" in read_errors(client.post(EDIT, changed), "security_token")
    assert network.calls == []
