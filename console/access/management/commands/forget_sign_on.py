"""`manage.py forget_sign_on`: unlink an account from who signed in to it through the identity provider."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.core.management.base import BaseCommand, CommandError

from console.access.audit import Origin, recorded
from console.access.models import User
from console.access.sign_on.configuration import PROVIDER_ID


class Command(BaseCommand):
    help = (
        "Let an account be linked anew at the next single sign-on with its address: when the provider gave the address, or a"
        " new identity, to the person who should have the account. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the account's e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        user = User.objects.filter(email=email, is_service=False).first()
        if user is None:
            raise CommandError(f"There is no account of {email}.")
        with recorded(
            operation="session.forget_sign_on", actor=None, team=None, origin=Origin(), target=email
        ):
            count, _rows = SocialAccount.objects.filter(provider=PROVIDER_ID, user=user).delete()
        self.stdout.write(f"Unlinked {email}." if count else f"{email} was not linked.")
