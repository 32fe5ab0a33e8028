"""The filters of the audit pages."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.access.audit.searching import Wanted
from console.access.models import AuditRecord
from console.ui.forms import FilterForm

_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


def _text(label: Any, length: int, suggested: str = "") -> forms.CharField:
    """A field for text; `suggested` is the id of the list on the page that it offers."""
    attrs = {"list": suggested, "autocomplete": "off"} if suggested else {}
    return forms.CharField(
        label=label, required=False, max_length=length, widget=forms.TextInput(attrs=attrs)
    )


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, validators=_DAYS, widget=forms.DateInput(attrs={"type": "date"})
    )


class AuditFilter(FilterForm):
    """Which records of the trail to show."""

    q = forms.CharField(
        label=_("Target"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": _("Search by target")}),
    )
    person = _text(_("Person"), 255, "audit-people")
    operation = _text(_("Operation"), 64, "audit-operations")
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any outcome")), *AuditRecord.Outcome.choices]
    )
    connection = _text(_("Connection"), 80, "audit-connections")
    api_token = _text(_("API token"), 100)
    # What links of other pages ask for; shown as chips.
    target = forms.CharField(
        label=_("Exact target"), required=False, max_length=255, widget=forms.HiddenInput
    )
    job = forms.IntegerField(
        label=_("Job"), required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )
    since = _day(_("From"))
    until = _day(_("To"))

    @property
    def wanted(self) -> Wanted:
        """The same, as the search takes it; days are those of the person's time zone."""
        values = self.values
        until = values.get("until")
        return Wanted(
            text=values.get("q", ""),
            token=values.get("api_token", ""),
            **{
                name: values.get(name, "")
                for name in ("target", "person", "operation", "connection", "outcome")
            },
            job=values.get("job"),
            start=_midnight(values.get("since")),
            end=_midnight(until + timedelta(days=1)) if until else None,
        )


class ReadsFilter(FilterForm):
    """Which counts of reads to show; days are those of UTC."""

    q = forms.CharField(
        label=_("Person"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": _("Search by person or token")}),
    )
    operation = _text(_("Operation"), 64)
    connection = _text(_("Connection"), 80, "audit-connections")
    since = _day(_("From"))
    until = _day(_("To"))

    @property
    def lookups(self) -> dict[str, Any]:
        """The same, as conditions on ReadCount."""
        named = {
            "q": "actor_label__icontains",
            "operation": "operation__istartswith",
            "connection": "connection",
            "since": "day__gte",
            "until": "day__lte",
        }
        return {named[name]: value for name, value in self.values.items()}


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
