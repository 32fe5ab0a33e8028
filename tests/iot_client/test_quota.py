"""The shared quota, with a real server."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from console.embedded import redis_socket
from iot_client.quota import WINDOW, Lane, Quota, QuotaTimeout


def count_most_in_a_second(moments: list[float]) -> int:
    """The largest number of calls in any window of one second."""
    ordered = sorted(moments)
    return max(sum(1 for other in ordered if start <= other < start + 1.0) for start in ordered)


def test_a_burst_up_to_the_limit_does_not_wait(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    assert [quota.acquire("a", "Op", 10, Lane.PEOPLE, 1.0) for _ in range(10)] == [0.0] * 10


def test_the_next_call_waits_until_the_window_of_the_first_call_ends(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for _ in range(3):
        quota.acquire("a", "Op", 3, Lane.PEOPLE, 1.0)
    waited = quota.acquire("a", "Op", 3, Lane.PEOPLE, 5.0)
    assert 0.8 < waited < WINDOW + 0.5


def test_calls_before_the_clock_of_redis_was_set_back_block_nobody(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for lane in (Lane.PEOPLE, Lane.BACKGROUND):
        for _ in range(3):
            quota.acquire("a", "Op", 4, Lane.BACKGROUND, 5.0)
        for key in quota_redis.keys("quota:*"):
            for name, moment in quota_redis.zrange(key, 0, -1, withscores=True):
                quota_redis.zadd(key, {name: moment + 3600e6})  # the clock is one hour earlier now
        assert quota.acquire("a", "Op", 4, lane, 1.0) < 1.0


def test_no_window_of_a_second_has_more_calls_than_the_limit(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    moments: list[float] = []
    lock = threading.Lock()

    def call() -> None:
        quota.acquire("a", "Op", 20, Lane.PEOPLE, 10.0)
        with lock:
            moments.append(time.monotonic())

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda _: call(), range(60)))
    assert len(moments) == 60
    assert count_most_in_a_second(moments) <= 20


def _make_background_calls(folder: str, seconds: float, results: multiprocessing.Queue[list[float]]) -> None:
    quota = Quota(redis.Redis.from_url(f"unix://{redis_socket(Path(folder))}?db=0"))
    moments: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            quota.acquire("a", "Op", 10, Lane.BACKGROUND, 1.5)
        except QuotaTimeout:
            continue
        moments.append(time.monotonic())
    results.put(moments)


def test_processes_share_the_limit_and_use_most_of_their_share(
    quota_redis: redis.Redis, quota_server: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[float]] = context.Queue()
    workers = [
        context.Process(target=_make_background_calls, args=(str(quota_server), 3.0, results))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    moments = [moment for _ in workers for moment in results.get(timeout=60)]
    for worker in workers:
        worker.join(10)
    assert count_most_in_a_second(moments) <= 8  # the share of background work in ten
    assert len(moments) >= 16


def test_background_work_leaves_a_share_for_people(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for _ in range(8):
        quota.acquire("a", "Op", 10, Lane.BACKGROUND, 0.0)
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 10, Lane.BACKGROUND, 0.0)
    assert [quota.acquire("a", "Op", 10, Lane.PEOPLE, 0.0) for _ in range(2)] == [0.0, 0.0]
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 10, Lane.PEOPLE, 0.0)


def test_a_call_for_a_person_comes_before_waiting_background_work(quota_redis: redis.Redis) -> None:
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


def test_background_work_can_use_a_limit_of_one(quota_redis: redis.Redis) -> None:
    assert Quota(quota_redis).acquire("a", "Op", 1, Lane.BACKGROUND, 0.0) == 0.0


def test_accounts_and_operations_are_counted_separately(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    for account, operation in (("a", "Op"), ("a", "Other"), ("b", "Op")):
        assert quota.acquire(account, operation, 1, Lane.PEOPLE, 0.0) == 0.0


def test_a_wait_beyond_the_timeout_fails_immediately_and_reserves_nothing(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0)
    started = time.monotonic()
    with pytest.raises(QuotaTimeout) as caught:
        quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.2)
    assert time.monotonic() - started < 0.15
    assert caught.value.retry_after is not None
    assert 0.5 < caught.value.retry_after <= WINDOW
    assert quota.acquire("a", "Op", 1, Lane.PEOPLE, 3.0) < WINDOW + 0.5


def test_the_keys_in_redis_expire_after_the_calls(quota_redis: redis.Redis) -> None:
    Quota(quota_redis).acquire("a", "Op", 5, Lane.BACKGROUND, 0.0)
    assert all(0 < int(quota_redis.pttl(key)) < 5000 for key in quota_redis.scan_iter())


def test_the_quota_works_after_redis_is_emptied(quota_redis: redis.Redis) -> None:
    quota = Quota(quota_redis)
    quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0)
    quota_redis.flushall()
    quota_redis.script_flush()
    assert quota.acquire("a", "Op", 1, Lane.PEOPLE, 0.0) == 0.0


def test_without_redis_a_process_uses_a_quarter_of_the_limit(tmp_path: Path) -> None:
    quota = Quota(redis.Redis(unix_socket_path=str(tmp_path / "missing.sock")))
    assert [quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0) for _ in range(5)] == [0.0] * 5
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0)
    assert 0.5 < quota.acquire("a", "Op", 20, Lane.PEOPLE, 3.0) < WINDOW + 0.5


def test_without_redis_background_work_still_leaves_a_share(tmp_path: Path) -> None:
    quota = Quota(redis.Redis(unix_socket_path=str(tmp_path / "missing.sock")))
    for _ in range(4):
        quota.acquire("a", "Op", 20, Lane.BACKGROUND, 0.0)
    with pytest.raises(QuotaTimeout):
        quota.acquire("a", "Op", 20, Lane.BACKGROUND, 0.0)
    assert quota.acquire("a", "Op", 20, Lane.PEOPLE, 0.0) == 0.0
