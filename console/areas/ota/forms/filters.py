"""The filters of the lists of packages, batches and the devices of a batch."""

from __future__ import annotations

from collections.abc import Iterable

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


class BatchFilter(PackageFilter):
    """A status, a product, a version, and a package of those that match product and version."""

    field_order = ("status", "product", "package", "version")
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=lambda: [
            ("", _("Any")),
            *((value, status("batch", value).label) for value in api.BATCH_STATUSES),
        ],
    )
    package = forms.ChoiceField(label=_("Package"), required=False, choices=())

    def set_package_choices(self, packages: Iterable[api.Package]) -> None:
        """Set the packages to choose from, and read the filters again."""
        choices = ((package.id, f"{package.name} · {package.version}") for package in packages)
        self.fields["package"].choices = [("", _("Any")), *choices]  # type: ignore[attr-defined]
        self.full_clean()


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
