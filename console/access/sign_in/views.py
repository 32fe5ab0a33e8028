"""A person's page "Sign-in and security", and allauth's views where they need a word of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import views as webauthn_views
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from console.access.http import PersonRequest
from console.access.models import Team, User
from console.access.sign_in import sessions
from console.access.sign_in.agents import device
from console.access.sign_in.factors import first_use, has_second_factor
from console.access.sign_in.trail import note
from console.access.views import keep_place

_HISTORY_SHOWN = 20


@dataclass(frozen=True)
class Tried:
    """A sign-in, or one that failed."""

    at: datetime
    ip: str
    device: str
    done: bool


@require_safe
def security(request: PersonRequest) -> HttpResponse:
    """Password, second factors, passkeys, recovery codes, sessions, and what sign-ins there were."""
    user = request.user
    keep_place(request)
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((a for a in found if a.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "asking": _asking_team(request),
        "has_password": user.has_usable_password(),
        "app": next((a for a in found if a.type == Authenticator.Type.TOTP), None),
        "passkeys": [a for a in found if a.type == Authenticator.Type.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": [
            (session, device(session.user_agent), session.session_key == request.session.session_key)
            for session in sessions.sessions_of(user)
        ],
        "history": _history(user),
    }
    return render(request, "access/security.html", context)


def _asking_team(request: PersonRequest) -> Team | None:
    """The team that led here, for it requires a second factor and the person has none."""
    if has_second_factor(request.user):
        return None
    slug = request.GET.get("team", "").replace("\x00", "")
    asking = request.user.memberships.filter(team__slug=slug, team__second_factor_required=True)
    membership = asking.select_related("team").first()
    return membership.team if membership else None


def _history(user: User) -> list[Tried]:
    """The latest sign-ins of the account, and the failed ones, newest first."""
    done = AccessLog.objects.filter(username=user.email).order_by("-attempt_time")[:_HISTORY_SHOWN]
    failed = AccessFailureLog.objects.filter(username=user.email).order_by("-attempt_time")[:_HISTORY_SHOWN]
    tried = [
        Tried(
            entry.attempt_time, entry.ip_address or "", device(entry.user_agent), isinstance(entry, AccessLog)
        )
        for entry in (*done, *failed)
    ]
    return sorted(tried, key=lambda entry: entry.at, reverse=True)[:_HISTORY_SHOWN]


@require_POST
def end_session(request: PersonRequest, pk: int) -> HttpResponse:
    """Sign out where one of the person's other sessions is."""
    found = UserSession.objects.filter(pk=pk, user=request.user).first()
    if found is None:
        raise Http404
    if found.session_key == request.session.session_key:
        return redirect("account_logout")
    sessions.end([found])
    note(request, request.user, "session.end", Count=1)
    messages.success(request, _("Signed out there."))
    return redirect("access:security")


@require_POST
def end_other_sessions(request: PersonRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    here = request.session.session_key
    count = sessions.end([s for s in sessions.sessions_of(request.user) if s.session_key != here])
    if count:
        note(request, request.user, "session.end", Count=count)
        text = ngettext(
            "Signed out in %(count)s other place.", "Signed out in %(count)s other places.", count
        )
        messages.success(request, text % {"count": count})
    else:
        messages.info(request, _("You are signed in nowhere else."))
    return redirect("access:security")


# -- allauth's ---------------------------------------------------------------------------------------------------------


class ActivateTOTPView(totp_views.ActivateTOTPView):  # type: ignore[misc]  # allauth has no type information
    """Sets up an authenticator app; the code that did it does not sign in as well."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        authenticator = Authenticator.objects.get(user=self.request.user, type=Authenticator.Type.TOTP)
        first_use(authenticator, form.cleaned_data["code"])
        return response


class ReauthenticateWebAuthnView(webauthn_views.ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Confirms by a passkey; one that does not fit is said here, not on the front page."""

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(
            self.request, _("This passkey does not belong to your account, or took too long. Try again.")
        )
        return redirect(self.request.get_full_path())
