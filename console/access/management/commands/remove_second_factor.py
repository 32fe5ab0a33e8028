"""`manage.py remove_second_factor`: for somebody who lost their second factor and the recovery codes with it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management.base import BaseCommand, CommandError

from console.access.audit import Origin, recorded
from console.access.models import Team, User
from console.access.sign_in import sessions


class Command(BaseCommand):
    help = (
        "Remove all second factors, passkeys and recovery codes of a person, and end their sessions. Make sure before that it is "
        "they who ask: from then on the password alone lets in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address that the person signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"There is no account with the address {options['email']}.")
        teams: list[Team | None] = [one.team for one in user.memberships.select_related("team")]
        for team in teams or [None]:
            with recorded(
                operation="factor.reset", actor=None, team=team, origin=Origin(), target=user.email
            ):
                pass
        removed = Authenticator.objects.filter(user=user).delete()[0]
        ended = sessions.end_sessions(list(UserSession.objects.filter(user=user)))
        self.stdout.write(f"{user.email}: {removed} factors removed, {ended} sessions ended.")
