"""The shared org: a team with one member a role, an outsider with a team of their own, and a connection to a seeded emulator."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import hypothesis
import pytest
import redis
from django.conf import settings
from django.test import Client

from console import embedded
from console.access.models import Membership, Team, User
from console.access.roles import BUILT_IN
from console.connections import clients
from console.connections.models import Connection
from console.emulator import create_app
from console.emulator.clock import ManualClock

# A slow machine is no mistake of the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

PASSWORD = "correct horse battery staple"
KEY_ID, KEY_SECRET = "LTAItestkey", "test-secret-of-no-worth"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis for this test process: the one of REDIS_URL, or an embedded one started here."""
    if os.environ.get("REDIS_URL"):
        yield settings.REDIS_URL
        return
    folder = Path(settings.HOME)
    server = subprocess.Popen(embedded.redis_command(folder), stdout=subprocess.DEVNULL)
    connection = redis.Redis.from_url(settings.REDIS_URL)
    try:
        for _ in range(200):
            try:
                connection.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        yield settings.REDIS_URL
    finally:
        connection.close()
        server.terminate()
        server.wait(10)


@pytest.fixture(autouse=True)
def _clean_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test that may touch the database starts with an empty Redis and no kept clients."""
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        redis.Redis.from_url(request.getfixturevalue("redis_url")).flushdb()
    clients.forget()
    yield
    clients.forget()


@pytest.fixture
def clock() -> ManualClock:
    """The emulator's clock, turned by hand."""
    return ManualClock(1_790_000_000_000)


@pytest.fixture
def emulator(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    """An empty platform in this process; every connection's client reaches it."""
    app = create_app(tmp_path / "emulator.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False)
    monkeypatch.setattr(clients, "transport_for", lambda connection: httpx.WSGITransport(app=app))
    yield app
    app.close()


@pytest.fixture
def fleet(emulator):
    """The same platform with a small sample fleet: 6 products, 300 devices, groups, packages, jobs in every state."""
    emulator.seed(devices=300)
    return emulator


@dataclass(frozen=True)
class Organization:
    """The people and places of a test: members by role slug, an outsider, and connections."""

    team: Team
    members: dict[str, User]
    connection: Connection
    outsider: User
    other_team: Team
    other_connection: Connection

    def url(self, rest: str = "") -> str:
        """A URL of the org's connection."""
        return f"/{self.team.slug}/{self.connection.slug}/{rest}"

    def gateway(self, role: str = "owner", **options):
        """The gateway as a member of that role has it."""
        from console.connections.gateway import Gateway

        options = {"reauthenticated": True} | options
        user = self.members[role]
        membership = Membership.objects.select_related("team").get(team=self.team, user=user)
        return Gateway(actor=user, membership=membership, connection=self.connection, **options)


@pytest.fixture
def org(db) -> Organization:
    """A team with a member for each built-in role, and another team that must never see it."""
    team = Team.objects.create(slug="acme", name="Acme Energy")
    members = {}
    for slug in BUILT_IN:
        members[slug] = User.objects.create_user(
            f"{slug}@acme.test", PASSWORD, name=slug.replace("-", " ").title()
        )
        Membership.objects.create(team=team, user=members[slug], role_slug=slug)
    other_team = Team.objects.create(slug="globex", name="Globex")
    outsider = User.objects.create_user("owner@globex.test", PASSWORD, name="Outsider")
    Membership.objects.create(team=other_team, user=outsider, role_slug="owner")

    def connect(team: Team, slug: str) -> Connection:
        return Connection.objects.create(
            team=team,
            slug=slug,
            name=slug.title(),
            endpoint="http://emulator.test",
            access_key_id=KEY_ID,
            access_key_secret=KEY_SECRET,
        )

    return Organization(
        team, members, connect(team, "sandbox"), outsider, other_team, connect(other_team, "plant")
    )


def authenticate(client: Client, user: User) -> None:
    """Make the session as one in which the person has just signed in by password."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time(), "email": user.email}
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


@pytest.fixture
def sign_in(org: Organization) -> Callable[[str], Client]:
    """A browser signed in as the member of a role ("outsider": of another team; "" for nobody)."""

    def make(role: str) -> Client:
        client = Client()
        if role:
            user = org.outsider if role == "outsider" else org.members[role]
            client.force_login(user)
            authenticate(client, user)
        return client

    return make
