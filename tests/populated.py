"""A team with a fleet and one object of each kind, and the addresses of the console for them."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from console.accounts.models import ApiToken, CustomRole, Membership, User
from console.approvals.models import ApprovalRequest, compute_digest
from console.audit.models import AuditRecord
from console.connections import clients
from console.connections.approval import PlannedCall
from console.sign_in.models import SignOnRule
from console.teams.models import Invitation
from iot_client.catalogue import Access, operation
from iot_client.client import Client as CloudClient
from iot_client.client import Credentials
from iot_emulator import create_app
from iot_emulator.clock import ManualClock
from tests.conftest import KEY_ID, KEY_SECRET, Organization
from tests.expectations import AREAS
from tests.registrations import create_bulk_draft, create_registration
from tests.roles import Objects


@functools.cache
def list_addresses() -> dict[str, set[str]]:
    """Return all addresses of the URLconf: name to the names of their parameters."""

    def walk(patterns: list[Any], namespace: str, outer: set[str]) -> Iterator[tuple[str, set[str]]]:
        for pattern in patterns:
            if getattr(pattern, "namespace", None) == "api":
                continue  # tests/api/test_matrix.py covers the HTTP API
            parameters = outer | set(pattern.pattern.regex.groupindex)
            if isinstance(pattern, URLResolver):
                inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern.url_patterns, inner, parameters)
            elif isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name}", parameters

    return dict(walk(get_resolver().url_patterns, "", set()))


class RecordingTransport(httpx.BaseTransport):
    """Forwards calls and records the names of the write operations."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self.transport = transport
        self.writes: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Content-Type", "").startswith("multipart/"):  # a file upload
            return self.transport.handle_request(request)
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        if operation(fields["Action"][0]).access is not Access.READ:
            self.writes.append(fields["Action"][0])
        return self.transport.handle_request(request)


@dataclass(frozen=True)
class PopulatedTeam:
    """The organization with a fleet, and the IDs of one object of each kind."""

    org: Organization
    upstream: RecordingTransport
    things: Objects

    def url(self, name: str, **overrides: Any) -> str:
        """Return the address with this name, for objects of the team."""
        namespace = name.partition(":")[0]
        values = self.things[""] | self.things.get(namespace, {}) | self.things.get(name, {}) | overrides
        return reverse(name, kwargs={key: values[key] for key in list_addresses()[name]})


@dataclass(frozen=True)
class Fleet:
    """The database of an emulator with a fleet, and the IDs of one object of each kind."""

    database: Path
    things: Objects


@contextmanager
def open_cloud(database: Path, devices: int = 0) -> Iterator[CloudClient]:
    """Open an emulator in this process, with a new sample fleet of so many devices, and a client of it."""
    app = create_app(database, keys={KEY_ID: KEY_SECRET}, clock=ManualClock(1_790_000_000_000), quotas=False)
    if devices:
        app.seed(devices)
    credentials, transport = Credentials(KEY_ID, KEY_SECRET), httpx.WSGITransport(app=app)
    with CloudClient(credentials, endpoint="http://emulator.test", transport=transport) as cloud:
        yield cloud
    app.close()


@pytest.fixture(scope="session")
def seeded_fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet that is created once. Each test works on a copy."""
    database = tmp_path_factory.mktemp("fleet") / "emulator.sqlite3"
    with open_cloud(database, devices=40) as cloud:
        products = cloud.call("QueryProductList", CurrentPage=1, PageSize=200)["Data"]["List"]["ProductInfo"]
        key = max(products, key=lambda product: product["DeviceCount"])["ProductKey"]
        things: Objects = {}
        for area in AREAS.values():
            things |= area.find_objects(cloud, key)
    return Fleet(database, things)


@pytest.fixture
def copied_fleet(seeded_fleet: Fleet, tmp_path: Path) -> None:
    """Copies the fleet to the database of the emulator of this test."""
    shutil.copytree(seeded_fleet.database.parent, tmp_path, dirs_exist_ok=True)


def create_approval_request(org: Organization, state: str, product_key: str) -> ApprovalRequest:
    """Create a request of the operator to delete a product."""
    calls = [PlannedCall("DeleteProduct", {"ProductKey": product_key})]
    return ApprovalRequest.objects.create(
        team=org.team,
        connection=org.connection,
        rule="product_deletion",
        operation="DeleteProduct",
        products=[product_key],
        requested_by=org.members["operator"],
        requester_label="operator@acme.test",
        state=state,
        expires_at=timezone.now() + timedelta(hours=1),
        calls=json.dumps([call.stored_form for call in calls]),
        digest=compute_digest(org.connection.pk, calls),
    )


@pytest.fixture
def populated(
    seeded_fleet: Fleet, copied_fleet: None, emulator: Any, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> PopulatedTeam:
    """A team with a fleet and one object of each kind."""
    upstream = RecordingTransport(httpx.WSGITransport(app=emulator))
    monkeypatch.setattr(clients, "transport_for", lambda connection: upstream)
    new_user = User.objects.create_user("newcomer@acme.test", None)
    member = Membership.objects.create(team=org.team, user=new_user, role_slug="viewer")
    rule = SignOnRule.objects.create(team=org.team, value="corp.test", role_slug="viewer")
    role = CustomRole.objects.create(team=org.team, slug="crew", name="Crew", levels={"devices": 1})
    invitation = Invitation.objects.create(
        team=org.team,
        email="invited@acme.test",
        role_slug="viewer",
        digest="0" * 64,
        invited_by=org.members["owner"],
    )
    record = AuditRecord.objects.create(team=org.team, operation="X", actor_label="somebody")
    product_key = seeded_fleet.things["products"]["key"]
    job = create_registration(org.connection, product_key)
    waiting, draft = (create_approval_request(org, state, product_key) for state in ("waiting", "draft"))
    token = ApiToken.objects.create(
        team=org.team,
        user=org.members["viewer"],
        name="nightly",
        digest="0" * 64,
        hint="fd_night",
        role_slug="viewer",
        expires_at=timezone.now() + timedelta(days=90),
    )
    own: dict[str, dict[str, Any]] = {
        "approvals": {"pk": waiting.pk},
        "approvals:ask": {"pk": draft.pk},
        "": {"team": org.team.slug, "connection": org.connection.slug, "uidb36": "1", "key": "1-abc"},
        "teams": {"pk": member.pk, "slug": role.slug, "token": "never-was-one"},
        "sign_in": {"pk": member.pk},
        "teams:invitation-renew": {"pk": invitation.pk},
        "teams:invitation-withdraw": {"pk": invitation.pk},
        "mfa_edit_webauthn": {"pk": 1},
        "mfa_remove_webauthn": {"pk": 1},
        "teams:audit-record": {"pk": record.pk},
        "teams:revoke-token": {"pk": token.pk},
        "teams:revoke-own-token": {"pk": token.pk},
        "teams:sign-on-edit": {"pk": rule.pk},
        "teams:sign-on-move": {"pk": rule.pk},
        "teams:sign-on-delete": {"pk": rule.pk},
        "jobs": {"job": job.pk},
        "pages": {"job": create_bulk_draft(org, product_key).pk},
        "explorer": {"operation": "QueryDevice", "kind": "products"},
    }
    things = own | seeded_fleet.things
    things["devices"] = {**things["devices"], "job": job.pk}
    return PopulatedTeam(org, upstream, things)
