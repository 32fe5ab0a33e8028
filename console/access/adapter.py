"""How django-allauth behaves here: nobody signs up by themselves, and sign-ins are in the audit trail."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from console.access.audit import Origin, record_sign_in
from console.access.models import AuditRecord, User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """People are added by an administrator of a team."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """What attempts are counted by: the same address as in the audit trail."""
        return Origin.of(request).ip or "0.0.0.0"  # noqa: S104 - a key to count by, not an address to listen on

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        record_sign_in(user, Origin.of(request), AuditRecord.Outcome.DONE)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        user = User.objects.filter(email=str(credentials.get("email") or "").strip().lower()).first()
        if user is not None:
            record_sign_in(user, Origin.of(request), AuditRecord.Outcome.FAILED)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Says nothing: the page that follows shows that somebody signed in or out."""
