"""Forms of devices. The platform's limits are said at the fields; they are checked by the catalogue when a form is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.devices import sql
from console.devices.records import STATUSES, DeviceFilter, Tag
from console.products.api import Product
from console.ui.forms import Chip, FilterForm
from console.ui.links import with_query
from console.ui.statuses import STATUSES as SHOWN

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


def product_choices(products: Sequence[Product], chosen: str) -> list[tuple[str, str]]:
    """The products to pick from; one that is chosen already is among them even where the list does not reach it."""
    choices = [(product.key, product.name) for product in products]
    if chosen and chosen not in dict(choices):
        choices.append((chosen, chosen))
    return choices


class DeviceFilters(FilterForm):
    """The filters of the device list."""

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
        choices=[("", _("Any")), *((name, SHOWN["device"][name].label) for name in STATUSES)],
    )

    def __init__(self, request: HttpRequest, products: Sequence[Product]) -> None:
        self.products = products
        super().__init__(request)

    def full_clean(self) -> None:
        """Clean, once the product field knows its choices."""
        chosen = self.data.get("product", "")
        chosen = chosen if sql.searchable(chosen) else ""
        self.fields["product"].choices = [  # type: ignore[attr-defined]
            ("", _("All products")),
            *product_choices(self.products, chosen),
        ]
        super().full_clean()

    @property
    def chips(self) -> list[Chip]:
        """The filters that are on. The product is none of them: it is what the page is about."""
        return [chip for chip in super().chips if chip.label != str(self["product"].label)]

    @property
    def clear_url(self) -> str:
        """The address of the same product with no filter on."""
        return with_query(self.request, drop=("page", "token", "q", "field", "status"))

    def clean_q(self) -> str:
        """A text that a device could be called by."""
        text: str = self.cleaned_data["q"]
        if text and not sql.searchable(text):
            raise forms.ValidationError(
                _(
                    "Device names have only letters, digits, hyphens, underscores, at signs, periods and colons."
                )
            )
        return text

    def wanted(self) -> DeviceFilter:
        """What the address asks for."""
        values = self.values
        return DeviceFilter(
            product_key=values.get("product", ""),
            text=values.get("q", ""),
            field=values.get("field", "") or "name",
            status=values.get("status", ""),
        )


def _nickname(most: int, rule: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Nickname"),
        required=False,
        max_length=most,
        help_text=rule,
        widget=forms.TextInput(attrs=_PLAIN),
    )


class RegisterForm(forms.Form):
    """One new device."""

    product_key = forms.ChoiceField(label=_("Product"))
    device_name = forms.CharField(
        label=_("Device name"),
        required=False,
        max_length=32,
        help_text=_(
            "4 to 32 English letters, digits and - _ @ . : characters, one of a kind in the product. Left empty, the platform"
            " makes one up. It cannot be changed later."
        ),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    nickname = _nickname(64, _("4 to 64 letters, digits and underscores; a Chinese character counts as two."))

    def __init__(self, products: Sequence[Product], *args: Any, chosen: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product_key"].choices = [  # type: ignore[attr-defined]
            ("", _("Choose a product")),
            *product_choices(products, chosen),
        ]


class RenameForm(forms.Form):
    """Another nickname; empty takes it away."""

    nickname = _nickname(
        32,
        _(
            "4 to 32 letters, digits and underscores; a Chinese character counts as two. Left empty, it has none."
        ),
    )
    PARAMETERS = {"DeviceNicknameInfo.N.Nickname": "nickname"}  # noqa: RUF012


class TagForm(forms.Form):
    """A tag to add, or to give another value."""

    tag_key = forms.CharField(label=_("Key"), max_length=128, widget=forms.TextInput(attrs=_PLAIN))
    tag_value = forms.CharField(
        label=_("Value"),
        max_length=1024,
        help_text=_("A device has at most 100 tags, and one sent at a time has at most 5 KB."),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    PARAMETERS = {"Props": "tag_value"}  # noqa: RUF012

    def tag(self) -> Tag:
        """The tag."""
        return Tag(self.cleaned_data["tag_key"], self.cleaned_data["tag_value"])


class GroupForm(forms.Form):
    """A group to add the device to, by its name; `suggested` are offered while it is typed."""

    group_name = forms.CharField(
        label=_("Group name"),
        max_length=30,
        widget=forms.TextInput(attrs={**_PLAIN, "list": "group-names"}),
        help_text=_("A device can be in 10 groups."),
    )
    template_name = "devices/_group_fields.html"

    def __init__(self, suggested: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.suggested = suggested
