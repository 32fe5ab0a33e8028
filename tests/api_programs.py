"""Programs with tokens of every role that call the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.accounts.models import Membership, Team, User
from console.accounts.scope import AccessScope
from console.audit.records import Origin
from console.teams.changes import Actor
from console.teams.tokens.lifecycle import CreatedToken, TokenDraft, create_personal_token, create_team_token
from tests.conftest import Organization

UNLIMITED = AccessScope()


@dataclass
class Program:
    """A program that has a token and calls the API."""

    credentials: CreatedToken

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request and return the response. `body` is sent as JSON."""
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return Client().generic(
            method.upper(),
            f"/api/v1/{path}",
            **content,
            headers={"Authorization": f"Bearer {self.credentials.key}", **headers},
        )

    def upload(self, path: str, filename: str, content: bytes, /, *, key: str = "", **fields: Any) -> Any:
        """Send a form with a file and return the response. `key`: the idempotency key."""
        headers = {
            "Authorization": f"Bearer {self.credentials.key}",
            **({"Idempotency-Key": key} if key else {}),
        }
        file = SimpleUploadedFile(filename, content)
        return Client().post(f"/api/v1/{path}", {**fields, "file": file}, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)


@pytest.fixture
def no_request_limits(settings: Any) -> None:
    """Tests send more requests than programs may. Tests of the limits set them back."""
    settings.API_REQUESTS = settings.API_GUESSES = 100_000


CreateProgram = Callable[..., Program]


def find_actor(team: Team, user: User) -> Actor:
    """Return the member as an actor."""
    return Actor(
        Membership.objects.select_related("team", "user").get(team=team, user=user), Origin("10.0.0.1")
    )


@pytest.fixture
def create_program(no_request_limits: None, org: Organization) -> CreateProgram:
    """Creates a program with a personal token of the user `by` (a role of the team, or "outsider"), or with a team token."""

    def make(
        by: str = "owner",
        role: str = "administrator",
        *,
        name: str = "",
        team_token: bool = False,
        access_scope: AccessScope = UNLIMITED,
        days: int = 90,
    ) -> Program:
        user = org.outsider if by == "outsider" else org.members[by]
        team = org.other_team if by == "outsider" else org.team
        draft = TokenDraft(name or f"{by} {role} {len(access_scope.to_json())}", role, access_scope, days)
        create = create_team_token if team_token else create_personal_token
        return Program(create(find_actor(team, user), draft))

    return make


def problem_kind(response: Any) -> str:
    """Return the kind of a problem response."""
    assert response["Content-Type"] == "application/problem+json"
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    return problem["type"].removeprefix("urn:fleetdesk:problem:")
