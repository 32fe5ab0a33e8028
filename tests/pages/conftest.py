"""Devices, and the job of an action on all of them, after its list was read."""

from __future__ import annotations

import pytest

from console.areas.devices import api
from console.areas.devices.actions import BULK_DELETE, BULK_DISABLE
from console.areas.products import api as products_api
from console.jobs.models import Job
from tests.pages.devices import COUNT


@pytest.fixture(autouse=True)
def _no_wake_messages(no_wake_messages: None) -> None:
    """The tests run the steps themselves."""


@pytest.fixture(autouse=True)
def _few_in_a_request(monkeypatch):
    """Let more than 3 devices be a job, so that the tests need few devices."""
    for action in (BULK_DISABLE, BULK_DELETE):
        monkeypatch.setitem(action.__dict__, "direct", 3)


@pytest.fixture
def product(emulator, org) -> str:
    """The key of a product with COUNT devices."""
    key = products_api.create_product(
        org.gateway(), products_api.NewProduct("Harbor_Lamp", thing_model=False)
    )
    for number in range(COUNT):
        api.register_device(org.gateway(), key, name=f"lamp-{number:04}")
    return key


@pytest.fixture
def select_all(org, product, run_job, sign_in):
    """A function that asks for an action on all devices of the product, and returns the job after the list was read."""

    def ask(action: str, role: str = "operator") -> Job:
        data = {"all_matching": "1", "query": f"product={product}"}
        response = sign_in(role).post(org.url(f"devices/bulk/{action}/"), data)
        job = Job.objects.get()
        assert response["Location"] == org.url(f"jobs/{job.pk}/")
        return run_job(job)

    return ask
