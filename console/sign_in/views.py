"""The page "Sign-in and security" of a user, and views of allauth with changed messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as codes_views
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import views as webauthn_views
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from console.accounts.http import UserRequest
from console.accounts.models import Team, User
from console.sign_in import sessions
from console.sign_in.audit_records import record_event
from console.sign_in.factors import accept_code, has_second_factor
from console.sign_in.reauthentication import requires_reauthentication
from console.sign_in.user_agents import describe_device

_HISTORY_SIZE = 20
_CODE_GROUP_DIGITS = 6


@dataclass(frozen=True)
class SignInAttempt:
    """A successful or failed sign-in."""

    at: datetime
    ip: str
    device: str
    succeeded: bool


@require_safe
def security(request: UserRequest) -> HttpResponse:
    """Show the password, second factors, passkeys, recovery codes, sessions and latest sign-ins."""
    user = request.user
    authenticators = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((a for a in authenticators if a.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "requiring_team": _find_requiring_team(request),
        "all_teams_require": settings.REQUIRE_SECOND_FACTOR,
        "has_password": user.has_usable_password(),
        "app": next((a for a in authenticators if a.type == Authenticator.Type.TOTP), None),
        "passkeys": [a for a in authenticators if a.type == Authenticator.Type.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": sessions.describe_sessions(request),
        "history": _read_attempts(user),
    }
    return render(request, "sign_in/security.html", context)


def _find_requiring_team(request: UserRequest) -> Team | None:
    """Return the team that redirected here because it requires a second factor and the user has none."""
    if has_second_factor(request.user):
        return None
    slug = request.GET.get("team", "").replace("\x00", "")
    membership = request.user.memberships.select_related("team").filter(team__slug=slug).first()
    return membership.team if membership and membership.team.requires_second_factor else None


def _read_attempts(user: User) -> list[SignInAttempt]:
    """Return the latest sign-ins of the account, successful and failed, newest first."""
    successes = AccessLog.objects.filter(username=user.email).order_by("-attempt_time")
    failures = AccessFailureLog.objects.filter(username=user.email).order_by("-attempt_time")
    attempts = [
        SignInAttempt(
            entry.attempt_time,
            entry.ip_address or "",
            describe_device(entry.user_agent),
            isinstance(entry, AccessLog),
        )
        for entry in (*successes[:_HISTORY_SIZE], *failures[:_HISTORY_SIZE])
    ]
    return sorted(attempts, key=lambda attempt: attempt.at, reverse=True)[:_HISTORY_SIZE]


@require_POST
@requires_reauthentication
def end_session(request: UserRequest, pk: int) -> HttpResponse:
    """End one of the user's other sessions."""
    session = UserSession.objects.filter(pk=pk, user=request.user).first()
    if session is None:
        raise Http404
    if session.session_key == request.session.session_key:
        return redirect("account_logout")
    sessions.end_sessions([session])
    record_event(request, request.user, "session.end", Count=1)
    messages.success(request, _("The session was signed out."))
    return redirect("sign_in:security")


@require_POST
@requires_reauthentication
def end_other_sessions(request: UserRequest) -> HttpResponse:
    """End all sessions of the user except this one."""
    current = request.session.session_key
    others = [s for s in sessions.list_sessions(request.user) if s.session_key != current]
    count = sessions.end_sessions(others)
    if count:
        record_event(request, request.user, "session.end", Count=count)
        text = ngettext(
            "%(count)s other session was signed out.", "%(count)s other sessions were signed out.", count
        )
        messages.success(request, text % {"count": count})
    else:
        messages.info(request, _("You have no other sessions."))
    return redirect("sign_in:security")


# -- views of allauth --------------------------------------------------------------------------------------------------


class ActivateTOTPView(totp_views.ActivateTOTPView):  # type: ignore[misc]  # allauth has no type information
    """Sets up an authenticator app. The code that was used for it cannot be used to sign in."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        authenticator = Authenticator.objects.get(user=self.request.user, type=Authenticator.Type.TOTP)
        accept_code(authenticator, form.cleaned_data["code"])
        return response


class ViewRecoveryCodesView(codes_views.ViewRecoveryCodesView):  # type: ignore[misc]
    """Shows new recovery codes once, in groups of digits. A code is accepted with and without its hyphens."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["unused_codes"] = [
            "-".join(wrap(code, _CODE_GROUP_DIGITS)) for code in context["unused_codes"]
        ]
        return context


class ReauthenticateWebAuthnView(webauthn_views.ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Confirms the identity with a passkey. An error is shown on this page, not on the home page."""

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(
            self.request,
            _("The passkey does not belong to your account, or the request timed out. Try again."),
        )
        return redirect(self.request.get_full_path())
