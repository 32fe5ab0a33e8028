"""`manage.py forget_sign_on`: unlink an account from its identity at the identity provider."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.core.management.base import BaseCommand, CommandError

from console.accounts.models import User
from console.audit.records import Origin, record_action
from console.sign_in.openid_connect.configuration import PROVIDER_ID


class Command(BaseCommand):
    help = (
        "Unlink an account from its identity at the identity provider. The next single sign-on with the account's email address"
        " links it again. Use this if the provider assigned the address, or a new identity, to the user. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the account's email address")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        user = User.objects.filter(email=email, is_service=False).first()
        if user is None:
            raise CommandError(f"No account has the email address {email}.")
        with record_action(
            operation="session.forget_sign_on", actor=None, team=None, origin=Origin(), target=email
        ):
            count, _rows = SocialAccount.objects.filter(provider=PROVIDER_ID, user=user).delete()
        self.stdout.write(f"Unlinked {email}." if count else f"{email} was not linked.")
