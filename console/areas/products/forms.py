"""The forms of products. Help texts state the platform's limits; the catalogue checks them before a request is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from console.areas.products.api import (
    Deduplication,
    NewProduct,
    ProductDetail,
    ProductFilter,
    check_tags,
    parse_tag,
)
from console.pages import tags
from console.pages.fields import parameter_field
from console.pages.tags import PLAIN_TEXT, Tag
from console.ui.fields import ChooseInput
from console.ui.forms import EditForm, FilterForm, Sections

NODE_TYPES = [("0", _("Device")), ("1", _("Gateway"))]
DATA_FORMATS = [("1", _("Alink JSON")), ("0", _("Custom, converted to Alink JSON by a script"))]
NET_TYPES = [
    ("WIFI", _("Wi-Fi")),
    ("CELLULAR", _("Cellular (2G to 5G)")),
    ("ETHERNET", _("Ethernet")),
    ("LORA", _("LoRaWAN")),
    ("OTHER", _("Other")),
]
PROTOCOLS = [
    ("modbus", _("Modbus")),
    ("opc-ua", _("OPC UA")),
    ("ble", _("Bluetooth Low Energy")),
    ("zigbee", _("ZigBee")),
    ("customize", _("Custom")),
]
AUTH_TYPES = [
    ("secret", _("DeviceSecret")),
    ("id2", _("Internet Device ID")),
    ("x509", _("X.509 certificate")),
]
VALIDATE_TYPES = [
    ("1", _("Weak: identifier and data type are checked")),
    ("2", _("None: accept all data")),
]

# QueryProduct returns the network as a number.
NET_TYPES_BY_NUMBER = {
    "3": _("Wi-Fi"),
    "6": _("Cellular (2G to 5G)"),
    "7": _("Ethernet"),
    "8": _("Other"),
}


# Which property reports are not forwarded, by whether they repeat a timestamp and a value.
DEDUPLICATION = {
    Deduplication(False, False): _("Off: forward all reports"),
    Deduplication(False, True): _("Same value: do not forward a report with the value of an earlier report"),
    Deduplication(True, False): _(
        "Same timestamp: do not forward a report with the timestamp of an earlier report"
    ),
    Deduplication(True, True): _(
        "Same timestamp and value: do not forward a report with both the timestamp and the value of an earlier report"
    ),
}
_DEDUPLICATION_CODES = dict(zip(("off", "value", "timestamp", "both"), DEDUPLICATION, strict=True))


class ProductFilters(FilterForm):
    q = forms.CharField(label=_("Search products"), required=False, max_length=64)
    node = forms.ChoiceField(
        label=_("Node type"),
        required=False,
        choices=[("", _("Any")), ("device", _("Device")), ("gateway", _("Gateway"))],
    )
    model = forms.ChoiceField(
        label=_("Thing model"),
        required=False,
        choices=[("", _("Any")), ("yes", _("With thing model")), ("no", _("Without thing model"))],
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={**PLAIN_TEXT, "placeholder": _("key=value, key")}),
    )

    def clean_tags(self) -> str:
        """Return the text, if it consists of tags that a product can have."""
        text: str = self.cleaned_data["tags"]
        problems = check_tags(_parse_tags(text) or [parse_tag(text)]) if text else []
        if problems:
            raise forms.ValidationError([message for _name, message in problems])
        return text

    def product_filter(self) -> ProductFilter:
        """Return the filters of the URL."""
        values = self.values
        return ProductFilter(
            text=values.get("q", ""),
            gateway={"gateway": True, "device": False}.get(values.get("node", "")),
            thing_model={"yes": True, "no": False}.get(values.get("model", "")),
            tags=_parse_tags(values.get("tags", "")),
        )


def _parse_tags(text: str) -> tuple[Tag, ...]:
    return tuple(parse_tag(part) for part in text.split(",") if part.strip())


def _name_field() -> forms.CharField:
    return parameter_field(
        "CreateProduct",
        "ProductName",
        label=_("Name"),
        help_text=_(
            "4 to 30 letters, digits and underscores (_). A Chinese character counts as two. Unique in the account."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def _description_field() -> forms.CharField:
    return forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )


class ProductForm(Sections, forms.Form):
    """A product to create. Fields that do not apply to the current choices are removed, and their values are not sent.

    Rules of CreateProduct: data format, validation, category and network require a thing model. Devices behind a gateway
    have a gateway protocol instead of a network. A join permission is for LoRaWAN only, and LoRaWAN excludes ID² and
    certificates.
    """

    product_name = _name_field()
    description = _description_field()
    node_type = forms.ChoiceField(
        label=_("Node type"),
        choices=NODE_TYPES,
        initial="0",
        widget=forms.RadioSelect,
        help_text=_("A gateway connects other devices, its sub-devices. Cannot be changed later."),
    )
    thing_model = forms.BooleanField(
        label=_("Use a thing model"),
        required=False,
        initial=True,
        help_text=_("Defines properties, events and services with data types. Cannot be changed later."),
    )
    behind_gateway = forms.BooleanField(
        label=_("Connect through a gateway"),
        required=False,
        help_text=_("The devices are sub-devices: they connect to the platform only through a gateway."),
    )
    protocol_type = forms.ChoiceField(label=_("Gateway protocol"), choices=PROTOCOLS)
    net_type = forms.ChoiceField(label=_("Network"), choices=NET_TYPES, initial="WIFI")
    join_permission_id = forms.CharField(
        label=_("Network access credential"), help_text=_("ID of the LoRaWAN join permission.")
    )
    data_format = forms.ChoiceField(label=_("Data format"), choices=DATA_FORMATS, initial="1")
    validate_type = forms.ChoiceField(
        label=_("Data validation"),
        choices=VALIDATE_TYPES,
        initial="1",
        help_text=_("Invalid data is forwarded and marked as invalid."),
    )
    category_key = forms.CharField(
        label=_("Category"),
        required=False,
        max_length=64,
        widget=ChooseInput(attrs={"spellcheck": "false"}),
        help_text=_(
            "Search a standard category by name, or enter its key, for example Lighting. The product gets the thing "
            "model of the category."
        ),
    )
    publish_auto = forms.BooleanField(
        label=_("Publish the thing model of the category immediately"), required=False, initial=True
    )
    auth_type = forms.ChoiceField(
        label=_("Authentication"),
        choices=AUTH_TYPES,
        initial="secret",
        help_text=_("ID² and X.509 certificates are available only in the China (Shanghai) region."),
    )
    resource_group_id = forms.CharField(
        label=_("Resource group"),
        required=False,
        max_length=64,
        help_text=_("ID of a resource group, for example rg-acfm4m2x5…"),
    )

    sections = (
        (_("Basics"), ("product_name", "description", "node_type", "thing_model")),
        (
            _("Connection"),
            ("behind_gateway", "protocol_type", "net_type", "join_permission_id", "auth_type"),
        ),
        (_("Data"), ("data_format", "validate_type", "category_key", "publish_auto")),
    )
    advanced = ("resource_group_id",)
    template_name = "areas/products/_product_fields.html"
    # A change of one of these fields changes which other fields apply.
    controlling_fields = ("node_type", "thing_model", "behind_gateway", "net_type", "category_key")

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        draft: Mapping[str, Any] | None = None,
        find_category_url: str = "",
    ) -> None:
        """`data`: submitted values, to be validated. `draft`: values entered so far, shown again without validation.
        `find_category_url`: the address that finds categories by name."""
        super().__init__(data)
        self.fields["category_key"].widget.search_url = find_category_url  # type: ignore[attr-defined]
        if draft is not None:
            self.initial = {
                name: name in draft
                if isinstance(field, forms.BooleanField)
                else draft.get(name, field.initial)
                for name, field in self.fields.items()
            }
        for name in self._find_inapplicable_fields():
            del self.fields[name]
        for name in self.controlling_fields:
            if name in self.fields:
                self.fields[name].widget.attrs["data-controls-fields"] = ""
        if "net_type" in self.fields and self._current_value("net_type") == "LORA":
            self.fields["auth_type"].choices = AUTH_TYPES[:1]  # type: ignore[attr-defined]

    def _current_value(self, name: str) -> Any:
        """Return the value of a field: submitted, from the draft, or initial."""
        if self.is_bound:
            return self.data.get(name) or (False if isinstance(self.fields[name], forms.BooleanField) else "")
        return self.get_initial_for_field(self.fields[name], name)

    def _find_inapplicable_fields(self) -> set[str]:
        is_gateway, has_model = (
            self._current_value("node_type") == "1",
            bool(self._current_value("thing_model")),
        )
        is_behind_gateway = has_model and not is_gateway and bool(self._current_value("behind_gateway"))
        names = set()
        if not has_model:
            names |= {"behind_gateway", "net_type", "data_format", "validate_type", "category_key"}
        if is_gateway:
            names.add("behind_gateway")
        names.add("net_type" if is_behind_gateway else "protocol_type")
        if is_behind_gateway or not has_model or self._current_value("net_type") != "LORA":
            names.add("join_permission_id")
        if not has_model or not self._current_value("category_key"):
            names.add("publish_auto")
        return names

    @property
    def field_names(self) -> str:
        """The names of the fields that apply, submitted with a draft."""
        return " ".join(self.fields)


def build_product(values: Mapping[str, Any]) -> NewProduct:
    """Return the product to create from the cleaned values of a ProductForm."""
    return NewProduct(
        name=values["product_name"],
        description=values["description"],
        gateway=values["node_type"] == "1",
        thing_model=values["thing_model"],
        net_type=values.get("net_type") or "",
        protocol=values.get("protocol_type") or "",
        join_permission_id=values.get("join_permission_id") or "",
        data_format=_parse_number(values.get("data_format")),
        validate_type=_parse_number(values.get("validate_type")),
        category_key=values.get("category_key") or "",
        publish_auto=values.get("publish_auto"),
        auth_type=values["auth_type"],
        resource_group_id=values["resource_group_id"],
    )


class ProductEditForm(EditForm):
    """The properties of a product that can be changed: name and description."""

    product_name = _name_field()
    description = _description_field()

    @classmethod
    def for_product(cls, current: ProductDetail, data: QueryDict | None = None) -> ProductEditForm:
        """Return the form with the current values of a product."""
        return cls(
            data, present={"product_name": current.product.name, "description": current.product.description}
        )


class DeduplicationForm(forms.Form):
    """The deduplication rules of a product. None is preselected: the platform does not return the current ones."""

    rules = forms.ChoiceField(
        label=_("Repeated reports"),
        choices=[(code, DEDUPLICATION[rules]) for code, rules in _DEDUPLICATION_CODES.items()],
        widget=forms.RadioSelect,
        help_text=_("Applies to all devices of the product."),
    )

    def clean_rules(self) -> Deduplication:
        """Return the rules."""
        return _DEDUPLICATION_CODES[self.cleaned_data["rules"]]


class TagForm(tags.TagForm):
    tag_key = forms.CharField(
        label=_("Key"),
        max_length=30,
        help_text=_("1 to 30 letters, digits and periods (.)."),
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    tag_value = forms.CharField(
        label=_("Value"),
        max_length=128,
        help_text=_("1 to 128 letters, digits, underscores (_) and hyphens (-)."),
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )


def _parse_number(text: str | None) -> int | None:
    return int(text) if text else None
