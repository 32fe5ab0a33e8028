"""The forms of topics. The catalogue has their limits, `api` the rules between their values."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.areas.messaging import api
from console.connections.http import CloudRequest
from console.pages.fields import parameter_field
from console.pages.tags import PLAIN_TEXT
from console.ui.forms import EditForm, FilterForm

PERMISSION_LABELS: dict[str, str | Promise] = {
    "PUB": _("Devices publish"),
    "SUB": _("Devices subscribe"),
    "ALL": _("Devices publish and subscribe"),
}


class ProductFilters(FilterForm):
    q = forms.CharField(label=_("Search products"), required=False, max_length=64)


class RouteFilters(FilterForm):
    source = forms.CharField(label=_("Source topic"), required=False, max_length=256)


class CategoryForm(EditForm):
    """A topic category to create, or with `category` to change."""

    short_name = parameter_field(
        api.CREATE,
        "TopicShortName",
        label=_("Name"),
        widget=forms.TextInput(attrs=PLAIN_TEXT),
        help_text=_(
            "The part after /ProductKey/${deviceName}/user/, for example alarm/high. English letters, digits and"
            " underscores (_). Separate levels with slashes (/)."
        ),
    )
    permission = forms.ChoiceField(
        label=_("Permission"),
        choices=list(PERMISSION_LABELS.items()),
        widget=forms.RadioSelect,
        help_text=_("Devices publish messages to the platform, and subscribe to messages from it."),
    )
    description = parameter_field(
        api.CREATE,
        "Desc",
        label=_("Description"),
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Up to 100 characters. Can be changed later, but not removed."),
    )

    def __init__(self, request: CloudRequest, category: api.TopicCategory | None = None) -> None:
        fields = ("short_name", "permission", "description")
        present = {name: getattr(category, name) for name in fields} if category else {}
        super().__init__(request.POST if request.method == "POST" else None, present=present)
        self.category = category

    def clean(self) -> dict[str, Any]:
        """Check the values against the present ones."""
        values = super().clean()
        if self.category and "description" in values:
            for name, problem in api.check_description(self.category, values["description"]):
                self.add_error(name, problem)
        return values


class RoutesForm(forms.Form):
    """The source topic and the target topics of new routes."""

    source = forms.CharField(
        label=_("Source topic"),
        max_length=256,
        widget=forms.TextInput(attrs=PLAIN_TEXT),
        help_text=_("In full: /ProductKey/DeviceName/user/… The device must be activated."),
    )
    targets = forms.CharField(
        label=_("Target topics"),
        max_length=30_000,
        widget=forms.Textarea(attrs={**PLAIN_TEXT, "rows": 5}),
        help_text=_("One per line. Up to 100 target topics for each source topic."),
    )

    def clean_targets(self) -> list[str]:
        """Return the topics without duplicates."""
        return list(dict.fromkeys(self.cleaned_data["targets"].replace(",", " ").split()))

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "source" in values and "targets" in values:
            for name, problem in api.check_routes(values["source"], values["targets"]):
                self.add_error(name, problem)
        return values
