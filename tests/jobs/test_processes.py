"""With real processes: a worker killed, Redis emptied, messages doubled. No device is lost, none is made twice."""

from __future__ import annotations

import secrets
import threading
import time

import pytest

from tests.jobs.world import World, database

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
COUNT = 6000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Everything running, but no worker."""
    home = tmp_path_factory.mktemp("world")
    with database("fleetdesk_processes") as url:
        world = World(home, url)
        try:
            world.start()
            yield world
        finally:
            world.stop()


@pytest.fixture
def worker(world):
    """A worker, until the end of the test."""
    world.start_worker()
    yield
    world.kill_worker()


@pytest.fixture
def product(world):
    """The key of a new product."""
    with world.cloud() as cloud:
        name = f"Product_{secrets.token_hex(6)}"
        yield cloud.call("CreateProduct", ProductName=name, NodeType=0)["Data"]["ProductKey"]


def names(prefix: str) -> list[str]:
    return [f"{prefix}-{n:06d}" for n in range(COUNT)]


def wait(world, browser, job, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not world.finished(browser, job):
        if time.monotonic() > deadline:
            raise TimeoutError((world.home / "log").read_text()[-5000:])
        time.sleep(0.3)


def check(world, browser, job, product) -> None:
    """Every line says created, and the platform has exactly those devices."""
    assert world.outcomes(browser, job) == ["created"] * COUNT
    with world.cloud() as cloud:
        assert cloud.call("QueryProduct", ProductKey=product)["Data"]["DeviceCount"] == COUNT


def test_a_worker_killed_in_the_middle_again_and_again(world, worker, product):
    browser = world.browser()
    job = world.start_job(browser, product, names("kill"))
    for _ in range(4):
        time.sleep(0.7)
        world.kill_worker()
        world.start_worker()
        time.sleep(2.0)
    wait(world, browser, job)
    check(world, browser, job, product)


def test_a_redis_emptied_in_the_middle_again_and_again(world, worker, product):
    browser = world.browser()
    job = world.start_job(browser, product, names("flush"))
    for _ in range(12):
        world.redis.flushall()
        time.sleep(0.25)
    wait(world, browser, job)
    check(world, browser, job, product)


def test_every_message_many_times(world, worker, product):
    bells = world.bells()
    stop = threading.Event()

    def ring() -> None:
        while not stop.wait(0.05):
            for chunk in range(1, 120):
                bells.send_task("jobs.step", (chunk,))

    browser = world.browser()
    ringing = threading.Thread(target=ring)
    ringing.start()
    try:
        job = world.start_job(browser, product, names("twice"))
        time.sleep(5)
    finally:
        stop.set()
        ringing.join()
    wait(world, browser, job)
    check(world, browser, job, product)
