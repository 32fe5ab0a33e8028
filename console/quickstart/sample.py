"""The people and the connection of a fresh quickstart."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from console.access.models import Membership, Team, User
from console.connections.models import Connection

ADMIN = "admin@demo.example"
# One person a role, so that each can be tried, and a stranger from another team.
PEOPLE = (
    (ADMIN, "Demo Administrator", "demo", "owner"),
    ("operator@demo.example", "Demo Operator", "demo", "operator"),
    ("release@demo.example", "Demo Release Engineer", "demo", "release-engineer"),
    ("viewer@demo.example", "Demo Viewer", "demo", "viewer"),
    ("stranger@other.example", "Stranger", "other", "owner"),
)
TEAMS = {"demo": "Demo Energy", "other": "Other Company"}


@dataclass(frozen=True)
class SignIn:
    """What the terminal prints: the administrator's address, and the password where it is still the one set here."""

    email: str
    password: str | None


@transaction.atomic
def provide(folder: Path, endpoint: str, keys: Mapping[str, str], password: str | None) -> SignIn:
    """Make the sample teams, people and sandbox connections where they are missing, and point the latter at `endpoint`.

    `keys` holds the sandbox's key pairs, one for each team of TEAMS in order: each team has a cloud account of its own.

    Safe to repeat: what people changed stays, but for the administrator's password when `password` is given. The first
    password is made here and kept in `folder` (0600), so that a later start can print it again.
    """
    kept = folder / "admin_password"
    if password is None and not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(12))
    first = password or kept.read_text().strip()
    for email, name, slug, role in PEOPLE:
        team, _ = Team.objects.get_or_create(slug=slug, defaults={"name": TEAMS[slug]})
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, first, name=name)
            Membership.objects.create(team=team, user=user, role_slug=role)
        elif password and email == ADMIN and not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
    for slug, (key_id, key_secret) in zip(TEAMS, keys.items(), strict=True):
        connect = {"endpoint": endpoint, "access_key_id": key_id, "access_key_secret": key_secret}
        Connection.objects.update_or_create(
            team=Team.objects.get(slug=slug),
            slug="sandbox",
            defaults=connect,
            create_defaults={"name": "Sandbox", **connect},
        )
    admin = User.objects.get(email=ADMIN)
    return SignIn(ADMIN, first if admin.check_password(first) else None)
