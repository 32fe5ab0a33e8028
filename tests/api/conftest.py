"""Programs with tokens of every role, and an API to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.access.audit import Origin
from console.access.models import Membership, Team, User
from console.access.scope import AccessScope
from console.access.teams import Actor
from console.access.tokens.lifecycle import CreatedToken, TokenDraft, create_personal_token, create_team_token
from tests.conftest import Organization
from tests.populated import fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures


WHOLE = AccessScope()


@dataclass
class Program:
    """What holds a token and asks the API."""

    made: CreatedToken

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer to a request; `body` is sent as JSON."""
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return Client().generic(
            method.upper(),
            f"/api/v1/{path}",
            **sent,
            headers={"Authorization": f"Bearer {self.made.key}", **headers},
        )

    def upload(self, path: str, filename: str, content: bytes, /, *, key: str = "", **fields: Any) -> Any:
        """The answer to a form with a file; `key` makes it once."""
        headers = {"Authorization": f"Bearer {self.made.key}", **({"Idempotency-Key": key} if key else {})}
        file = SimpleUploadedFile(filename, content)
        return Client().post(f"/api/v1/{path}", {**fields, "file": file}, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, body, **headers)


@pytest.fixture(autouse=True)
def _patient(settings: Any) -> None:
    """Tests ask more often than programs may; those about that set it back."""
    settings.API_REQUESTS = settings.API_GUESSES = 100_000


MakeProgram = Callable[..., Program]


def actor_of(team: Team, user: User) -> Actor:
    """The member, acting from somewhere."""
    return Actor(
        Membership.objects.select_related("team", "user").get(team=team, user=user), Origin("10.0.0.1")
    )


@pytest.fixture
def program(org: Organization) -> MakeProgram:
    """Makes a program: with a personal token of `by` (a role of the organization, "outsider"), or one of the team's own."""

    def make(
        by: str = "owner",
        role: str = "administrator",
        *,
        name: str = "",
        team_token: bool = False,
        access_scope: AccessScope = WHOLE,
        days: int = 90,
    ) -> Program:
        user = org.outsider if by == "outsider" else org.members[by]
        team = org.other_team if by == "outsider" else org.team
        wanted = TokenDraft(name or f"{by} {role} {len(access_scope.to_json())}", role, access_scope, days)
        making = create_team_token if team_token else create_personal_token
        return Program(making(actor_of(team, user), wanted))

    return make
