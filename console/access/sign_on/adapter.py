"""How django-allauth behaves when somebody comes from the identity provider."""

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

from console.access.audit import Origin, write_record
from console.access.models import AuditRecord
from console.access.sign_on.claims import Identity
from console.access.sign_on.entrance import NotLetIn, account_for, enter
from console.access.sign_on.tokens import ProviderAway, SignOnError

logger = logging.getLogger(__name__)
# Where the session keeps how the person signed in; tied to the account, for the session outlives a change of person.
SESSION_KEY = "sign_on"
# What clocks may differ by, in seconds, when the provider says at what time somebody signed in there.
_CLOCKS = 60


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """Accounts are found or made by `entrance`; allauth's own sign-up is closed and never reached."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_requests_session(self) -> Session:
        """Goes where it is sent and no further: an answer that leads elsewhere is refused."""
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
        """Logs why, without what was received; the page tells only whether the provider is away."""
        reason = str(exception) if isinstance(exception, SignOnError) else type(exception).__name__
        logger.warning("single sign-on failed: %s", reason if exception else error)
        if extra_context is not None:
            extra_context["away"] = isinstance(exception, ProviderAway)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Finds or makes the account of a person whose ID token was verified."""
        sociallogin.token = None  # a sign-in that waits for a second factor is kept in the session
        identity = identity_of(sociallogin)
        if sociallogin.state.get("process") == AuthProcess.REDIRECT:
            _prove_again(request, sociallogin, identity)
            return
        try:
            sociallogin.user = account_for(identity)
        except NotLetIn as refused:
            raise ImmediateHttpResponse(not_let_in(request, identity)) from refused


class SignOnStage(LoginStage):  # type: ignore[misc]  # allauth has no type information
    """The last step of signing in by single sign-on: only now, after any second factor, are the teams' rules applied."""

    key = "sign_on"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        sociallogin = (self.login.signal_kwargs or {}).get("sociallogin")
        if sociallogin is None:
            return None, True
        identity = identity_of(sociallogin)
        try:
            enter(self.login.user, identity, Origin.of(self.request))
        except NotLetIn:
            return not_let_in(self.request, identity), False
        accepted = sociallogin.provider.app.settings["second_factor"]
        self.request.session[SESSION_KEY] = {
            "account": self.login.user.pk,
            "second_factor": identity.proved_by(accepted),
        }
        return None, True


def identity_of(sociallogin: SocialLogin) -> Identity:
    """Who the provider says this is."""
    settings = sociallogin.provider.app.settings
    account = sociallogin.account
    return Identity.of(account.uid, account.extra_data, verified_claim=settings["email_verified_claim"])


def second_factor_by_provider(request: HttpRequest) -> bool:
    """Whether the person signed in through the provider in this session, with a second factor there that OIDC_SECOND_FACTOR accepts."""
    kept = request.session.get(SESSION_KEY) or {}
    return bool(kept.get("second_factor")) and kept.get("account") == request.user.pk


def not_let_in(request: HttpRequest, identity: Identity) -> HttpResponse:
    """The one page for everybody whom no team lets in, whatever the reason; the reason's trace is in the trail of no team."""
    write_record(
        AuditRecord.Outcome.REFUSED,
        operation="session.sign_on",
        actor=None,
        actor_label=identity.email,
        team=None,
        origin=Origin.of(request),
        target=identity.email,
    )
    return render(request, "access/sign_on/not_let_in.html", status=403)


def _prove_again(request: HttpRequest, sociallogin: SocialLogin, identity: Identity) -> None:
    """The person who is signed in has just signed in anew at the provider: counts as having proved that it is them."""
    signed_in_at = identity.claims.get("auth_time")
    fresh = (
        isinstance(signed_in_at, int | float)
        and signed_in_at >= float(sociallogin.state["asked_at"]) - _CLOCKS
        and signed_in_at <= time.time() + _CLOCKS
    )
    if not (fresh and request.user.is_authenticated and sociallogin.user == request.user):
        logger.warning("single sign-on failed: not proved anew by the same person")
        raise ImmediateHttpResponse(render(request, "access/sign_on/not_proved.html", status=403))
    record_authentication(
        request,
        request.user,
        "socialaccount",
        provider=sociallogin.account.provider,
        uid=sociallogin.account.uid,
        reauthenticated=True,
    )
