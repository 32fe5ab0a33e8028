"""`manage.py remove_second_factor`: for a user who lost their second factor and the recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management.base import BaseCommand, CommandError

from console.accounts.models import Team, User
from console.audit.records import Origin, record_action
from console.sign_in import sessions


class Command(BaseCommand):
    help = (
        "Remove all second factors, passkeys and recovery codes of a user, and end their sessions. Verify the user's identity "
        "first: then the password alone is enough to sign in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the email address that the user signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"No account has the email address {options['email']}.")
        teams: list[Team | None] = [membership.team for membership in user.memberships.select_related("team")]
        for team in teams or [None]:
            with record_action(
                operation="factor.reset", actor=None, team=team, origin=Origin(), target=user.email
            ):
                pass
        removed = Authenticator.objects.filter(user=user).delete()[0]
        ended = sessions.end_sessions(list(UserSession.objects.filter(user=user)))
        self.stdout.write(f"{user.email}: {removed} second factors removed, {ended} sessions ended.")
