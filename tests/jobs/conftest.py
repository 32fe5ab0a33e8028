"""Running jobs in a test: every due chunk in this process, while the emulator's clock is turned."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from console.cloud.retry import RetryPolicy
from console.connections import clients
from console.jobs import actions, engine
from console.jobs.models import Chunk, Job

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch):
    """Bells ring for nobody here: the tests say when a worker comes."""
    monkeypatch.setattr(engine, "ring", lambda chunk, wait=0.0: True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """The client tries again at once, and the quota's second is over soon: how long both wait is tested with them."""
    monkeypatch.setattr("console.cloud.client.RetryPolicy", partial(RetryPolicy, sleep=lambda seconds: None))
    monkeypatch.setattr("console.cloud.quota.WINDOW", 0.001)


@pytest.fixture
def drain(clock):
    """Works until nothing is left to do (or `rounds` are over), half a second of the cloud's time a round; returns the job."""

    def run(job: Job, rounds: int = 400) -> Job:
        for _ in range(rounds):
            active = Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE)
            if not active.exists():
                break
            active.update(next_at=a_moment_ago())
            for chunk in list(active.order_by("number").values_list("pk", flat=True)):
                engine.run_step(chunk)
            clock.advance(0.5)
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def product(org, emulator):
    """The key of a product without devices."""
    answer = org.gateway().call("CreateProduct", ProductName="Meters", NodeType=0)
    return answer["Data"]["ProductKey"]


@pytest.fixture
def started(org, product):
    """Starts a registration of so many devices with given names; the job."""

    def make(count: int = 3, role: str = "operator", table: str = "") -> Job:
        gateway = org.gateway(role)
        content = table or "name\n" + "".join(f"dev-{n:05d}\n" for n in range(count))
        params = {"product_key": product, "product_name": "Meters", "source": "file", "filename": "d.csv"}
        job = actions.draft(gateway, "devices.register", params, [content.encode()])
        assert actions.start(job, gateway, {"tags": "tag:" in content})
        job.refresh_from_db()
        return job

    return make


class Wire(httpx.BaseTransport):
    """The network to the emulator, where tests listen and interfere: `before` a call, `after` it (a new answer may be given)."""

    def __init__(self, emulator: Any) -> None:
        self._under = httpx.WSGITransport(app=emulator)
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        name = fields["Action"][0]
        self.calls.append(name)
        if name in self.before:
            self.before[name]()
        response = self._under.handle_request(request)
        if name not in self.after:
            return response
        answer = json.loads(b"".join(response.stream))
        return httpx.Response(response.status_code, json=self.after[name](answer) or answer)


@pytest.fixture
def wire(emulator, monkeypatch):
    """The network, to interfere with."""
    wire = Wire(emulator)
    monkeypatch.setattr(clients, "transport_for", lambda connection: wire)
    clients.drop_clients()
    return wire


def a_moment_ago():
    """A time that is over by every clock."""
    return timezone.now() - timedelta(seconds=1)


def until(job: Job, step: str, clock) -> Chunk:
    """Runs the job's first chunk until it stands before `step`."""
    for _ in range(50):
        chunk = Chunk.objects.get(job=job, number=1)
        Chunk.objects.filter(pk=chunk.pk).update(next_at=a_moment_ago())
        if chunk.step == step:
            return chunk
        engine.run_step(chunk.pk)
        clock.advance(0.5)
    raise AssertionError(f"never came to {step}")


def abandon(chunk: Chunk) -> None:
    """What a worker leaves that is killed while it holds the chunk: a lease, and one more attempt."""
    Chunk.objects.filter(pk=chunk.pk).update(lease="dead", leased_until=a_moment_ago(), attempts=1)


@pytest.fixture
def upload(org, sign_in, product):
    """Uploads a file as an operator, or the member of another role; the answer."""

    def send(content: bytes, name: str = "devices.csv", role: str = "operator", follow: bool = True):
        data = {"product": product, "file": SimpleUploadedFile(name, content)}
        return sign_in(role).post(org.url("jobs/register/"), data, follow=follow)

    return send


def text(response) -> str:
    """The words of a page, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def table(response) -> list[dict[str, str]]:
    """A downloaded CSV as dictionaries."""
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def device_count(org, product: str) -> int:
    return org.gateway().call("QueryProduct", ProductKey=product, fresh=True)["Data"]["DeviceCount"]
