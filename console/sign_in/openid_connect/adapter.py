"""The social account adapter of django-allauth: what happens when the identity provider sends a user back."""

from __future__ import annotations

import logging
import time
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.stages import LoginStage
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from requests import Session

from console.audit.models import AuditRecord
from console.audit.records import Origin, write_record
from console.sign_in.openid_connect.claims import Identity
from console.sign_in.openid_connect.provisioning import NotAdmitted, apply_rules, find_or_create_account
from console.sign_in.openid_connect.tokens import ProviderUnavailable, SignOnError

logger = logging.getLogger(__name__)
# The session key for how the user signed in. The value names the account: the session can outlive a change of user.
SESSION_KEY = "sign_on"
# How much the clocks may differ when the provider reports the time of a sign-in.
_CLOCK_SKEW_SECONDS = 60


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """Takes accounts from `provisioning`. The sign-up of allauth is closed and never reached."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_requests_session(self) -> Session:
        """Return a session that follows no redirects."""
        session: Session = super().get_requests_session()
        session.max_redirects = 0
        return session

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Log the reason without received data. The page only says whether the provider is unavailable."""
        reason = str(exception) if isinstance(exception, SignOnError) else type(exception).__name__
        logger.warning("Single sign-on failed: %s", reason if exception else error)
        if extra_context is not None:
            extra_context["is_unavailable"] = isinstance(exception, ProviderUnavailable)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find or create the account of a user whose ID token was verified."""
        sociallogin.token = None  # not to be stored in the session while the second factor is pending
        identity = read_identity(sociallogin)
        if sociallogin.state.get("process") == AuthProcess.REDIRECT:
            _confirm_identity(request, sociallogin, identity)
            return
        try:
            sociallogin.user = find_or_create_account(identity, Origin.from_request(request))
        except NotAdmitted as error:
            raise ImmediateHttpResponse(refuse(request, identity)) from error


class SignOnStage(LoginStage):  # type: ignore[misc]  # allauth has no type information
    """The last step of single sign-on: applies the rules of all teams, after the second factor if there is one."""

    key = "sign_on"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        sociallogin = (self.login.signal_kwargs or {}).get("sociallogin")
        if sociallogin is None:
            return None, True
        identity = read_identity(sociallogin)
        try:
            apply_rules(self.login.user, identity, Origin.from_request(self.request))
        except NotAdmitted:
            return refuse(self.request, identity), False
        accepted = sociallogin.provider.app.settings["second_factor"]
        self.request.session[SESSION_KEY] = {
            "account": self.login.user.pk,
            "second_factor": identity.used_any_method(accepted),
        }
        return None, True


def read_identity(sociallogin: SocialLogin) -> Identity:
    """Return the identity that the provider reports."""
    settings = sociallogin.provider.app.settings
    account = sociallogin.account
    return Identity.from_claims(
        account.uid, account.extra_data, verified_claim=settings["email_verified_claim"]
    )


def has_provider_second_factor(request: HttpRequest) -> bool:
    """Return whether the user signed in through the provider in this session with an accepted second factor.

    OIDC_SECOND_FACTOR lists the methods that are accepted.
    """
    sign_on = request.session.get(SESSION_KEY) or {}
    return bool(sign_on.get("second_factor")) and sign_on.get("account") == request.user.pk


def refuse(request: HttpRequest, identity: Identity) -> HttpResponse:
    """Record the refusal in the audit trail (of no team) and return the page for it.

    The page is the same for every reason.
    """
    write_record(
        AuditRecord.Outcome.REFUSED,
        operation="session.sign_on",
        actor=None,
        actor_label=identity.email,
        team=None,
        origin=Origin.from_request(request),
        target=identity.email,
    )
    return render(request, "sign_in/openid_connect/not_admitted.html", status=403)


def _confirm_identity(request: HttpRequest, sociallogin: SocialLogin, identity: Identity) -> None:
    """Record that the signed-in user confirmed their identity: they have just signed in at the provider again.

    Raises ImmediateHttpResponse if it was another user, or an earlier sign-in.
    """
    signed_in_at = identity.claims.get("auth_time")
    is_recent = (
        isinstance(signed_in_at, int | float)
        and signed_in_at >= float(sociallogin.state["asked_at"]) - _CLOCK_SKEW_SECONDS
        and signed_in_at <= time.time() + _CLOCK_SKEW_SECONDS
    )
    if not (is_recent and request.user.is_authenticated and sociallogin.user == request.user):
        logger.warning("Single sign-on failed: the user did not sign in again with the same account")
        raise ImmediateHttpResponse(
            render(request, "sign_in/openid_connect/identity_not_confirmed.html", status=403)
        )
    record_authentication(
        request,
        request.user,
        "socialaccount",
        provider=sociallogin.account.provider,
        uid=sociallogin.account.uid,
        reauthenticated=True,
    )
