"""Forms of the team's and the person's own pages."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.models import AuditRecord, User
from console.access.roles import Role
from console.ui.forms import FilterForm


def role_choices(roles: Sequence[Role]) -> list[tuple[str, SafeString]]:
    """The roles with what each may do, for radio buttons."""
    return [
        (role.slug, format_html('{}<span class="form-hint">{}</span>', role.label, role.summary))
        for role in roles
    ]


class RoleForm(forms.Form):
    """Which of `roles` a member has."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)

    def __init__(self, roles: Sequence[Role], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(roles)  # type: ignore[attr-defined]


class AddMemberForm(RoleForm):
    """A person to add, by e-mail address."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("Somebody without an account here gets one, and a link to choose a password."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=80,
        required=False,
        help_text=_("For a new account; the person can change it."),
    )
    field_order = ["email", "name", "role"]  # noqa: RUF012 - Django reads a list


class ProfileForm(forms.ModelForm[User]):
    """What people set for themselves."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("Times are shown in this zone; hover for UTC.")
    )

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "time_zone", "language", "theme"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = _zones()  # type: ignore[attr-defined]


def _zones() -> list[tuple[str, Any]]:
    """The time zones by region, the plain one first."""
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
            regions.setdefault(region, []).append((zone, place.replace("_", " ")))
    return [("UTC", "UTC"), *regions.items()]


_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


class AuditFilter(FilterForm):
    """Which records of the trail to show."""

    q = forms.CharField(
        label=_("Target"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": _("Search by target")}),
    )
    person = forms.CharField(label=_("Person"), required=False, max_length=255)
    operation = forms.CharField(label=_("Operation"), required=False, max_length=64)
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any outcome")), *AuditRecord.Outcome.choices]
    )
    since = forms.DateField(
        label=_("From"), required=False, validators=_DAYS, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To"), required=False, validators=_DAYS, widget=forms.DateInput(attrs={"type": "date"})
    )

    @property
    def start(self) -> datetime | None:
        """The first moment of `since` in the person's time zone."""
        return _midnight(self.values.get("since"))

    @property
    def end(self) -> datetime | None:
        """The first moment after `until` in the person's time zone."""
        day = self.values.get("until")
        return _midnight(day + timedelta(days=1)) if day else None


def _midnight(day: Any) -> datetime | None:
    if day is None:
        return None
    return timezone.make_aware(datetime.combine(day, time.min))
