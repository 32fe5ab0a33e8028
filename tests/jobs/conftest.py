"""Runs jobs in tests: due chunks run in this process while the clock of the emulator is advanced."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from console.areas.devices.registration.actions import register_from_file
from console.connections import clients
from console.jobs import actions, engine
from console.jobs.models import Chunk, Job

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(autouse=True)
def _no_wake_messages(monkeypatch):
    """Send no wake messages: the tests run the steps themselves."""
    monkeypatch.setattr(engine, "wake_chunk", lambda chunk, wait=0.0: True)


@pytest.fixture
def run_job(clock):
    """Return a function that runs a job until it ends or `rounds` are over; each round takes half a second of platform time."""

    def run(job: Job, rounds: int = 400) -> Job:
        for _ in range(rounds):
            active = Chunk.objects.filter(job=job, state=Chunk.State.ACTIVE)
            if not active.exists():
                break
            active.update(next_at=past_time())
            for chunk in list(active.order_by("number").values_list("pk", flat=True)):
                engine.run_step(chunk)
            clock.advance(0.5)
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def product(org, emulator):
    """The ProductKey of a product without devices."""
    response = org.gateway().call("CreateProduct", ProductName="Meters", NodeType=0)
    return response["Data"]["ProductKey"]


@pytest.fixture
def start_registration(org, product):
    """Return a function that starts a registration of `count` devices, or of a CSV table, and returns the job."""

    def make(count: int = 3, role: str = "operator", table: str = "") -> Job:
        gateway = org.gateway(role)
        content = table or "name\n" + "".join(f"dev-{n:05d}\n" for n in range(count))
        job = register_from_file(gateway, product, "Meters", [content.encode()], "d.csv")
        assert actions.start(job, gateway)
        job.refresh_from_db()
        return job

    return make


class RecordedNetwork(httpx.BaseTransport):
    """The network to the emulator. Tests record and change calls with functions `before` and `after` an operation.

    A function in `after` may return another response.
    """

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
        content = json.loads(b"".join(response.stream))
        return httpx.Response(response.status_code, json=self.after[name](content) or content)


@pytest.fixture
def network(emulator, monkeypatch):
    """The network to the emulator, which a test can change."""
    network = RecordedNetwork(emulator)
    monkeypatch.setattr(clients, "transport_for", lambda connection: network)
    clients.drop_clients()
    return network


def past_time():
    """Return a time that is in the past by every clock."""
    return timezone.now() - timedelta(seconds=1)


def run_until_step(job: Job, step: str, clock) -> Chunk:
    """Run the job's first chunk until `step` is its next step. Returns the chunk."""
    for _ in range(50):
        chunk = Chunk.objects.get(job=job, number=1)
        Chunk.objects.filter(pk=chunk.pk).update(next_at=past_time())
        if chunk.step == step:
            return chunk
        engine.run_step(chunk.pk)
        clock.advance(0.5)
    raise AssertionError(f"step {step} was never reached")


def abandon_chunk(chunk: Chunk) -> None:
    """Leave the chunk as a worker does that is killed in a step: with an expired lease and one more attempt."""
    Chunk.objects.filter(pk=chunk.pk).update(lease="dead", leased_until=past_time(), attempts=1)


@pytest.fixture
def upload(org, sign_in, product):
    """Return a function that uploads a file as an operator or with another role, and returns the response."""

    def send(content: bytes, name: str = "devices.csv", role: str = "operator", follow: bool = True):
        data = {"product": product, "file": SimpleUploadedFile(name, content)}
        return sign_in(role).post(org.url("devices/registrations/new/"), data, follow=follow)

    return send


def page_text(response) -> str:
    """Return the text of a page without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def read_csv(response) -> list[dict[str, str]]:
    """Return the rows of a downloaded CSV file as dictionaries."""
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def device_count(org, product: str) -> int:
    return org.gateway().call("QueryProduct", ProductKey=product, fresh=True)["Data"]["DeviceCount"]
