"""What people say when they ask and when they decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.http import TeamRequest
from console.approvals.models import RULES, ApprovalRequest
from console.ui.forms import FilterForm


def _text(**more: Any) -> forms.CharField:
    return forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}), **more)


class AskForm(forms.Form):
    """Why somebody wants it."""

    reason = _text(
        label=_("Why should this be done?"),
        help_text=_("The person who decides reads this, and it stays in the audit trail."),
    )


class ApproveForm(forms.Form):
    """A yes to what was shown: `seen` is its digest."""

    reason = _text(label=pgettext_lazy("of a decision", "Note"), required=False)
    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)


class RefuseForm(forms.Form):
    """A no, and why."""

    reason = _text(label=_("Why not?"), help_text=_("The person who asked reads this."))


class RequestFilters(FilterForm):
    """What is looked for among the requests."""

    q = forms.CharField(label=_("Search by target or person"), required=False, max_length=100)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("All")),
            *(choice for choice in ApprovalRequest.State.choices if choice[0] != "draft"),
        ],
    )
    rule = forms.ChoiceField(label=_("Rule"), required=False, choices=[("", _("All")), *RULES.items()])
    mine = forms.ChoiceField(
        label=_("Whose"),
        required=False,
        choices=[("", _("All")), ("asked", _("Asked by me")), ("decide", _("For me to decide"))],
    )

    def __init__(self, request: TeamRequest) -> None:
        super().__init__(request)
