"""The gateway: which calls pass, in which order they are checked, and what is recorded."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

import httpx
import pytest
import redis
from django.db import connections

from console.accounts.encryption import Undecryptable
from console.accounts.models import Membership, User
from console.audit.masking import MASK
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.connections import clients
from console.connections.gateway import Call, Gateway, PermissionRefused
from console.connections.models import Connection
from iot_client.catalogue import Access, operations
from iot_client.errors import BadResponse, InvalidParameter, NotFound, Throttled, Unavailable
from iot_client.quota import Lane
from tests.conftest import KEY_SECRET, Organization
from tests.recorded_calls import RecordedNetwork

pytestmark = pytest.mark.django_db
Outcome = AuditRecord.Outcome


@pytest.fixture
def product_key(network: RecordedNetwork, org: Organization) -> str:
    """A product with one device, meter-0001."""
    gateway = org.gateway()
    key = str(gateway.call("CreateProduct", ProductName="SmartMeter", NodeType=0)["ProductKey"])
    gateway.call("RegisterDevice", ProductKey=key, DeviceName="meter-0001")
    AuditRecord.objects.all().delete()
    network.calls.clear()
    return key


# -- permission ------------------------------------------------------------------------------------------------------


def test_a_refused_write_is_recorded_and_never_sent(network: RecordedNetwork, org: Organization) -> None:
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("CreateProduct", ProductName="SmartMeter", NodeType=0)
    record = AuditRecord.objects.get()
    assert (record.operation, record.outcome, record.target) == (
        "CreateProduct",
        Outcome.REFUSED,
        "SmartMeter",
    )
    assert record.actor_label == "viewer@acme.test"
    assert network.calls == []


def test_permission_comes_before_validation(network: RecordedNetwork, org: Organization) -> None:
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("CreateProduct")


@pytest.mark.parametrize("name", [o.name for o in operations().values() if o.access is not Access.READ])
def test_a_viewer_may_call_nothing_that_writes(org: Organization, name: str) -> None:
    assert not org.gateway("viewer").allows(name)


def test_a_deactivated_user_may_call_nothing(network: RecordedNetwork, org: Organization) -> None:
    gateway = org.gateway("owner")
    gateway.actor.is_active = False
    assert not gateway.allows("QueryProductList")
    with pytest.raises(PermissionRefused):
        gateway.call("QueryProductList", CurrentPage=1, PageSize=10)


def test_the_membership_must_belong_to_the_actor_and_the_connections_team(org: Organization) -> None:
    own = Membership.objects.get(team=org.team, user=org.members["owner"])
    with pytest.raises(ValueError, match="membership"):
        Gateway(actor=org.members["owner"], membership=own, connection=org.other_connection)
    with pytest.raises(ValueError, match="membership"):
        Gateway(actor=org.outsider, membership=own, connection=org.connection)


# -- validation ------------------------------------------------------------------------------------------------------


def test_a_call_that_violates_the_catalogue_is_neither_sent_nor_recorded(
    network: RecordedNetwork, org: Organization
) -> None:
    with pytest.raises(InvalidParameter) as caught:
        org.gateway().call("CreateProduct", ProductName="no", NodeType=0)
    assert "ProductName" in caught.value.problems
    assert network.calls == []
    assert not AuditRecord.objects.exists()


# -- the audit trail -------------------------------------------------------------------------------------------------


def test_a_write_is_recorded_with_actor_address_parameters_and_request_id(
    network: RecordedNetwork, org: Organization
) -> None:
    gateway = org.gateway("operator", origin=Origin(ip="10.0.0.7", user_agent="Browser", job_id=5))
    response = gateway.call("CreateProduct", ProductName="SmartMeter", NodeType=0)
    record = AuditRecord.objects.get()
    assert record.outcome == Outcome.DONE
    assert record.request_id == response["RequestId"]
    assert (record.team, record.actor, record.connection) == (org.team, org.members["operator"], "sandbox")
    assert (record.ip, record.user_agent, record.job) == ("10.0.0.7", "Browser", 5)
    assert record.parameters == {"ProductName": "SmartMeter", "NodeType": 0}
    assert record.closed_at is not None


def test_a_read_is_not_recorded(network: RecordedNetwork, org: Organization) -> None:
    org.gateway("viewer").call("QueryProductList", CurrentPage=1, PageSize=10)
    assert not AuditRecord.objects.exists()


def test_a_write_the_platform_refused_is_recorded_as_failed_with_its_code(
    network: RecordedNetwork, org: Organization
) -> None:
    with pytest.raises(NotFound):
        org.gateway().call("DeleteProduct", ProductKey="a1BwAGV0000")
    record = AuditRecord.objects.get()
    assert (record.outcome, record.code) == (Outcome.FAILED, "iot.prod.NotExistedProduct")
    assert record.request_id


def test_a_write_without_a_response_is_recorded_as_unknown_and_not_repeated(
    emulator: Any, network: RecordedNetwork, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_response(request: httpx.Request) -> httpx.Response:
        RecordedNetwork.handle_request(network, request)
        raise httpx.ReadTimeout("the response is lost")

    monkeypatch.setattr(network, "handle_request", lose_response)
    with pytest.raises(Unavailable) as caught:
        org.gateway().call("CreateProduct", ProductName="SmartMeter", NodeType=0)
    assert caught.value.sent
    assert AuditRecord.objects.get().outcome == Outcome.UNKNOWN
    assert network.calls.count("CreateProduct") == 1


def test_a_write_with_an_unreadable_response_is_recorded_as_unknown(
    emulator: Any, network: RecordedNetwork, org: Organization
) -> None:
    emulator.faults.add("CreateProduct", "malformed", after=True)
    with pytest.raises(Exception, match="BadResponse"):
        org.gateway().call("CreateProduct", ProductName="SmartMeter", NodeType=0)
    assert AuditRecord.objects.get().outcome == Outcome.UNKNOWN
    assert network.calls.count("CreateProduct") == 1


def test_a_response_cut_off_after_a_secret_reveals_it_to_nobody(
    emulator: Any, network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    cut_off = '{"Success": true, "Data": {"DeviceSecret": "canary-of-a-device"'
    emulator.faults.add("RegisterDevice", "malformed", body=cut_off)
    with pytest.raises(BadResponse) as caught:
        org.gateway("operator").call("RegisterDevice", ProductKey=product_key, DeviceName="meter-0002")
    assert "canary" not in f"{caught.value} {caught.value.message} {AuditRecord.objects.get().message}"


def test_a_closed_record_is_never_edited(org: Organization) -> None:
    from console.audit.records import close_record, open_record

    record = open_record(operation="X", actor=None, team=org.team, origin=Origin())
    close_record(record, Outcome.FAILED, code="first")
    close_record(record, Outcome.DONE, code="second")
    record.refresh_from_db()
    assert (record.outcome, record.code) == (Outcome.FAILED, "first")


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_secrets_in_a_response_are_masked_wherever_they_are_nested(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    gateway = org.gateway("administrator")
    listed = gateway.call("QueryDevice", ProductKey=product_key, PageSize=10)
    assert [row["DeviceSecret"] for row in listed["Data"]["DeviceInfo"]] == [MASK]
    assert listed["Data"]["DeviceInfo"][0]["DeviceName"] == "meter-0001"
    one = gateway.call("QueryDeviceDetail", ProductKey=product_key, DeviceName="meter-0001")
    assert one["Data"]["DeviceSecret"] == MASK


def test_a_secret_is_revealed_to_those_with_the_level_and_recorded(
    org: Organization, product_key: str
) -> None:
    response = org.gateway("administrator").call(
        "QueryDeviceDetail", ProductKey=product_key, DeviceName="meter-0001", reveal=True
    )
    secret = response["Data"]["DeviceSecret"]
    assert secret
    assert secret != MASK
    record = AuditRecord.objects.get()
    assert (record.operation, record.outcome, record.target) == (
        "QueryDeviceDetail",
        Outcome.DONE,
        f"{product_key}/meter-0001",
    )
    assert secret not in str(vars(record))


def test_a_reveal_without_the_level_is_refused_and_recorded(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    with pytest.raises(PermissionRefused):
        org.gateway("operator").call(
            "QueryDeviceDetail", ProductKey=product_key, DeviceName="meter-0001", reveal=True
        )
    assert AuditRecord.objects.get().outcome == Outcome.REFUSED
    assert network.calls == []


def test_no_secret_is_stored_in_redis(org: Organization, product_key: str, redis_url: str) -> None:
    gateway = org.gateway("owner")
    revealed = gateway.call("QueryDeviceDetail", ProductKey=product_key, DeviceName="meter-0001", reveal=True)
    gateway.call("QueryDeviceDetail", ProductKey=product_key, DeviceName="meter-0001")
    gateway.call("QueryDevice", ProductKey=product_key, PageSize=10)
    content = dump_redis(redis_url)
    assert b"meter-0001" in content
    assert revealed["Data"]["DeviceSecret"].encode() not in content
    assert KEY_SECRET.encode() not in content


def dump_redis(redis_url: str) -> bytes:
    """All keys and values of a Redis, as one byte string."""
    server = redis.Redis.from_url(redis_url)
    parts = []
    for key in server.scan_iter():
        parts += [key, server.dump(key) if server.type(key) != b"string" else server.get(key)]
    return b"\n".join(parts)


# -- the cache -------------------------------------------------------------------------------------------------------


def test_repeated_reads_within_seconds_make_one_call(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    first = org.gateway("viewer").call("QueryProduct", ProductKey=product_key)
    second = org.gateway("operator").call("QueryProduct", ProductKey=product_key)
    assert first == second
    assert network.calls.count("QueryProduct") == 1


def test_a_fresh_read_skips_the_cache(network: RecordedNetwork, org: Organization, product_key: str) -> None:
    for _ in range(2):
        org.gateway().call("QueryProduct", ProductKey=product_key, fresh=True)
    assert network.calls.count("QueryProduct") == 2


def test_a_write_on_the_connection_empties_the_cache(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    before = org.gateway("viewer").call("QueryProduct", ProductKey=product_key)
    org.gateway("operator").call("UpdateProduct", ProductKey=product_key, ProductName="Renamed")
    after = org.gateway("viewer").call("QueryProduct", ProductKey=product_key)
    assert (before["Data"]["ProductName"], after["Data"]["ProductName"]) == ("SmartMeter", "Renamed")


def test_a_failed_write_empties_the_cache_too(
    emulator: Any, network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    org.gateway().call("QueryProduct", ProductKey=product_key)
    emulator.faults.add("UpdateProduct", "error", times=9, status=500)
    with pytest.raises(Unavailable):
        org.gateway().call("UpdateProduct", ProductKey=product_key, ProductName="Renamed")
    org.gateway().call("QueryProduct", ProductKey=product_key)
    assert network.calls.count("QueryProduct") == 2


def test_connections_do_not_share_responses(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    org.gateway().call("QueryProduct", ProductKey=product_key)
    second = Connection.objects.create(
        team=org.team,
        slug="second",
        name="Second",
        access_key_id="LTAItestkey",
        access_key_secret=KEY_SECRET,
    )
    owner = org.members["owner"]
    membership = Membership.objects.get(team=org.team, user=owner)
    Gateway(actor=owner, membership=membership, connection=second).call(
        "QueryProduct", ProductKey=product_key
    )
    assert network.calls.count("QueryProduct") == 2


def test_background_work_skips_the_cache(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    for _ in range(2):
        org.gateway(lane=Lane.BACKGROUND).call("QueryProduct", ProductKey=product_key)
    assert network.calls.count("QueryProduct") == 2


def test_without_redis_everything_still_works(
    network: RecordedNetwork,
    org: Organization,
    product_key: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = redis.Redis.from_url("unix:///nowhere/redis.sock")
    monkeypatch.setattr(
        redis.ConnectionPool,
        "get_connection",
        lambda *a, **k: nowhere.connection_pool.make_connection().connect(),
    )
    clients.drop_clients()
    gateway = org.gateway()
    assert gateway.call("QueryProduct", ProductKey=product_key)["Data"]["ProductName"] == "SmartMeter"
    gateway.call("UpdateProduct", ProductKey=product_key, ProductName="Renamed")
    assert gateway.call("QueryProduct", ProductKey=product_key)["Data"]["ProductName"] == "Renamed"


# -- several at once -------------------------------------------------------------------------------------------------


def test_gather_returns_responses_in_order_and_errors_in_their_place(
    network: RecordedNetwork, org: Organization, product_key: str
) -> None:
    responses = org.gateway("viewer").gather(
        [
            Call("QueryProduct", {"ProductKey": product_key}),
            Call("QueryProduct", {"ProductKey": "a1BwAGV0000"}),
            Call("QueryDevice", {"ProductKey": product_key, "PageSize": 10}),
        ]
    )
    assert responses[0]["Data"]["ProductKey"] == product_key
    assert isinstance(responses[1], NotFound)
    assert responses[2]["Data"]["DeviceInfo"][0]["DeviceSecret"] == MASK


def test_gather_sends_its_reads_in_parallel(
    network: RecordedNetwork, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier = threading.Barrier(3, timeout=5)

    def wait_for_others(request: httpx.Request) -> httpx.Response:
        barrier.wait()
        return RecordedNetwork.handle_request(network, request)

    monkeypatch.setattr(network, "handle_request", wait_for_others)
    calls = [Call("QueryProductList", {"CurrentPage": n, "PageSize": 10}) for n in (1, 2, 3)]
    assert all(isinstance(response, dict) for response in org.gateway().gather(calls))


def test_gather_accepts_only_reads(org: Organization) -> None:
    with pytest.raises(ValueError, match="not a read"):
        org.gateway().gather([Call("DeleteProduct", {"ProductKey": "a1BwAGV0000"})])


def test_gather_opens_no_database_connection_in_its_threads(
    network: RecordedNetwork, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    connect = type(connections["default"]).connect
    monkeypatch.setattr(
        type(connections["default"]),
        "connect",
        lambda self: (opened.append(threading.current_thread().name), connect(self))[1],
    )
    gateway = org.gateway("viewer")
    gateway.gather([Call("QueryProductList", {"CurrentPage": n, "PageSize": 10}) for n in range(1, 9)])
    assert [name for name in opened if name != "MainThread"] == []


def test_a_forked_worker_can_gather(network: RecordedNetwork, org: Organization) -> None:
    gateway = org.gateway("viewer")
    calls = [Call("QueryProductList", {"CurrentPage": n, "PageSize": 10}) for n in (1, 2)]
    gateway.gather(calls)
    child = os.fork()
    if child == 0:
        try:
            gateway.gather(calls, fresh=True)
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    done, status = 0, 1
    while not done and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)
    if not done:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert (bool(done), status) == (True, 0)


def test_read_pages_reads_to_the_last_page(network: RecordedNetwork, org: Organization) -> None:
    for n in range(3):
        org.gateway().call("CreateProduct", ProductName=f"Product_{n}", NodeType=0)
    pages = list(org.gateway("viewer").read_pages("QueryProductList", PageSize=2))
    assert [len(page.content["Data"]["List"]["ProductInfo"]) for page in pages] == [2, 1]
    assert [page.following for page in pages] == [{"CurrentPage": 2}, None]


def test_read_pages_goes_on_from_a_stored_position(network: RecordedNetwork, org: Organization) -> None:
    for n in range(5):
        org.gateway().call("CreateProduct", ProductName=f"Product_{n}", NodeType=0)
    gateway = org.gateway("viewer")

    def list_keys(start: Any = None) -> list[list[str]]:
        pages = gateway.read_pages("QueryProductList", start=start, PageSize=2)
        products = (page.content["Data"]["List"]["ProductInfo"] for page in pages)
        return [[product["ProductKey"] for product in part] for part in products]

    first = next(gateway.read_pages("QueryProductList", PageSize=2))
    stored = json.loads(json.dumps(first.following))
    assert list_keys(stored) == list_keys()[1:]


# -- quotas ----------------------------------------------------------------------------------------------------------


def test_a_call_that_gets_no_quota_in_time_is_throttled_and_not_sent(
    network: RecordedNetwork, org: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_client.quota.WINDOW", 1.1)
    settings.CLOUD_QUOTA_WAIT_SECONDS = 0.0
    settings.CLOUD_CACHE_SECONDS = 0
    gateway = org.gateway()

    def call_often() -> None:
        for _ in range(200):
            gateway.call("QueryProductList", CurrentPage=1, PageSize=10)

    with pytest.raises(Throttled) as caught:
        call_often()
    assert caught.value.code == "Client.QuotaTimeout"
    assert caught.value.retryable
    assert network.calls.count("QueryProductList") == gateway.call_count < 200


# -- unreadable secrets ----------------------------------------------------------------------------------------------


def test_an_undecryptable_secret_fails_when_it_is_used_not_when_the_row_is_read(
    org: Organization, settings: Any
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI="]
    connection = Connection.objects.get(pk=org.connection.pk)
    assert connection.name == "Sandbox"
    owner = User.objects.get(email="owner@acme.test")
    membership = Membership.objects.get(user=owner)
    with pytest.raises(Undecryptable):
        Gateway(actor=owner, membership=membership, connection=connection).call(
            "QueryProductList", CurrentPage=1, PageSize=10
        )
