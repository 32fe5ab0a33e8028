"""The forms of packages and modules: what the platform takes, checked before anything is sent. Those of batches: `batch_forms`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.ota import api
from console.ui.format import size
from console.ui.forms import FileWidget, FilterForm

PLAIN = {"autocomplete": "off", "spellcheck": "false"}
# What files of a kind begin with, where the kind tells.
_BEGINNINGS = {
    "zip": b"PK",
    "apk": b"PK",
    "gz": b"\x1f\x8b",
    "gzip": b"\x1f\x8b",
    "tar.gz": b"\x1f\x8b",
}


def version_field(**options: Any) -> forms.CharField:
    """A version as the platform writes them."""
    return forms.CharField(
        max_length=64,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9._-]+\Z", _("Use letters, digits, periods, hyphens and underscores only.")
            )
        ],
        widget=forms.TextInput(attrs=PLAIN),
        **options,
    )


class PackageFilter(FilterForm):
    """Narrows a list of packages."""

    product = forms.ChoiceField(label=_("Product"), required=False, choices=())
    version = forms.CharField(
        label=_("Version"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": _("exactly")}),
    )

    def __init__(self, request: HttpRequest, products: Iterable[tuple[str, str]]) -> None:
        super().__init__(request)
        self.fields["product"].choices = [("", _("All products")), *products]  # type: ignore[attr-defined]
        self.full_clean()  # again, now that there is something to choose from


class PackageForm(forms.Form):
    """A new package and its file."""

    file = forms.FileField(
        label=_("Package file"),
        allow_empty_file=True,  # said in our own words
        widget=FileWidget(
            accept=",".join(f".{suffix}" for suffix in api.SUFFIXES), max_bytes=api.MAX_PACKAGE_BYTES
        ),
        help_text=_("bin, dav, apk, tar, gz, tar.gz, zip or gzip; at most 2,000 MB."),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        validators=[
            RegexValidator(
                r"^[^\W_][\w()-]*\Z",
                _(
                    "Begin with a letter or digit; then letters, digits, hyphens, underscores and parentheses."
                ),
            )
        ],
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_("Unique in the account. It cannot be changed later."),
    )
    version = version_field(
        label=_("Version"), help_text=_("What devices report once they run this package.")
    )
    product = forms.ChoiceField(label=_("Product"), choices=())
    module = forms.CharField(
        label=_("Module"),
        required=False,
        widget=forms.Select(),
        help_text=_("The part of the firmware that this package replaces."),
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            ("full", _("Full: the whole module")),
            ("delta", _("Delta: only what changed since a version")),
        ],
        initial="full",
        widget=forms.RadioSelect,
    )
    source_version = version_field(
        label=_("From version"),
        required=False,
        help_text=_("Only devices that run this version can take the package."),
    )
    source_version.widget.attrs["data-needed"] = True
    description = forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )
    verify = forms.BooleanField(
        label=_("Verify before batches"),
        required=False,
        initial=True,
        help_text=_("The package must first succeed on a few devices that you name."),
    )
    udi = forms.CharField(
        label=_("Message to the device"),
        required=False,
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("Any text; it is pushed to the device with the update notification."),
    )

    def __init__(
        self, *args: Any, products: Iterable[tuple[str, str]], modules: Iterable[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"].choices = [("", _("Choose a product")), *products]  # type: ignore[attr-defined]
        self.offer_modules(modules)

    def offer_modules(self, modules: Iterable[str]) -> None:
        """The product's own modules, beside the default one."""
        chosen = str(self.data.get("module", "")) if self.is_bound else ""
        names = dict.fromkeys([*(name for name in modules if name != api.DEFAULT_MODULE), chosen])
        widget = self.fields["module"].widget
        widget.choices = [("", _("default (the whole firmware)")), *((name, name) for name in names if name)]  # type: ignore[attr-defined]

    def clean_file(self) -> UploadedFile[bytes]:
        """A file of a kind, size and beginning that the platform takes."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        suffix = suffix_of(file.name or "")
        if not suffix:
            raise forms.ValidationError(
                _(
                    "The platform takes no files of this kind. Their names end in .bin, .dav, .apk, .tar, .gz, .zip or .gzip."
                )
            )
        if not file.size:
            raise forms.ValidationError(_("This file is empty."))
        if file.size > api.MAX_PACKAGE_BYTES:
            raise forms.ValidationError(
                _("This file has %(size)s; the platform takes at most 2,000 MB."),
                params={"size": size(file.size)},
            )
        beginning = _BEGINNINGS.get(suffix)
        if beginning:
            found = file.read(len(beginning))
            file.seek(0)
            if found != beginning:
                raise forms.ValidationError(
                    _("This is no %(suffix)s file, although it is called so. It may be damaged."),
                    params={"suffix": suffix},
                )
        return file

    def clean(self) -> dict[str, Any]:
        """A delta package starts from another version than it leads to."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        source = cleaned.get("source_version", "")
        if cleaned.get("kind") == "delta" and not source and "source_version" not in self.errors:
            self.add_error("source_version", _("A delta package needs the version it starts from."))
        if source and source == cleaned.get("version"):
            self.add_error("source_version", _("It must differ from the version that the package leads to."))
        return cleaned

    def wanted(self) -> api.NewPackage:
        """What is to be made; the form is valid."""
        data = self.cleaned_data
        return api.NewPackage(
            name=data["name"],
            version=data["version"],
            product_key=data["product"],
            module=data["module"],
            delta=data["kind"] == "delta",
            source_version=data["source_version"],
            description=data["description"],
            verify=data["verify"],
            udi=data["udi"],
        )


def suffix_of(name: str) -> str:
    """The longest suffix of a file's name that the platform knows; "" for none."""
    lower = name.lower()
    fitting = [suffix for suffix in api.SUFFIXES if lower.endswith(f".{suffix}")]
    return max(fitting, key=len, default="")


class ModuleForm(forms.Form):
    """What can be changed of a module: alias and description."""

    alias = forms.CharField(
        label=_("Alias"),
        required=False,
        max_length=64,
        validators=[
            RegexValidator(r"^[\w.-]+\Z", _("Use letters, digits, periods, hyphens and underscores only."))
        ],
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_(
            "Letters, digits, periods, hyphens and underscores. Once set it can be changed, not removed."
        ),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )


class NewModuleForm(ModuleForm):
    """A new module."""

    field_order = ("name", "alias", "description")
    name = version_field(
        label=_("Name"),
        help_text=_("Unique in the product, whatever the case of its letters. It cannot be changed later."),
    )

    def clean_name(self) -> str:
        """Any name but that of the default module."""
        name: str = self.cleaned_data["name"]
        if name.lower() == api.DEFAULT_MODULE:
            raise forms.ValidationError(_("This name is kept for the module that every product has."))
        return name


class ProductChoice(forms.Form):
    """Which product's modules are shown."""

    product = forms.ChoiceField(label=_("Product"), required=False, choices=())

    def __init__(self, data: Any, products: Iterable[tuple[str, str]]) -> None:
        super().__init__(data, auto_id="choice_%s")
        self.fields["product"].choices = [("", _("Choose a product")), *products]  # type: ignore[attr-defined]
