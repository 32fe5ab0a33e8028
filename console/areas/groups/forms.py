"""The forms of groups. They check the platform's rules before a request is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.areas.groups import api
from console.areas.products.api import Product
from console.pages import tags
from console.pages.fields import parameter_field
from console.ui.forms import EditForm, FilterForm

_DEVICE_NAME = re.compile(r"[A-Za-z0-9\-_@.:]{4,32}")
_SEPARATOR = re.compile(r"[\s,;]+")


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


class AddDevicesForm(forms.Form):
    """Devices of one product to add to a group: selected in search results, pasted, or both.

    `cleaned_data["names"]` contains all names in order, without duplicates.
    """

    product = forms.ChoiceField(label=_("Product"), choices=())
    pasted = forms.CharField(
        label=_("Device names"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, products: Iterable[Product], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_product_choices((product.key, f"{product.name} · {product.key}") for product in products)
        self.fields["pasted"].help_text = ngettext_lazy(
            "One name per line, or comma-separated. Up to %(count)d name.",
            "One name per line, or comma-separated. Up to %(count)d names.",
            api.MAX_DEVICES_PER_CALL,
        ) % {"count": api.MAX_DEVICES_PER_CALL}

    def set_product_choices(self, products: Iterable[tuple[str, str]]) -> None:
        """Set the products to choose from, as (key, label)."""
        choices = [("", _("Select a product")), *products]
        self.fields["product"].choices = choices  # type: ignore[attr-defined]

    @property
    def selected_names(self) -> list[str]:
        """The names selected in the search results. They are validated like pasted names."""
        if not self.is_bound:
            return []
        values = self.data.getlist("device") if hasattr(self.data, "getlist") else self.data.get("device", [])
        return list(dict.fromkeys(str(value) for value in values))

    def clean(self) -> dict[str, Any]:
        """Collect all names without duplicates, and validate them."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        pasted = [name for name in _SEPARATOR.split(str(cleaned.get("pasted", ""))) if name]
        names = list(dict.fromkeys([*self.selected_names, *pasted]))
        invalid = [name for name in names if not _DEVICE_NAME.fullmatch(name)]
        if invalid:
            shown = ", ".join(name[:40] for name in invalid[:5]) + ("…" if len(invalid) > 5 else "")
            self.add_error(
                "pasted",
                forms.ValidationError(
                    _(
                        "Invalid device names: %(names)s. Use 4 to 32 characters: English letters, digits, - _ @ . :"
                    ),
                    params={"names": shown},
                ),
            )
        elif not names and "pasted" not in self.errors:
            self.add_error(
                "pasted", _("Enter at least one device name, or select a device from the search results.")
            )
        elif len(names) > api.MAX_DEVICES_PER_CALL:
            self.add_error(
                "pasted",
                forms.ValidationError(
                    _("You entered %(count)d names. The limit is %(limit)d."),
                    params={"count": len(names), "limit": api.MAX_DEVICES_PER_CALL},
                ),
            )
        cleaned["names"] = names
        return cleaned
