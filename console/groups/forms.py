"""The forms of groups: what the platform takes, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.groups import api
from console.products.api import Product
from console.ui.forms import EditForm, FilterForm

_DEVICE_NAME = re.compile(r"[A-Za-z0-9\-_@.:]{4,32}")
_BETWEEN_NAMES = re.compile(r"[\s,;]+")


class GroupFilter(FilterForm):
    """Looks for groups by a part of their name."""

    q = forms.CharField(
        label=_("Group name"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": _("Find a group by name")}),
    )


class DescriptionForm(EditForm):
    """What can be changed of a group once it is there: its description."""

    description = forms.CharField(
        label=_("Description"),
        max_length=100,
        help_text=_("1 to 100 characters. What these devices have in common."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class GroupForm(forms.Form):
    """A new group."""

    name = forms.CharField(
        label=_("Name"),
        min_length=4,
        max_length=30,
        validators=[RegexValidator(r"^\w+\Z", _("Use letters, digits and underscores (_) only."))],
        help_text=_("4 to 30 letters, digits and underscores (_). It cannot be changed later."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=100,
        help_text=_("At most 100 characters."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class TagForm(forms.Form):
    """A tag of a group."""

    key = forms.CharField(
        label=_("Key"),
        min_length=2,
        max_length=30,
        validators=[RegexValidator(r"^[A-Za-z0-9.]+\Z", _("Use letters, digits and periods (.) only."))],
        help_text=_(
            "2 to 30 letters, digits and periods (.). A key that is there already gets the new value."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=128,
        validators=[
            RegexValidator(r"^[\w-]+\Z", _("Use letters, digits, underscores (_) and hyphens (-) only."))
        ],
        help_text=_("1 to 128 letters, digits, underscores (_) and hyphens (-)."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, fixed_key: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed_key:
            self.fields["key"].disabled = True
            self.fields["key"].initial = fixed_key
            self.fields["key"].help_text = _("To change the key, remove this tag and add another.")


class AddDevicesForm(forms.Form):
    """Devices of one product to put into a group: ticked in a search, pasted, or both.

    `names` of the cleaned data is all of them, each once, in order.
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
        self.offer((product.key, f"{product.name} · {product.key}") for product in products)
        self.fields["pasted"].help_text = ngettext_lazy(
            "One name a line, or separated by commas. %(count)d name at most.",
            "One name a line, or separated by commas. %(count)d names at most.",
            api.MAX_DEVICES_A_CALL,
        ) % {"count": api.MAX_DEVICES_A_CALL}

    def offer(self, products: Iterable[tuple[str, str]]) -> None:
        """The products to choose from, as (key, label)."""
        choices = [("", _("Choose a product")), *products]
        self.fields["product"].choices = choices  # type: ignore[attr-defined]

    @property
    def ticked(self) -> list[str]:
        """The names that came ticked. They are no fixed list of choices: each is checked as the pasted ones are."""
        if not self.is_bound:
            return []
        values = self.data.getlist("picked") if hasattr(self.data, "getlist") else self.data.get("picked", [])
        return list(dict.fromkeys(str(value) for value in values))

    def clean(self) -> dict[str, Any]:
        """All names, each once. Wrong ones are told with the rule that they break."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        pasted = [name for name in _BETWEEN_NAMES.split(str(cleaned.get("pasted", ""))) if name]
        names = list(dict.fromkeys([*self.ticked, *pasted]))
        wrong = [name for name in names if not _DEVICE_NAME.fullmatch(name)]
        if wrong:
            shown = ", ".join(name[:40] for name in wrong[:5]) + ("…" if len(wrong) > 5 else "")
            self.add_error(
                "pasted",
                forms.ValidationError(
                    _(
                        "No device can be called so: %(names)s. A name has 4 to 32 letters, digits or - _ @ . :"
                    ),
                    params={"names": shown},
                ),
            )
        elif not names and "pasted" not in self.errors:
            self.add_error("pasted", _("Name at least one device, or tick one that the search finds."))
        elif len(names) > api.MAX_DEVICES_A_CALL:
            self.add_error(
                "pasted",
                forms.ValidationError(
                    _("These are %(count)d names; the platform takes %(most)d at once."),
                    params={"count": len(names), "most": api.MAX_DEVICES_A_CALL},
                ),
            )
        cleaned["names"] = names
        return cleaned


def search_text(request: HttpRequest) -> str:
    """What is looked for among devices, at most as long as a name can be."""
    return request.POST.get("q", "").strip()[:32]
