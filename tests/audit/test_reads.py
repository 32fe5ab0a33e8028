"""Reads of the platform are counted by day, user or token, connection and operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from console.audit import read_counts
from console.audit.models import AuditRecord, ReadCount
from console.audit.records import Origin
from console.audit.tasks import flush_read_counts
from console.cache import end_redis_pause
from iot_client.errors import CloudError
from tests.conftest import Organization

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/reads/"


def stored_counts() -> dict[tuple[str, str], int]:
    return {(row.actor_label, row.operation): row.count for row in ReadCount.objects.all()}


def list_products(org: Organization, role: str = "viewer", **options: Any) -> None:
    org.gateway(role, **options).call("QueryProductList", CurrentPage=1, PageSize=10)


def test_a_read_counts_whether_the_platform_or_the_cache_responds(fleet: Any, org: Organization) -> None:
    for _ in range(3):
        list_products(org)
    list_products(org, "operator")
    flush_read_counts()
    expected = {("viewer@acme.test", "QueryProductList"): 3, ("operator@acme.test", "QueryProductList"): 1}
    assert stored_counts() == expected
    row = ReadCount.objects.first()
    assert row is not None
    assert (row.day, row.connection, row.team) == (timezone.now().date(), "sandbox", org.team)


def test_flushing_again_adds_new_counts_and_never_doubles_old_ones(fleet: Any, org: Organization) -> None:
    list_products(org)
    assert [read_counts.flush_counts(), read_counts.flush_counts()] == [1, 0]
    list_products(org)
    flush_read_counts()
    assert stored_counts() == {("viewer@acme.test", "QueryProductList"): 2}


def test_reads_of_a_program_are_counted_by_its_token(fleet: Any, org: Organization) -> None:
    list_products(org, origin=Origin(token="nightly (fd_ab…)"))
    flush_read_counts()
    assert stored_counts() == {("viewer@acme.test · nightly (fd_ab…)", "QueryProductList"): 1}


def test_writes_and_reveals_are_recorded_and_not_counted(fleet: Any, org: Organization) -> None:
    gateway = org.gateway("owner")
    response = gateway.call("CreateProduct", ProductName="Quay_Lamp", NodeType=0)
    gateway.call("QueryProduct", reveal=True, ProductKey=response["Data"]["ProductKey"])
    flush_read_counts()
    assert stored_counts() == {}
    assert AuditRecord.objects.count() == 2


def test_a_call_with_invalid_parameters_is_not_counted(fleet: Any, org: Organization) -> None:
    with pytest.raises(CloudError):
        org.gateway().call("QueryProductList", CurrentPage=1, PageSize=10**9)
    flush_read_counts()
    assert stored_counts() == {}


@pytest.fixture
def unavailable_redis(settings: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make Redis unavailable until the test calls the returned function, which also ends the waiting time."""
    monkeypatch.setattr(read_counts, "_pending", Counter())
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    def restore() -> None:
        settings.REDIS_URL = redis_url
        end_redis_pause()

    return restore


def test_while_redis_is_unavailable_a_process_counts_in_memory_and_submits_later(
    fleet: Any, org: Organization, unavailable_redis: Callable[[], None]
) -> None:
    for _ in range(4):
        list_products(org)
    unavailable_redis()
    list_products(org)
    flush_read_counts()
    assert stored_counts() == {("viewer@acme.test", "QueryProductList"): 5}


def test_flushing_fails_while_redis_is_unavailable(
    org: Organization, unavailable_redis: Callable[[], None]
) -> None:
    with pytest.raises(redis.RedisError):
        flush_read_counts()


def test_counts_of_a_deleted_team_are_dropped(fleet: Any, org: Organization) -> None:
    list_products(org)
    org.connection.delete()
    org.team.delete()
    flush_read_counts()
    assert stored_counts() == {}


def test_counts_are_kept_as_long_as_the_audit_trail(org: Organization) -> None:
    org.team.audit_keep_days = 30
    org.team.save()
    for days in (60, 10):
        day = timezone.now().date() - timedelta(days=days)
        create_count(org, day=day)
        create_count(org, day=day, team=org.other_team)
    call_command("audit", "prune")  # no chain yet, because nothing was recorded
    from console.audit.records import record_action

    with record_action(operation="x", actor=None, team=org.team, origin=Origin()):
        pass
    call_command("audit", "prune")
    assert ReadCount.objects.filter(team=org.team).count() == 1
    assert ReadCount.objects.filter(team=org.other_team).count() == 2


def create_count(org: Organization, **fields: Any) -> ReadCount:
    values = {
        "team": org.team,
        "day": date(2026, 5, 1),
        "actor_label": "viewer@acme.test",
        "connection": "sandbox",
        "operation": "QueryDevice",
        "count": 12345,
    }
    return ReadCount.objects.create(**(values | fields))


def test_the_page_lists_and_filters_the_counts_of_the_team(org: Organization, sign_in: SignIn) -> None:
    create_count(org)
    create_count(org, operation="QueryProduct", connection="plant")
    create_count(org, day=date(2026, 5, 3), actor_label="owner@acme.test · nightly")
    create_count(org, team=org.other_team, operation="Theirs")
    client = sign_in("administrator")

    def read_rows(query: str) -> list[str]:
        return [f"{row.day} {row.operation}" for row in client.get(f"{PAGE}?{query}").context["table"].rows]

    first, second, third = "2026-05-01 QueryDevice", "2026-05-01 QueryProduct", "2026-05-03 QueryDevice"
    assert read_rows("") == [third, first, second]
    assert read_rows("q=NIGHT") == [third]
    assert read_rows("operation=queryp") == [second]
    assert read_rows("connection=plant") == [second]
    assert read_rows("since=2026-05-02") == [third]
    assert read_rows("until=2026-05-02") == [first, second]
    assert "12,345" in client.get(PAGE).content.decode()
    text = client.get(f"{PAGE}?format=csv").getvalue().decode()
    assert text.count("sandbox") == 2
    assert "Theirs" not in text
    assert AuditRecord.objects.filter(operation="audit.export_reads", outcome="done").count() == 1
