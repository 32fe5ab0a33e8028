"""The sample teams, users and connections of quickstart."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from console.accounts.models import Membership, Team, User
from console.audit.chain import begin_chains
from console.connections.models import Connection

ADMIN = "admin@demo.example"
# One user for each role, and a user of another team.
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
    """The administrator's email address, and the password unless it was changed."""

    email: str
    password: str | None


@transaction.atomic
def create_sample(folder: Path, endpoint: str, keys: Mapping[str, str], password: str | None) -> SignIn:
    """Create the sample teams, users and sandbox connections if missing, and set the endpoint of the connections.

    `keys`: AccessKey IDs and secrets of the sandbox, one pair for each team of TEAMS, in order. Each team has its own account.

    Safe to repeat: changes by users are kept, except the administrator's password if `password` is given. The initial password
    is generated here and stored in `folder` (mode 0600), so that a later start can print it again.
    """
    path = folder / "admin_password"
    if password is None and not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    initial = password or path.read_text().strip()
    for email, name, slug, role in PEOPLE:
        team, created = Team.objects.get_or_create(slug=slug, defaults={"name": TEAMS[slug]})
        if created:
            begin_chains(team)
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, initial, name=name)
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
    return SignIn(ADMIN, initial if admin.check_password(initial) else None)
