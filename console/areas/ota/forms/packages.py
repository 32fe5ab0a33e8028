"""The forms of packages and modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api
from console.ui.format import size
from console.ui.forms import FileWidget

PLAIN = {"autocomplete": "off", "spellcheck": "false"}
# The first bytes of files of a type.
_SIGNATURES = {
    "zip": b"PK",
    "apk": b"PK",
    "gz": b"\x1f\x8b",
    "gzip": b"\x1f\x8b",
    "tar.gz": b"\x1f\x8b",
}


def version_field(**options: Any) -> forms.CharField:
    """Return a field for a version or module name in the platform's format."""
    return forms.CharField(
        max_length=64,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9._-]+\Z", _("Use only letters, digits, periods, hyphens and underscores.")
            )
        ],
        widget=forms.TextInput(attrs=PLAIN),
        **options,
    )


class PackageForm(forms.Form):
    """A new package and its file."""

    file = forms.FileField(
        label=_("Package file"),
        allow_empty_file=True,  # clean_file() has its own message
        widget=FileWidget(
            accept=",".join(f".{suffix}" for suffix in api.SUFFIXES), max_bytes=api.MAX_PACKAGE_BYTES
        ),
        help_text=_("File type: bin, dav, apk, tar, gz, tar.gz, zip or gzip. Up to 2,000 MB."),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        validators=[
            RegexValidator(
                r"^[^\W_][\w()-]*\Z",
                _(
                    "Start with a letter or digit. Use only letters, digits, hyphens, underscores and parentheses."
                ),
            )
        ],
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_(
            "Up to 40 letters, digits, hyphens, underscores and parentheses. Unique in the account. Cannot be changed later."
        ),
    )
    version = version_field(label=_("Version"), help_text=_("Version that devices report after the update."))
    product = forms.ChoiceField(label=_("Product"), choices=())
    module = forms.CharField(
        label=_("Module"),
        required=False,
        widget=forms.Select(),
        help_text=_("Part of the firmware that this package updates."),
    )
    kind = forms.ChoiceField(
        label=_("Type"),
        choices=[
            ("full", _("Full: the entire module")),
            ("delta", _("Delta: only the changes since a version")),
        ],
        initial="full",
        widget=forms.RadioSelect,
    )
    source_version = version_field(
        label=_("Source version"),
        required=False,
        help_text=_("Only devices on this version can use the package."),
    )
    source_version.widget.attrs["data-needed"] = True
    description = forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )
    verify = forms.BooleanField(
        label=_("Require verification"),
        required=False,
        initial=True,
        help_text=_("You can create batches after the package succeeds on test devices."),
    )
    udi = forms.CharField(
        label=_("Message to devices"),
        required=False,
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("Any text. Devices receive it with the update notification."),
    )

    def __init__(
        self, *args: Any, products: Iterable[tuple[str, str]], modules: Iterable[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"].choices = [("", _("Select a product")), *products]  # type: ignore[attr-defined]
        self.set_module_choices(modules)

    def set_module_choices(self, modules: Iterable[str]) -> None:
        """Set the modules to choose from, in addition to the default one. The selected module is kept."""
        selected = str(self.data.get("module", "")) if self.is_bound else ""
        names = dict.fromkeys([*(name for name in modules if name != api.DEFAULT_MODULE), selected])
        widget = self.fields["module"].widget
        widget.choices = [("", _("default (entire firmware)")), *((name, name) for name in names if name)]  # type: ignore[attr-defined]

    def clean_file(self) -> UploadedFile[bytes]:
        """Return a file with a supported type, size and signature. Raises ValidationError."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        suffix = find_file_suffix(file.name or "")
        if not suffix:
            raise forms.ValidationError(
                _(
                    "This file type is not supported. Upload a .bin, .dav, .apk, .tar, .gz, .zip or .gzip file."
                )
            )
        if not file.size:
            raise forms.ValidationError(_("The file is empty. Choose another file."))
        if file.size > api.MAX_PACKAGE_BYTES:
            raise forms.ValidationError(
                _("The file is too large (%(size)s). The limit is 2,000 MB."),
                params={"size": size(file.size)},
            )
        signature = _SIGNATURES.get(suffix)
        if signature:
            first_bytes = file.read(len(signature))
            file.seek(0)
            if first_bytes != signature:
                raise forms.ValidationError(
                    _("The file is not a valid .%(suffix)s file. It may be damaged."),
                    params={"suffix": suffix},
                )
        return file

    def clean(self) -> dict[str, Any]:
        """Check that a delta package has a source version that differs from its version."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        source = cleaned.get("source_version", "")
        if cleaned.get("kind") == "delta" and not source and "source_version" not in self.errors:
            self.add_error("source_version", _("Enter the source version of the delta package."))
        if source and source == cleaned.get("version"):
            self.add_error("source_version", _("The source version must differ from the package version."))
        return cleaned

    def build_package(self) -> api.NewPackage:
        """Return the package to create. The form must be valid."""
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


def find_file_suffix(name: str) -> str:
    """Return the longest suffix of a file name that the platform supports, or "" if there is none."""
    lower = name.lower()
    suffixes = [suffix for suffix in api.SUFFIXES if lower.endswith(f".{suffix}")]
    return max(suffixes, key=len, default="")


class ModuleForm(forms.Form):
    """The properties of a module that can be changed: alias and description. `module` is the module to change."""

    alias = forms.CharField(
        label=_("Alias"),
        required=False,
        max_length=64,
        validators=[
            RegexValidator(r"^[\w.-]+\Z", _("Use only letters, digits, periods, hyphens and underscores."))
        ],
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_(
            "Up to 64 letters, digits, periods, hyphens and underscores. Can be changed later, but not removed."
        ),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: Mapping[str, Any] | None, module: api.Module | None = None) -> None:
        initial = {"alias": module.alias, "description": module.description} if module else None
        super().__init__(data, initial=initial)
        self.module = module

    def clean_alias(self) -> str:
        """Return the alias. Raises ValidationError when the alias of the module would be removed."""
        alias: str = self.cleaned_data["alias"]
        if self.module and self.module.alias and not alias:
            raise forms.ValidationError(_("The platform cannot remove an alias. Enter another alias."))
        return alias


class NewModuleForm(ModuleForm):
    field_order = ("name", "alias", "description")
    name = version_field(
        label=_("Name"),
        help_text=_(
            "Up to 64 characters. Unique in the product (not case-sensitive). Cannot be changed later."
        ),
    )

    def clean_name(self) -> str:
        """Return a name other than that of the default module. Raises ValidationError."""
        name: str = self.cleaned_data["name"]
        if name.lower() == api.DEFAULT_MODULE:
            raise forms.ValidationError(
                _("This name is reserved for the default module. Enter another name.")
            )
        return name


class ProductChoice(forms.Form):
    """The product whose modules are shown."""

    product = forms.ChoiceField(label=_("Product"), required=False, choices=())

    def __init__(self, data: Any, products: Iterable[tuple[str, str]]) -> None:
        super().__init__(data, auto_id="choice_%s")
        self.fields["product"].choices = [("", _("Select a product")), *products]  # type: ignore[attr-defined]
