"""Forms of devices. The fields show the platform's limits; the catalogue checks them when a form is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.areas.devices import sql
from console.areas.devices.records import STATUSES, DeviceFilter
from console.areas.products.api import Product
from console.pages import tags
from console.ui.fields import ChooseInput
from console.ui.forms import Chip, FilterForm
from console.ui.links import query_url
from console.ui.statuses import status


def product_choices(products: Sequence[Product], chosen: str) -> list[tuple[str, str]]:
    """Return the product choices, including the chosen product even if the list does not contain it."""
    choices = [(product.key, product.name) for product in products]
    if chosen and chosen not in dict(choices):
        choices.append((chosen, chosen))
    return choices


class DeviceFilters(FilterForm):
    product = forms.ChoiceField(label=_("Product"), required=False)
    q = forms.CharField(label=_("Search devices"), required=False, max_length=64)
    field = forms.ChoiceField(
        label=_("Search in"),
        required=False,
        choices=[("", _("Name")), ("nickname", _("Nickname"))],
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=lambda: [("", _("Any")), *((value, status("device", value).label) for value in STATUSES)],
    )

    def __init__(self, request: HttpRequest, products: Sequence[Product] = ()) -> None:
        self.products = products
        super().__init__(request)

    def full_clean(self) -> None:
        """Clean the form after setting the choices of the product field."""
        chosen = self.data.get("product", "")
        chosen = chosen if sql.is_searchable(chosen) else ""
        self.fields["product"].choices = [  # type: ignore[attr-defined]
            ("", _("All products")),
            *product_choices(self.products, chosen),
        ]
        super().full_clean()

    @property
    def chips(self) -> list[Chip]:
        """The active filters, without the product: it is the subject of the page."""
        return [chip for chip in super().chips if chip.label != str(self["product"].label)]

    @property
    def clear_url(self) -> str:
        """The URL of the same product without filters."""
        return query_url(self.request, drop=("page", "token", "q", "field", "status"))

    def clean_q(self) -> str:
        """Return a search text that a device name can contain."""
        text: str = self.cleaned_data["q"]
        if text and not sql.is_searchable(text):
            raise forms.ValidationError(sql.UNSEARCHABLE)
        return text

    def device_filter(self) -> DeviceFilter:
        """Return the filters of the URL."""
        values = self.values
        return DeviceFilter(
            product_key=values.get("product", ""),
            text=values.get("q", ""),
            field=values.get("field", "") or "name",
            status=values.get("status", ""),
        )


class ProductDeviceFilters(DeviceFilters):
    """The filters of the devices of one product, which the page names."""

    def __init__(self, request: HttpRequest, products: Sequence[Product] = ()) -> None:
        super().__init__(request, products)
        self.fields["product"].widget = forms.HiddenInput()


def _nickname(most: int, rule: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Nickname"),
        required=False,
        max_length=most,
        help_text=rule,
        widget=forms.TextInput(attrs={**tags.PLAIN_TEXT, "data-count": "wide"}),
    )


class RegisterForm(forms.Form):
    """One new device."""

    product_key = forms.ChoiceField(label=_("Product"))
    device_name = forms.CharField(
        label=_("Device name"),
        required=False,
        max_length=32,
        help_text=_(
            "Unique in the product. Cannot be changed later. Leave empty to generate a name. "
            "4 to 32 characters: English letters, digits, - _ . : @."
        ),
        widget=forms.TextInput(attrs=tags.PLAIN_TEXT),
    )
    token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    nickname = _nickname(
        64,
        _(
            "4 to 64 characters: letters, digits, underscores. A Chinese character counts as two. "
            "The platform allows only 32 if you change it later."
        ),
    )

    def __init__(self, products: Sequence[Product], *args: Any, chosen: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product_key"].choices = [  # type: ignore[attr-defined]
            ("", _("Select a product")),
            *product_choices(products, chosen),
        ]


class RenameForm(forms.Form):
    """A new nickname; an empty one removes it."""

    nickname = _nickname(
        32,
        _(
            "4 to 32 characters: letters, digits, underscores. A Chinese character counts as two. "
            "The platform allows 64 only at registration. Leave empty to remove the nickname."
        ),
    )


class TagForm(tags.TagForm):
    tag_key = forms.CharField(label=_("Key"), max_length=128, widget=forms.TextInput(attrs=tags.PLAIN_TEXT))
    tag_value = forms.CharField(
        label=_("Value"),
        max_length=1024,
        help_text=_("Up to 100 tags per device. Up to 5 KB per request."),
        widget=forms.TextInput(attrs=tags.PLAIN_TEXT),
    )


class GroupForm(forms.Form):
    """The name of the group to add the device to. `find_url`: the address that finds groups by a part of the name."""

    group_name = forms.CharField(
        label=_("Group"),
        max_length=30,
        widget=ChooseInput(attrs=tags.PLAIN_TEXT, searches_at_once=True),
        help_text=_("Enter a part of the name, and choose the group. A device can be in up to 10 groups."),
    )

    def __init__(self, find_url: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group_name"].widget.search_url = find_url  # type: ignore[attr-defined]
