"""The page "Your profile": the user's name, time zone, language and theme, and their teams."""

from __future__ import annotations

import zoneinfo
from contextlib import ExitStack
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from console.accounts.http import UserRequest
from console.accounts.models import Team, User
from console.audit.records import Origin, record_action
from console.ui.context import THEME_COOKIE
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
