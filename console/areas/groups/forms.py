"""The forms of groups. They check the platform's rules before a request is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.groups import api
from console.areas.products.api import Product
from console.pages import tags
from console.pages.device_names import SelectedNames, read_text
from console.pages.fields import parameter_field
from console.ui.format import number
from console.ui.forms import EditForm, FilterForm

MAX_NAMES = 10_000
"""The most devices that are added at once. More than one call takes become a job."""


class GroupFilter(FilterForm):
    """The search field of the group list."""

    q = forms.CharField(
        label=_("Group name"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": _("Search groups by name")}),
    )


def _description_field(operation: str, help_text: Any) -> forms.CharField:
    return parameter_field(
        operation,
        "GroupDesc",
        label=_("Description"),
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DescriptionForm(EditForm):
    """The only property of a group that can be changed: its description."""

    description = _description_field(api.UPDATE, _("1 to 100 characters."))
    description.required = True  # the platform cannot remove it


class GroupForm(forms.Form):
    name = parameter_field(
        api.CREATE,
        "GroupName",
        label=_("Name"),
        help_text=_("4 to 30 letters, digits and underscores (_). Cannot be changed later."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    description = _description_field(api.CREATE, _("Up to 100 characters."))


class SubgroupForm(GroupForm):
    """A group in the group `parent`, which the form names. A parent on the lowest level is an error."""

    parent_name = forms.CharField(label=_("Parent group"), disabled=True, required=False)

    field_order = ("parent_name",)

    def __init__(self, data: QueryDict | None, *, parent: api.GroupDetail) -> None:
        super().__init__(data, initial={"parent_name": parent.name})
        self.parent = parent

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.parent.depth >= api.MAX_DEPTH:
            raise forms.ValidationError(
                _("Groups can have up to three levels. This group is on the third level.")
            )
        return cleaned


class TagForm(tags.TagForm):
    tag_key = forms.CharField(
        label=_("Key"),
        min_length=2,
        max_length=30,
        validators=[RegexValidator(r"^[A-Za-z0-9.]+\Z", _("Use only letters, digits and periods (.)."))],
        help_text=_("2 to 30 letters, digits and periods (.)."),
        widget=forms.TextInput(attrs=tags.PLAIN_TEXT),
    )
    tag_value = forms.CharField(
        label=_("Value"),
        max_length=128,
        validators=[
            RegexValidator(r"^[\w-]+\Z", _("Use only letters, digits, underscores (_) and hyphens (-)."))
        ],
        help_text=_("1 to 128 letters, digits, underscores (_) and hyphens (-)."),
        widget=forms.TextInput(attrs=tags.PLAIN_TEXT),
    )


class AddDevicesForm(SelectedNames):
    """Devices of one product to add to a group: selected in search results, pasted, or both.

    `cleaned_data["names"]` contains all names in order, without duplicates.
    """

    product = forms.ChoiceField(label=_("Product"), choices=())
    pasted = forms.CharField(
        label=_("Device names"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_(
            "One name per line, comma-separated, or a table with a “device name” column. Up to 10,000 names. "
            "More than 200 names are added by a job that you review first."
        ),
    )

    def __init__(self, products: Iterable[Product], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_product_choices((product.key, f"{product.name} · {product.key}") for product in products)

    def set_product_choices(self, products: Iterable[tuple[str, str]]) -> None:
        """Set the products to choose from, as (key, label)."""
        choices = [("", _("Select a product")), *products]
        self.fields["product"].choices = choices  # type: ignore[attr-defined]

    def clean_pasted(self) -> tuple[str, ...]:
        """Return the names in the text field. Raises ValidationError."""
        return read_text(str(self.cleaned_data["pasted"])).names

    def clean(self) -> dict[str, Any]:
        """Collect all names without duplicates, and validate them."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        names = tuple(dict.fromkeys([*self.selected_names, *cleaned.get("pasted", ())]))
        if not names and "pasted" not in self.errors:
            self.add_error(
                "pasted", _("Enter at least one device name, or select a device from the search results.")
            )
        elif len(names) > MAX_NAMES:
            text = gettext("You entered %(count)s names. The limit is %(limit)s.")
            self.add_error("pasted", text % {"count": number(len(names)), "limit": number(MAX_NAMES)})
        cleaned["names"] = names
        return cleaned
