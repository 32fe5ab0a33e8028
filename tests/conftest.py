"""A team with a member per role, an outsider with another team, and connections to an emulator, for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import redis
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from console import embedded
from console.accounts.approval_rules import Value, save_setting
from console.accounts.models import Membership, Team, User
from console.accounts.roles import BUILT_IN
from console.audit.chain import begin_chains
from console.cache import end_redis_pause
from console.connections import clients
from console.connections.models import Connection
from console.ui.areas import all_approval_rules
from iot_client.retry import RetryPolicy
from iot_emulator import create_app
from iot_emulator.clock import ManualClock

# A module comes after those that it imports: pytest prepares the assertions of a module before its first import.
pytest_plugins = [
    "tests.api_programs",
    "tests.browser",
    "tests.identity_provider",
    "tests.products",
    "tests.recorded_calls",
    "tests.registrations",
    "tests.populated",
    "tests.running_jobs",
]

# A slow machine is not a fault of the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_xdist_auto_num_workers() -> int:
    """The number of test processes: one more than cores, because some tests wait for servers and browsers. At most 9."""
    return min(os.cpu_count() or 1, 8) + 1


START = 1_790_000_000_000  # ms, the time at which the clock of the emulator stands
PASSWORD = "correct horse battery staple"
PASSWORD_HASH = make_password(PASSWORD)
KEY_ID, KEY_SECRET = "LTAItestkey", "test-secret-of-no-worth"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis for this test process: that of REDIS_URL, or of an embedded one that is started here."""
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


@pytest.fixture(scope="session")
def redis_connection(redis_url: str) -> Iterator[redis.Redis]:
    """A connection to the Redis of this test process."""
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _clean_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start each test that may use the database with an empty Redis and without cached clients."""
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        request.getfixturevalue("redis_connection").flushdb()
    clients.drop_clients()
    end_redis_pause()
    yield
    clients.drop_clients()


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the emulator. Only the test moves it."""
    return ManualClock(START)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an empty emulator. Copy it: to create the tables takes a hundred times longer."""
    path = tmp_path_factory.mktemp("empty") / "emulator.sqlite3"
    create_app(path, keys={KEY_ID: KEY_SECRET}).close()
    return path


@pytest.fixture
def copied_database(new_database: Path, tmp_path: Path) -> Path:
    """A copy of the database of an empty emulator, for this test."""
    return Path(shutil.copy(new_database, tmp_path))


@pytest.fixture(scope="session")
def sample_database(new_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an emulator with a sample fleet of 300 devices, to be copied."""
    path = tmp_path_factory.mktemp("sample") / "emulator.sqlite3"
    shutil.copy(new_database, path)
    app = create_app(path, keys={KEY_ID: KEY_SECRET}, clock=ManualClock(START), quotas=False)
    app.seed(devices=300)
    app.close()
    return path


@pytest.fixture
def emulator(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
):
    """An empty platform in this process. The clients of all connections call it, without waiting for quotas or retries."""
    database = tmp_path / "emulator.sqlite3"
    if not database.exists():
        prepared = "sample_database" if "fleet" in request.fixturenames else "new_database"
        shutil.copytree(request.getfixturevalue(prepared).parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr("iot_client.client.RetryPolicy", partial(RetryPolicy, sleep=lambda seconds: None))
    monkeypatch.setattr("iot_client.quota.WINDOW", 0.001)
    app = create_app(database, keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False)
    monkeypatch.setattr(clients, "transport_for", lambda connection: httpx.WSGITransport(app=app))
    yield app
    app.close()


@pytest.fixture
def fleet(emulator):
    """The same platform with a sample fleet: 6 products, 300 devices, groups, packages, and batches in every status."""
    return emulator


@dataclass(frozen=True)
class Organization:
    """A team with members by role slug and a connection, and an outsider with another team and connection."""

    team: Team
    members: dict[str, User]
    connection: Connection
    outsider: User
    other_team: Team
    other_connection: Connection

    def url(self, rest: str = "") -> str:
        """Return a URL under the team's connection."""
        return f"/{self.team.slug}/{self.connection.slug}/{rest}"

    def gateway(self, role: str = "owner", **options):
        """Return the gateway of the member with this role."""
        from console.connections.gateway import Gateway

        options = {"reauthenticated": True} | options
        user = self.members[role]
        membership = Membership.objects.select_related("team").get(team=self.team, user=user)
        return Gateway(actor=user, membership=membership, connection=self.connection, **options)


@pytest.fixture
def org(db) -> Organization:
    """A team with a member for each built-in role, and another team that must never have access to it."""
    team, other_team = Team.objects.bulk_create(
        [Team(slug="acme", name="Acme Energy"), Team(slug="globex", name="Globex")]
    )
    begin_chains(team, other_team)
    names = {slug: slug.replace("-", " ").title() for slug in BUILT_IN} | {"outsider": "Outsider"}
    users = {
        slug: User(email=f"{slug}@acme.test", name=name, password=PASSWORD_HASH)
        for slug, name in names.items()
    }
    users["outsider"].email = "owner@globex.test"
    User.objects.bulk_create(users.values())
    outsider = users.pop("outsider")
    memberships = [Membership(team=team, user=user, role_slug=slug) for slug, user in users.items()]
    memberships.append(Membership(team=other_team, user=outsider, role_slug="owner"))
    Membership.objects.bulk_create(memberships)
    account = {
        "endpoint": "http://emulator.test",
        "access_key_id": KEY_ID,
        "access_key_secret": KEY_SECRET,
    }
    connection, other_connection = Connection.objects.bulk_create(
        [
            Connection(team=team, slug="sandbox", name="Sandbox", **account),
            Connection(team=other_team, slug="plant", name="Plant", **account),
        ]
    )
    return Organization(team, users, connection, outsider, other_team, other_connection)


def password_record(user: User) -> dict[str, Any]:
    """Return what the session keeps of a sign-in with a password, just now."""
    return {
        "account_authentication_methods": [{"method": "password", "at": time.time(), "email": user.email}],
        "account_authentication_methods_user": str(user.pk),
    }


@pytest.fixture
def set_rules(org: Organization) -> Callable[..., None]:
    """Sets the approval rules of the team."""

    def save_rules(
        product: bool = False,
        batch: int | None = None,
        deletion: int | None = None,
        command: int | None = None,
        routing: bool = False,
    ) -> None:
        values: dict[str, Value] = {
            "product_deletion": product,
            "update_batch": batch,
            "device_deletion": deletion,
            "device_command": command,
            "data_routing": routing,
        }
        for rule in all_approval_rules():
            save_setting(org.team, rule, values.get(rule.slug))

    return save_rules


def authenticate(client: Client, user: User) -> None:
    """Mark the session as one in which the user has just signed in with a password."""
    session = client.session
    session.update(password_record(user))
    session.save()


def start_session(user: User) -> Client:
    """Return a browser with a session of the user, who has just signed in with a password.

    The rows are written here, because a sign-in through the pages of the console costs as much as opening a page.
    """
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session["session_started_at"] = session["session_seen_at"] = time.time()
    session.update(password_record(user))
    session.create()
    UserSession.objects.create(user=user, session_key=session.session_key, ip="127.0.0.1", user_agent="")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


@pytest.fixture
def sign_in(org: Organization) -> Callable[[str], Client]:
    """A function that returns a browser signed in as the member with a role ("outsider": of another team; "": nobody)."""

    def create_client(role: str) -> Client:
        if not role:
            return Client()
        return start_session(org.outsider if role == "outsider" else org.members[role])

    return create_client
