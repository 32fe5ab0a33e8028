"""Forms to request, approve and reject, and the filters of the list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.accounts.http import TeamRequest
from console.approvals.models import ApprovalRequest
from console.ui.areas import all_approval_rules
from console.ui.forms import FilterForm


def _text_field(**more: Any) -> forms.CharField:
    return forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}), **more)


class ReasonForm(forms.Form):
    """The reason of a request."""

    reason = _text_field(
        label=_("Reason"),
        help_text=_("The approver sees this reason. It is stored in the audit trail."),
    )


class ApproveForm(forms.Form):
    """An approval. `seen`: the digest of the calls that were shown."""

    reason = _text_field(label=pgettext_lazy("of a decision", "Note"), required=False)
    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)


class RejectForm(forms.Form):
    """A rejection, with its reason."""

    reason = _text_field(label=_("Reason"), help_text=_("The requester sees this reason."))


class RequestFilters(FilterForm):
    q = forms.CharField(label=_("Search by target or user"), required=False, max_length=100)
    state = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            ("", _("Any")),
            *(choice for choice in ApprovalRequest.State.choices if choice[0] != "draft"),
        ],
    )
    rule = forms.ChoiceField(
        label=_("Action"),
        required=False,
        choices=lambda: [("", _("Any")), *((rule.slug, rule.action) for rule in all_approval_rules())],
    )
    mine = forms.ChoiceField(
        label=_("Requests"),
        required=False,
        choices=[("", _("All")), ("asked", _("Requested by me")), ("decide", _("Waiting for my decision"))],
    )

    def __init__(self, request: TeamRequest) -> None:
        super().__init__(request)
