"""With real processes: no device is lost or registered twice when workers are killed, Redis is emptied or messages are
repeated."""

from __future__ import annotations

import secrets
import threading
import time

import pytest

from tests.jobs.processes import ConsoleProcesses, database

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
COUNT = 6000


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """All processes except the workers."""
    home = tmp_path_factory.mktemp("processes")
    with database("fleetdesk_processes") as url:
        processes = ConsoleProcesses(home, url)
        try:
            processes.start()
            yield processes
        finally:
            processes.stop()


@pytest.fixture
def worker(processes):
    """A worker that runs until the end of the test."""
    processes.start_worker()
    yield
    processes.kill_worker()


@pytest.fixture
def product(processes):
    """The key of a new product."""
    with processes.platform_client() as cloud:
        name = f"Product_{secrets.token_hex(6)}"
        yield cloud.call("CreateProduct", ProductName=name, NodeType=0)["Data"]["ProductKey"]


def make_names(prefix: str) -> list[str]:
    return [f"{prefix}-{n:06d}" for n in range(COUNT)]


def wait_until_finished(processes, browser, job, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not processes.is_finished(browser, job):
        if time.monotonic() > deadline:
            raise TimeoutError((processes.home / "log").read_text()[-5000:])
        time.sleep(0.3)


def check_devices(processes, browser, job, product) -> None:
    """Check that every row is created and that the platform has exactly these devices."""
    assert processes.outcomes(browser, job) == ["succeeded"] * COUNT
    with processes.platform_client() as cloud:
        assert cloud.call("QueryProduct", ProductKey=product)["Data"]["DeviceCount"] == COUNT


def test_no_device_is_lost_when_the_worker_is_killed_repeatedly(processes, worker, product):
    browser = processes.browser()
    job = processes.start_job(browser, product, make_names("kill"))
    for _ in range(4):
        time.sleep(0.7)
        processes.kill_worker()
        processes.start_worker()
        time.sleep(2.0)
    wait_until_finished(processes, browser, job)
    check_devices(processes, browser, job, product)


def test_no_device_is_lost_when_redis_is_emptied_repeatedly(processes, worker, product):
    browser = processes.browser()
    job = processes.start_job(browser, product, make_names("flush"))
    for _ in range(12):
        processes.redis.flushall()
        time.sleep(0.25)
    wait_until_finished(processes, browser, job)
    check_devices(processes, browser, job, product)


def test_no_device_is_registered_twice_when_messages_are_repeated(processes, worker, product):
    broker = processes.broker_app()
    stop = threading.Event()

    def send_wake_messages() -> None:
        while not stop.wait(0.5):
            for chunk in range(1, 120):
                broker.send_task("jobs.step", (chunk,))

    browser = processes.browser()
    sender = threading.Thread(target=send_wake_messages)
    sender.start()
    try:
        job = processes.start_job(browser, product, make_names("twice"))
        time.sleep(5)
    finally:
        stop.set()
        sender.join()
    wait_until_finished(processes, browser, job)
    check_devices(processes, browser, job, product)


def test_a_step_that_hangs_is_ended_by_its_time_limit(processes, product):
    browser = processes.browser()
    job = processes.start_job(browser, product, ["hang-000001", "hang-000002"])
    processes.start_worker(JOBS_STEP_SECONDS="3")
    try:
        with processes.hanging_platform():
            wait_until_finished(processes, browser, job, 60.0)
    finally:
        processes.kill_worker()
    page = browser.get(f"/demo/sandbox/jobs/{job}/").text
    assert "Stopped: a step took longer than 3 seconds." in page
    assert processes.outcomes(browser, job) == ["canceled"] * 2, "nothing was sent before the registration"
