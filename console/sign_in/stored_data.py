"""The page that tells users what the console stores about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.accounts.http import UserRequest
from console.accounts.models import Team
from console.accounts.personal_data import write_personal_data
from console.sign_in.audit_records import record_event
from console.sign_in.cleanup import LOG_RETENTION_DAYS
from console.sign_in.reauthentication import ReauthenticationNeeded, is_recently_authenticated
from console.ui.csv import Download
from console.ui.format import duration, label_text

Text = str | Promise


@dataclass(frozen=True)
class StoredData:
    """A kind of data: what it is, why it is stored, for how long (a paragraph each), and who can see it."""

    title: Text
    data: Text
    purpose: Text
    kept: Sequence[Text]
    visible_to: Text


@require_safe
def show_stored_data(request: UserRequest) -> HttpResponse:
    """Tell the user what the console stores about them, why, for how long, and who can see it."""
    return render(request, "sign_in/stored_data.html", {"kinds": _list_kinds(request)})


@require_safe
def download_data(request: UserRequest) -> HttpResponseBase:
    """Send what the console stores about the user, as a JSON file."""
    if not is_recently_authenticated(request):
        raise ReauthenticationNeeded(reverse("sign_in:stored-data"))
    record_event(request, request.user, "profile.download")
    return Download(
        write_personal_data(request.user), "fleetdesk-personal-data.json", content_type="application/json"
    )


def _list_kinds(request: UserRequest) -> list[StoredData]:
    return [
        *_ACCOUNT,
        StoredData(
            _("Sessions and sign-in attempts"),
            _(
                "The email address, time, IP address and browser of each session, and of each successful or failed attempt to"
                " sign in."
            ),
            _(
                "To end unused sessions, to lock the account after failed attempts, and to show you sign-ins that are not yours."
            ),
            _describe_sessions(),
            _("Only you, under “Sign-in and security”."),
        ),
        _MEMBERSHIPS,
        StoredData(
            _("Audit trail"),
            _(
                "Each sign-in, change, denied operation and secret that you reveal: your email address, IP address, browser,"
                " the time, the object, and the values before and after, without secrets. Also the number of your reads for"
                " each day and operation."
            ),
            _("To show who did what."),
            _describe_audit_trail(request),
            _("Members who may view the audit trail, such as administrators and owners."),
        ),
        StoredData(
            _("Jobs and approvals"),
            _(
                "The jobs that you create or start, with the names of uploaded files. Your approval requests and decisions,"
                " with your reasons. Identifiers of the forms that you submit."
            ),
            _("To run the jobs, to show who started or approved them, and to process each form only once."),
            _describe_jobs(),
            _("Members of the team. Jobs: only if their role and access scope include them."),
        ),
        *_BROWSER_AND_SERVER,
    ]


def _describe_sessions() -> list[str]:
    values = {
        "hours": duration(settings.SESSION_ABSOLUTE_HOURS * 3600),
        "minutes": duration(settings.SESSION_IDLE_MINUTES * 60),
    }
    attempts = ngettext("Attempts: %(days)s day.", "Attempts: %(days)s days.", LOG_RETENTION_DAYS)
    return [
        gettext(
            "Sessions: until you sign out, at the latest %(hours)s after sign-in. They end after %(minutes)s without use."
        )
        % values,
        attempts % {"days": LOG_RETENTION_DAYS},
    ]


def _describe_audit_trail(request: UserRequest) -> list[str]:
    teams = Team.objects.filter(memberships__user=request.user).order_by("name")
    periods = [
        *teams.values_list("name", "audit_keep_days"),
        (gettext("Records without a team, or of a deleted team"), settings.AUDIT_KEEP_DAYS),
    ]
    return [
        *(label_text(label, _describe_days(days)) for label, days in periods),
        gettext("Your email address stays in the records after you leave a team or delete your account."),
    ]


def _describe_days(days: int) -> str:
    """The text for a number of days; 0: forever."""
    if not days:
        return pgettext("how long data is stored", "forever")
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


def _describe_jobs() -> list[str]:
    days = settings.JOBS_KEEP_DAYS
    ends = ngettext(
        "Jobs and requests: %(days)s day after their end.",
        "Jobs and requests: %(days)s days after their end.",
        days,
    )
    return [
        ends % {"days": days} if days else gettext("Jobs and requests: forever."),
        gettext(
            "Identifiers of forms: at least 7 days. Then the next form that anyone submits deletes them."
        ),
    ]


_ACCOUNT = (
    StoredData(
        _("Account"),
        _(
            "Email address, name, time zone, language, theme, the team and connection that you visited last, the time of your"
            " last sign-in, and when your account was created."
        ),
        _("To identify you, and to show pages in your language and time zone."),
        [
            _(
                "Until you delete your account. Then only a hash of your email address remains, so that single sign-on does"
                " not add you to a team that you left."
            )
        ],
        _(
            "Members of your teams see your name or email address next to your actions. Members who may view the list of"
            " members also see your last sign-in."
        ),
    ),
    StoredData(
        _("Sign-in methods"),
        _(
            "A hash of your password, the keys of your authenticator app and recovery codes (encrypted), the public keys and"
            " names of your passkeys, and when you added and last used them. With single sign-on, also the claims"
            " about you from the identity provider."
        ),
        _("To verify your identity when you sign in."),
        [
            _(
                "Until you change or remove the method, or delete your account. The server administrator can also"
                " remove a link to an identity provider."
            )
        ],
        _("Only you. The console never shows stored keys and hashes."),
    ),
)
_MEMBERSHIPS = StoredData(
    _("Memberships and API tokens"),
    _(
        "Your teams, roles and access scopes, and who granted them. Invitations to you and from you. The teams that you left."
        " The name and first characters of your API tokens, and when and from which IP address they were last used."
    ),
    _("To decide what you and your programs may do."),
    [
        _(
            "Memberships: until they end. Invitations: until they are accepted or withdrawn. API tokens and the teams that you"
            " left: at the latest until the team or your account is deleted."
        )
    ],
    _(
        "You, and members who may view the list of members. Members who may change it also see your API tokens."
    ),
)
_BROWSER_AND_SERVER = (
    StoredData(
        _("Call history"),
        _(
            "The calls that you send from the explorer, with their time, outcome and parameters, without secrets."
        ),
        _("To let you send a call again."),
        [_("The latest 200 calls on each connection.")],
        _("Only you."),
    ),
    StoredData(
        _("Cookies in your browser"),
        _(
            "The identifier of your session, a key against forged requests, and display settings, such as language, time zone,"
            " theme and columns. There are no cookies for advertising or tracking."
        ),
        _("To keep you signed in, and to remember your display settings."),
        [
            _(
                "The session: until you sign out or close the browser. Other cookies: up to one year after the last change."
            )
        ],
        _("Everyone who uses this browser."),
    ),
    StoredData(
        _("Server log"),
        _("The time, IP address, browser and page of each request. Errors."),
        _("To find errors and attacks."),
        [_("As long as the server administrator keeps the log.")],
        _("Only the server administrator."),
    ),
)
