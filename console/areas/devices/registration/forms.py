"""Forms of registrations: the devices to register, and the columns of their file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from console.areas.devices.registration.sheet import NAME, NICKNAME
from console.areas.products.api import Product
from console.ui.format import number
from console.ui.forms import FileWidget

MAX_GENERATED_NAMES = 100_000


def _product_label(product: Product) -> str:
    devices = ngettext("%(count)s device", "%(count)s devices", product.devices)
    return f"{product.name} · {product.key} · {devices % {'count': number(product.devices)}}"


class ProductForm(forms.Form):
    """The product in which to register devices."""

    product = forms.ChoiceField(label=_("Product"))

    def __init__(self, products: Iterable[Product], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(product.key, _product_label(product)) for product in products]
        field = self.fields["product"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the type checker)
        field.choices = [("", _("Select a product")), *choices]


class FileForm(ProductForm):
    """Devices from a file."""

    file = forms.FileField(
        label=_("Device list"),
        allow_empty_file=True,  # reading the file gives a better error
        widget=FileWidget(
            accept=".csv,.txt,.tsv,.xlsx,text/csv,text/plain", max_bytes=settings.JOBS_UPLOAD_BYTES
        ),
        help_text=_(
            "CSV file or Excel workbook (.xlsx) with a “device name” column (4 to 32 English letters, digits and - _ @ . :). "
            "Optional columns: “nickname” (4 to 64 letters, digits and underscores) and “tag:…”. A list with one name per row "
            "also works. Separators: comma, semicolon, tab or |. Encodings: UTF-8, UTF-16 or GB18030. You review the result "
            "before anything is sent."
        ),
    )


class CountForm(ProductForm):
    """A number of devices with generated names."""

    count = forms.IntegerField(label=_("Number of devices"), min_value=1, max_value=MAX_GENERATED_NAMES)
    name_prefix = forms.RegexField(
        label=_("Name prefix"),
        regex=r"^[A-Za-z0-9_.:@-]*\Z",
        required=False,
        max_length=16,
        strip=True,
        error_messages={"invalid": _("Use only English letters, digits and - _ . : @.")},
        help_text=_(
            "16 random characters are added to the prefix. "
            "Up to 16 characters: English letters, digits, - _ . : @."
        ),
    )


class ColumnsForm(forms.Form):
    """How a file is read: its encoding and separator, and if its first row is known, its columns.

    With another separator than the initial one, the columns are recognized again.
    """

    encoding = forms.ChoiceField(
        label=_("Encoding"),
        required=False,
        choices=[
            ("", _("Automatic")),
            ("utf-8-sig", "UTF-8"),
            ("gb18030", "GBK / GB18030"),
            ("utf-16", "UTF-16"),
        ],
    )
    separator = forms.ChoiceField(
        label=_("Separator"),
        required=False,
        choices=[
            ("", _("Automatic")),
            (",", _("Comma")),
            (";", _("Semicolon")),
            ("\t", _("Tab")),
            ("|", "|"),
            ("，", _("Full-width comma (，)")),
        ],
    )
    name = forms.TypedChoiceField(label=_("Column with device names"), coerce=int)
    nickname = forms.TypedChoiceField(
        label=_("Column with nicknames"), coerce=int, required=False, empty_value=None
    )
    headless = forms.BooleanField(
        label=_("The first row is a device, not a header"),
        required=False,
    )

    def __init__(self, headings: Sequence[str], *args: Any, is_workbook: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_workbook:  # its text has one encoding and no separator
            for field in ("encoding", "separator"):
                self.fields[field].widget = forms.HiddenInput()
        columns = [
            (index, _("Column %(number)d: %(heading)s") % {"number": index + 1, "heading": heading or "–"})
            for index, heading in enumerate(headings)
        ]
        name, nickname = self.fields["name"], self.fields["nickname"]
        assert isinstance(name, forms.ChoiceField) and isinstance(nickname, forms.ChoiceField)  # noqa: S101, PT018
        name.choices = columns
        nickname.choices = [("", _("None")), *columns]
        if not headings:
            for field in ("name", "nickname", "headless"):
                del self.fields[field]

    def read_columns(self) -> dict[str, Any]:
        """Return the parameters of a registration (`RegistrationParams`) that this valid form chooses."""
        text = {"encoding": self.cleaned_data["encoding"], "separator": self.cleaned_data["separator"]}
        if "name" not in self.fields:
            return text
        if "separator" in self.changed_data:
            return {"chosen": None, "headless": False, **text}
        chosen = {NAME: self.cleaned_data["name"]}
        if self.cleaned_data["nickname"] not in (None, chosen[NAME]):
            chosen[NICKNAME] = self.cleaned_data["nickname"]
        return {"chosen": chosen, "headless": self.cleaned_data["headless"], **text}
