"""The page "Your profile": the user's name, time zone, language and theme, and their teams."""

from __future__ import annotations

import zoneinfo
from contextlib import ExitStack
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.accounts.http import UserRequest
from console.accounts.models import Team, User
from console.accounts.personal_data import write_personal_data
from console.audit.records import Origin, record_action
from console.sign_in.audit_records import record_event
from console.sign_in.cleanup import LOG_RETENTION_DAYS
from console.sign_in.reauthentication import ReauthenticationNeeded, is_recently_authenticated
from console.ui.context import THEME_COOKIE
from console.ui.csv import Download
from console.ui.forms import FORM_REFUSED


class ProfileForm(forms.ModelForm[User]):
    """The settings of a user's profile."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("Times are shown in this time zone. Hover over a time to see it in UTC."),
    )

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "time_zone", "language", "theme"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = _time_zone_choices(datetime.now(UTC).date())  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _time_zone_choices(day: date) -> tuple[tuple[str, Any], ...]:
    """Return the time zones by region with their difference to UTC on a day; first that of the browser, and UTC.

    Cached, because listing them reads 600 files.
    """
    regions: dict[str, list[tuple[str, str]]] = {}
    for zone in sorted(zoneinfo.available_timezones()):
        region, slash, place = zone.partition("/")
        if slash and region not in {
            "Etc",
            "posix",
            "right",
            "SystemV",
            "US",
            "Canada",
            "Brazil",
            "Chile",
            "Mexico",
        }:
            offset = datetime.combine(day, time(12), zoneinfo.ZoneInfo(zone)).strftime("%z")
            label = f"{place.replace('_', ' ')} (UTC{offset[:3]}:{offset[3:5]})"
            regions.setdefault(region, []).append((zone, label))
    return ("", _("Browser default")), ("UTC", "UTC"), *regions.items()


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    """Show and edit the user's name, time zone, language and theme; list their teams."""
    user = request.user
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        with ExitStack() as records:
            if "name" in form.changed_data:  # the name is visible to others
                for team in Team.objects.filter(memberships__user=user):
                    record = record_action(
                        operation="profile.edit",
                        actor=user,
                        team=team,
                        origin=Origin.from_request(request),
                        target=user.email,
                        parameters={"name": form.cleaned_data["name"]},
                        before={"name": user.name},
                    )
                    records.enter_context(record)
            form.save()
        messages.success(request, gettext("Profile saved."))
        response = redirect("sign_in:profile")
        # The saved theme replaces the one that this browser remembers.
        response.delete_cookie(THEME_COOKIE)
        return response
    memberships = user.memberships.select_related("team").order_by("team__name")
    context = {"form": form, "memberships": memberships}
    return render(request, "sign_in/profile.html", context, status=FORM_REFUSED if form.errors else 200)


@require_safe
def download_data(request: UserRequest) -> HttpResponseBase:
    """Send what the console stores about the user, as a JSON file."""
    if not is_recently_authenticated(request):
        raise ReauthenticationNeeded(reverse("sign_in:stored-data"))
    record_event(request, request.user, "profile.download")
    return Download(
        write_personal_data(request.user), "fleetdesk-personal-data.json", content_type="application/json"
    )


@require_safe
def stored_data(request: UserRequest) -> HttpResponse:
    """Tell the user what the console stores about them, why, for how long, and who can see it."""
    teams = Team.objects.filter(memberships__user=request.user).order_by("name")
    context = {
        "idle_seconds": settings.SESSION_IDLE_MINUTES * 60,
        "session_seconds": settings.SESSION_ABSOLUTE_HOURS * 3600,
        "sign_in_days": LOG_RETENTION_DAYS,
        "job_days": settings.JOBS_KEEP_DAYS,
        # In days; 0: forever.
        "audit_periods": [
            *teams.values_list("name", "audit_keep_days"),
            (gettext("Records without a team, or of a deleted team"), settings.AUDIT_KEEP_DAYS),
        ],
    }
    return render(request, "sign_in/stored_data.html", context)
