"""Reads of the cloud are counted: by day, person or token, connection and operation."""

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

from console.access.audit import Origin, reads
from console.access.models import AuditRecord, ReadCount
from console.access.tasks import count_reads
from console.cloud.errors import CloudError
from tests.conftest import Organization

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/reads/"


def counted() -> dict[tuple[str, str], int]:
    return {(row.actor_label, row.operation): row.count for row in ReadCount.objects.all()}


def read(org: Organization, role: str = "viewer", **options: Any) -> None:
    org.gateway(role, **options).call("QueryProductList", CurrentPage=1, PageSize=10)


def test_a_read_counts_whether_the_cloud_or_the_cache_answers(fleet: Any, org: Organization) -> None:
    for _ in range(3):
        read(org)
    read(org, "operator")
    count_reads()
    expected = {("viewer@acme.test", "QueryProductList"): 3, ("operator@acme.test", "QueryProductList"): 1}
    assert counted() == expected
    row = ReadCount.objects.first()
    assert row is not None
    assert (row.day, row.connection, row.team) == (timezone.now().date(), "sandbox", org.team)


def test_flushing_again_adds_and_never_doubles(fleet: Any, org: Organization) -> None:
    read(org)
    assert [reads.flush(), reads.flush()] == [1, 0]
    read(org)
    count_reads()
    assert counted() == {("viewer@acme.test", "QueryProductList"): 2}


def test_a_program_is_counted_by_its_token(fleet: Any, org: Organization) -> None:
    read(org, origin=Origin(token="nightly (fd_ab…)"))
    count_reads()
    assert counted() == {("viewer@acme.test · nightly (fd_ab…)", "QueryProductList"): 1}


def test_writes_and_reveals_are_recorded_and_not_counted(fleet: Any, org: Organization) -> None:
    gateway = org.gateway("owner")
    made = gateway.call("CreateProduct", ProductName="Quay_Lamp", NodeType=0)
    gateway.call("QueryProduct", reveal=True, ProductKey=made["Data"]["ProductKey"])
    count_reads()
    assert counted() == {}
    assert AuditRecord.objects.count() == 2


def test_what_is_refused_for_its_parameters_is_no_read(fleet: Any, org: Organization) -> None:
    with pytest.raises(CloudError):
        org.gateway().call("QueryProductList", CurrentPage=1, PageSize=10**9)
    count_reads()
    assert counted() == {}


@pytest.fixture
def away(settings: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Redis is away until the test calls this; then it is asked again at once, and not only in some seconds."""
    monkeypatch.setattr(reads, "_held", Counter())
    monkeypatch.setattr(reads, "_away_until", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    def back() -> None:
        settings.REDIS_URL = redis_url
        monkeypatch.setattr(reads, "_away_until", 0.0)

    return back


def test_while_redis_is_away_a_process_counts_by_itself_and_hands_over_later(
    fleet: Any, org: Organization, away: Callable[[], None]
) -> None:
    for _ in range(4):
        read(org)
    away()
    read(org)
    count_reads()
    assert counted() == {("viewer@acme.test", "QueryProductList"): 5}


def test_a_redis_that_is_away_when_it_is_time_is_left_for_the_next_time(
    org: Organization, away: Callable[[], None]
) -> None:
    with pytest.raises(redis.RedisError):
        count_reads()


def test_counts_of_a_team_that_is_gone_go_with_it(fleet: Any, org: Organization) -> None:
    read(org)
    org.connection.delete()
    org.team.delete()
    count_reads()
    assert counted() == {}


def test_counts_are_kept_as_long_as_the_trail(org: Organization) -> None:
    org.team.audit_keep_days = 30
    org.team.save()
    for days in (60, 10):
        day = timezone.now().date() - timedelta(days=days)
        write(org, day=day)
        write(org, day=day, team=org.other_team)
    call_command("audit", "prune")  # no chain yet: nothing was ever recorded
    from console.access.audit import recorded

    with recorded(operation="x", actor=None, team=org.team, origin=Origin()):
        pass
    call_command("audit", "prune")
    assert ReadCount.objects.filter(team=org.team).count() == 1
    assert ReadCount.objects.filter(team=org.other_team).count() == 2


def write(org: Organization, **fields: Any) -> ReadCount:
    values = {
        "team": org.team,
        "day": date(2026, 5, 1),
        "actor_label": "viewer@acme.test",
        "connection": "sandbox",
        "operation": "QueryDevice",
        "count": 12345,
    }
    return ReadCount.objects.create(**(values | fields))


def test_the_page_shows_and_filters_the_teams_own_counts(org: Organization, sign_in: SignIn) -> None:
    write(org)
    write(org, operation="QueryProduct", connection="plant")
    write(org, day=date(2026, 5, 3), actor_label="owner@acme.test · nightly")
    write(org, team=org.other_team, operation="Theirs")
    client = sign_in("administrator")

    def shown(query: str) -> list[str]:
        return [f"{row.day} {row.operation}" for row in client.get(f"{PAGE}?{query}").context["table"].data]

    first, second, third = "2026-05-01 QueryDevice", "2026-05-01 QueryProduct", "2026-05-03 QueryDevice"
    assert shown("") == [third, first, second]
    assert shown("q=NIGHT") == [third]
    assert shown("operation=queryp") == [second]
    assert shown("connection=plant") == [second]
    assert shown("since=2026-05-02") == [third]
    assert shown("until=2026-05-02") == [first, second]
    assert "12,345" in client.get(PAGE).content.decode()
    text = client.get(f"{PAGE}?format=csv").getvalue().decode()
    assert text.count("sandbox") == 2
    assert "Theirs" not in text
