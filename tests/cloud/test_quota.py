"""The shared limiter, against a real server."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from console.cloud.quota import WINDOW, Lane, Quota, QuotaTimeout
from console.embedded import redis_socket


def most_in_a_second(moments: list[float]) -> int:
    """The most calls any window of one second holds, wherever it begins."""
    ordered = sorted(moments)
    return max(sum(1 for other in ordered if start <= other < start + 1.0) for start in ordered)


def test_a_burst_up_to_the_allowance_waits_for_nothing(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    assert [quota.acquire("a", "Op", 10, Lane.PEOPLE, 1.0) for _ in range(10)] == [0.0] * 10


def test_the_next_call_waits_until_the_first_of_the_burst_is_past(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for _ in range(3):
        quota.acquire("a", "Op", 3, Lane.PEOPLE, 1.0)
    waited = quota.acquire("a", "Op", 3, Lane.PEOPLE, 5.0)
    assert 0.8 < waited < WINDOW + 0.5


def test_no_second_of_any_phase_holds_more_than_the_allowance(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    moments: list[float] = []
    lock = threading.Lock()

    def person() -> None:
        quota.acquire("a", "Op", 20, Lane.PEOPLE, 10.0)
        with lock:
            moments.append(time.monotonic())

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda _: person(), range(60)))
    assert len(moments) == 60
    assert most_in_a_second(moments) <= 20


def _work(folder: str, seconds: float, found: multiprocessing.Queue[list[float]]) -> None:
    quota = Quota(redis.Redis.from_url(f"unix://{redis_socket(Path(folder))}?db=0"))
    moments: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            quota.acquire("a", "Op", 10, Lane.BACKGROUND, 1.5)
        except QuotaTimeout:
            continue
        moments.append(time.monotonic())
    found.put(moments)


def test_processes_share_the_allowance_and_use_most_of_their_part(
    quota_redis: redis.Redis, quota_server: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[list[float]] = context.Queue()
    workers = [context.Process(target=_work, args=(str(quota_server), 3.0, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    moments = [moment for _ in workers for moment in found.get(timeout=60)]
    for worker in workers:
        worker.join(10)
    assert most_in_a_second(moments) <= 8  # the background's part of ten
    assert len(moments) >= 16


def test_background_leaves_a_part_to_people(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for _ in range(8):
        quota.acquire("a", "Op", 10, Lane.BACKGROUND, 0.0)
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 10, Lane.BACKGROUND, 0.0)
    assert [quota.acquire("a", "Op", 10, Lane.PEOPLE, 0.0) for _ in range(2)] == [0.0, 0.0]
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 10, Lane.PEOPLE, 0.0)


def test_a_person_who_comes_later_is_served_before_background_that_waits(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    order: list[str] = []
    for _ in range(2):
        quota.acquire("a", "Op", 2, Lane.PEOPLE, 0.0)

    def wait_in(lane: Lane) -> None:
        quota.acquire("a", "Op", 2, lane, 10.0)
        order.append(lane.value)

    threads = [threading.Thread(target=wait_in, args=(Lane.BACKGROUND,))]
    threads[0].start()
    time.sleep(0.3)
    for _ in range(2):
        threads.append(threading.Thread(target=wait_in, args=(Lane.PEOPLE,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert order == ["people", "people", "background"]


def test_an_allowance_of_one_still_lets_background_through(quota_redis: redis.Redis) -> None:
    assert Quota(quota_redis).acquire("a", "Op", 1, Lane.BACKGROUND, 0.0) == 0.0


def test_accounts_and_operations_are_counted_apart(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for account, operation in (("a", "Op"), ("a", "Other"), ("b", "Op")):
        assert quota.acquire(account, operation, 1, Lane.PEOPLE, 0.0) == 0.0


def test_a_wait_beyond_the_timeout_is_refused_at_once_and_takes_nothing(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0)
    started = time.monotonic()
    with pytest.raises(QuotaTimeout) as caught:
        quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.2)
    assert time.monotonic() - started < 0.15
    assert caught.value.retry_after is not None
    assert 0.5 < caught.value.retry_after <= WINDOW
    assert quota.acquire("a", "Op", 1, Lane.PEOPLE, 3.0) < WINDOW + 0.5


def test_nothing_is_left_in_redis_when_the_calls_have_ended(quota_redis: redis.Redis) -> None:
    Quota(quota_redis).acquire("a", "Op", 5, Lane.BACKGROUND, 0.0)
    assert all(0 < int(quota_redis.pttl(key)) < 5000 for key in quota_redis.scan_iter())


def test_an_emptied_redis_forgets_the_count_and_goes_on(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0)
    quota_redis.flushall()
    quota_redis.script_flush()
    assert quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0) == 0.0


def test_without_redis_a_process_goes_on_with_a_quarter(tmp_path: Path) -> None:
    quota = Quota(redis.Redis(unix_socket_path=str(tmp_path / "nobody.sock")))
    assert [quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0) for _ in range(5)] == [0.0] * 5
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0)
    assert 0.5 < quota.acquire("a", "Op", 20, Lane.PEOPLE, 3.0) < WINDOW + 0.5


def test_without_redis_background_still_comes_second(tmp_path: Path) -> None:
    quota = Quota(redis.Redis(unix_socket_path=str(tmp_path / "nobody.sock")))
    for _ in range(4):
        quota.acquire("a", "Op", 20, Lane.BACKGROUND, 0.0)
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 20, Lane.BACKGROUND, 0.0)
    assert quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0) == 0.0
