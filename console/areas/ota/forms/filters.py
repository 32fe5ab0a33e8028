"""The filters of the lists of packages, of batches, and of the devices of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api
from console.areas.ota.forms.packages import PLAIN
from console.ui.forms import FilterForm
from console.ui.statuses import status


class PackageFilter(FilterForm):
    product = forms.ChoiceField(label=_("Product"), required=False, choices=())
    version = forms.CharField(
        label=_("Version"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": _("Exact match")}),
    )

    def __init__(self, request: HttpRequest, products: Iterable[tuple[str, str]]) -> None:
        super().__init__(request)
        self.fields["product"].choices = [("", _("All products")), *products]  # type: ignore[attr-defined]
        self.full_clean()  # again, with the choices


class BatchFilter(FilterForm):
    """A product that has packages, and a package."""

    product = forms.ChoiceField(label=_("Product"), required=False, choices=())
    package = forms.ChoiceField(label=_("Package"), required=False, choices=())

    def __init__(self, request: HttpRequest, packages: Sequence[api.Package]) -> None:
        products = {p.product_key: p.product_name or p.product_key for p in packages if p.product_key}
        product_key = request.GET.get("product", "")
        matching = [p for p in packages if not product_key or p.product_key == product_key]
        super().__init__(request)
        self.fields["product"].choices = [("", _("All products")), *products.items()]  # type: ignore[attr-defined]
        self.fields["package"].choices = [  # type: ignore[attr-defined]
            ("", _("Any")),
            *((p.id, f"{p.name} · {p.version}") for p in matching),
        ]
        self.full_clean()  # again, with the choices


class TaskFilter(FilterForm):
    """The status of a device update, or the device name."""

    q = forms.CharField(
        label=_("Device name"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": _("Full device name")}),
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=lambda: [
            ("", _("Any")),
            *((value, status("batch_task", value).label) for value in api.TASK_STATUSES),
        ],
    )
