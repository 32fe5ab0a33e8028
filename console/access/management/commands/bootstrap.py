"""`manage.py bootstrap`: the first team and its owner, in a new deployment."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.text import slugify

from console.access.audit import Origin, recorded
from console.access.models import Membership, Team, User

PASSWORD_VARIABLE = "BOOTSTRAP_PASSWORD"  # noqa: S105 - the name of the variable


class Command(BaseCommand):
    help = (
        "Make a team and its owner where they are missing. The password of a new person is read from "
        f"{PASSWORD_VARIABLE}, or asked for. Safe to repeat; changes no existing password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="the owner's e-mail address")
        parser.add_argument("--name", default="", help="the owner's name")
        parser.add_argument("--team", required=True, help="the team's name")
        parser.add_argument(
            "--slug", default="", help="the team's short name in addresses (made from the name)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        team_name = options["team"].strip()
        slug = options["slug"].strip().lower() or slugify(team_name)
        try:
            validate_email(email)
            team = Team.objects.filter(slug=slug).first()
            if team is None:
                team = Team(slug=slug, name=team_name)
                team.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user = User.objects.filter(email=email).first()
        password = None if user is not None else _password(email, options["name"])
        with transaction.atomic():
            if team.pk is None:
                team.save()
                self.stdout.write(f"Made the team {team.name} at /{team.slug}/")
            if user is None:
                user = User.objects.create_user(email, password, name=options["name"])
                self.stdout.write(f"Made {email}")
        with recorded(
            operation="team.bootstrap",
            actor=None,
            team=team,
            origin=Origin(),
            target=email,
            parameters={"role": "owner"},
        ):
            _membership, created = Membership.objects.update_or_create(
                team=team, user=user, defaults={"role_slug": "owner", "access_scope": {}}
            )
        self.stdout.write(
            f"{email} is {'now' if created else 'already a member and now'} owner of {team.name}"
        )


def _password(email: str, name: str) -> str:
    """From the environment, else typed twice at the terminal. Raises CommandError for one that is too weak."""
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        if not sys.stdin.isatty():
            raise CommandError(
                f"Set {PASSWORD_VARIABLE}, or run this in a terminal to be asked for the password."
            )
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password again: ") != password:
            raise CommandError("The two passwords differ.")
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
