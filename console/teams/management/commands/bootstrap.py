"""`manage.py bootstrap`: the first team and its owner, in a new deployment."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import ArgumentParser
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from console.accounts.models import Membership, Team, User
from console.audit.chain import begin_chains
from console.audit.records import Origin, record_action

PASSWORD_VARIABLE = "BOOTSTRAP_PASSWORD"  # noqa: S105 - the name of the variable


class Command(BaseCommand):
    help = (
        "Create a team and its owner if they do not exist. The password of a new user is read from "
        f"{PASSWORD_VARIABLE}, or from the terminal. Safe to repeat; never changes an existing password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="the owner's email address")
        parser.add_argument("--name", default="", help="the owner's name")
        parser.add_argument("--team", required=True, help="the team's name")
        parser.add_argument(
            "--slug", default="", help="the team's short name in URLs (default: from the name)"
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
        password = None if user is not None else _read_password(email, options["name"])
        with transaction.atomic():
            if team.pk is None:
                team.save()
                begin_chains(team)
                self.stdout.write(f"Created the team {team.name} at /{team.slug}/")
            if user is None:
                user = User.objects.create_user(email, password, name=options["name"])
                # The server administrator knows whose address it is.
                EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
                self.stdout.write(f"Created the user {email}")
        with record_action(
            operation="team.bootstrap",
            actor=None,
            team=team,
            origin=Origin(),
            target=email,
            parameters={"role": "owner"},
        ):
            _membership, created = Membership.objects.update_or_create(
                team=team,
                user=user,
                defaults={
                    "role_slug": "owner",
                    "access_scope": {},
                    "granted_at": timezone.now(),
                    "granted_by": [],
                },
            )
        was_member = "" if created else "was already a member and "
        self.stdout.write(f"{email} {was_member}is now owner of {team.name}")


def _read_password(email: str, name: str) -> str:
    """Return the password from the environment, or from the terminal. Raises CommandError if it is too weak."""
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        if not sys.stdin.isatty():
            raise CommandError(
                f"Set {PASSWORD_VARIABLE}, or run this command in a terminal to enter the password."
            )
        password = getpass.getpass("Password: ")
        if getpass.getpass("Confirm password: ") != password:
            raise CommandError("The passwords do not match.")
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
