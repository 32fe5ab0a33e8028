"""The filters of the audit pages."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.audit.models import AuditRecord
from console.audit.search import RecordQuery
from console.audit.sentences import RecordKind
from console.ui.fields import DayField
from console.ui.forms import FilterForm

_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


def _text_field(label: Any, length: int, list_id: str = "") -> forms.CharField:
    """Create a text field; `list_id` is the id of the element on the page with its suggestions."""
    attrs = {"list": list_id, "autocomplete": "off"} if list_id else {}
    return forms.CharField(
        label=label, required=False, max_length=length, widget=forms.TextInput(attrs=attrs)
    )


class AuditFilter(FilterForm):
    """The filters of the audit trail."""

    q = forms.CharField(
        label=_("Target"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": _("Search by target")}),
    )
    kind = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any")), *RecordKind.choices])
    person = _text_field(_("User"), 255, "audit-actors")
    operation = _text_field(_("Operation"), 64, "audit-operations")
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any")), *AuditRecord.Outcome.choices]
    )
    connection = _text_field(_("Connection"), 80, "audit-connections")
    api_token = _text_field(_("API token"), 100)
    # Set by links from other pages; shown as chips.
    target = forms.CharField(
        label=_("Target (exact match)"), required=False, max_length=255, widget=forms.HiddenInput
    )
    job = forms.IntegerField(
        label=_("Job"), required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )
    since = DayField(label=_("From"), required=False, validators=_DAYS)
    until = DayField(label=_("To"), required=False, validators=_DAYS)

    @property
    def query(self) -> RecordQuery:
        """The filters as a query of records. Days are days in the user's time zone."""
        values = self.values
        until = values.get("until")
        return RecordQuery(
            text=values.get("q", ""),
            actor=values.get("person", ""),
            token=values.get("api_token", ""),
            **{
                name: values.get(name, "")
                for name in ("target", "operation", "kind", "connection", "outcome")
            },
            job=values.get("job"),
            start=_start_of_day(values.get("since")),
            end=_start_of_day(until + timedelta(days=1)) if until else None,
        )


class ReadsFilter(FilterForm):
    """The filters of the read counts. Days are days in UTC."""

    q = forms.CharField(
        label=_("User"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": _("Search by user or token")}),
    )
    operation = _text_field(_("Operation"), 64)
    connection = _text_field(_("Connection"), 80, "audit-connections")
    since = DayField(label=_("From"), required=False, validators=_DAYS)
    until = DayField(label=_("To"), required=False, validators=_DAYS)

    @property
    def lookups(self) -> dict[str, Any]:
        """The filters as conditions on ReadCount."""
        lookup_names = {
            "q": "actor_label__icontains",
            "operation": "operation__istartswith",
            "connection": "connection",
            "since": "day__gte",
            "until": "day__lte",
        }
        return {lookup_names[name]: value for name, value in self.values.items()}


def _start_of_day(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
