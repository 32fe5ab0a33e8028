"""A sample fleet as the pages of updates see it, and what its parts are called."""

from __future__ import annotations

import pytest

from console.cloud.errors import NotFound
from console.connections.gateway import Gateway
from console.ota import api


@pytest.fixture
def calls(monkeypatch):
    """Every upstream call made."""
    made: list[str] = []
    send = Gateway._send

    def counted(self, described, params):
        made.append(described.name)
        return send(self, described, params)

    monkeypatch.setattr(Gateway, "_send", counted)
    return made


@pytest.fixture
def sample(fleet, org):
    """Ids of the sample fleet: a package that is ready, one to be verified, a batch in every state, a dynamic one."""
    gateway = org.gateway()
    found: dict[str, str] = {}
    for package in api.list_packages(gateway, size=100).packages:
        if package.ready and not package.delta:
            found.setdefault("package", package.id)
            found.setdefault("product", package.product_key)
        if package.verifiable:
            found.setdefault("unverified", package.id)
        for job in api.list_jobs(gateway, package.id, size=100).jobs:
            found.setdefault(
                "dynamic" if job.dynamic else "verification" if job.verify else job.status, job.id
            )
    return found


@pytest.fixture
def product(emulator, org):
    """An otherwise empty platform with one product of five devices: its key."""
    gateway = org.gateway()
    key = gateway.call("CreateProduct", ProductName="Lamp", NodeType=0)["Data"]["ProductKey"]
    for number in range(1, 6):
        gateway.call("RegisterDevice", ProductKey=key, DeviceName=f"lamp-{number}")
    return str(key)


def exists(gateway, package_id):
    """Whether the platform has the package."""
    try:
        api.get_package(gateway, package_id)
    except NotFound:
        return False
    return True
