"""What lists of batches and of their devices can be narrowed by."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.ota import api
from console.ota.forms import PLAIN
from console.ui.forms import FilterForm
from console.ui.statuses import STATUSES


class JobFilter(FilterForm):
    """A product and a package; the products are those that have packages."""

    product = forms.ChoiceField(label=_("Product"), required=False, choices=())
    package = forms.ChoiceField(label=_("Package"), required=False, choices=())

    def __init__(self, request: HttpRequest, packages: Sequence[api.Package]) -> None:
        products = {p.product_key: p.product_name or p.product_key for p in packages if p.product_key}
        product_key = request.GET.get("product", "")
        fitting = [p for p in packages if not product_key or p.product_key == product_key]
        super().__init__(request)
        self.fields["product"].choices = [("", _("All products")), *products.items()]  # type: ignore[attr-defined]
        self.fields["package"].choices = [  # type: ignore[attr-defined]
            ("", _("Any")),
            *((p.id, f"{p.name} · {p.version}") for p in fitting),
        ]
        self.full_clean()  # again, now that there is something to choose from


class TaskFilter(FilterForm):
    """The state of a device's update, or the device itself."""

    q = forms.CharField(
        label=_("Device name"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": _("Whole device name")}),
    )
    status = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("Any state")),
            *((state, STATUSES["ota_task"][state].label) for state in api.TASK_STATES),
        ],
    )
