"""Forms of products. The platform's limits are said at the fields; they are checked by the catalogue when a form is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from console.products.api import NewProduct, ProductDetail, ProductFilter, Tag
from console.ui.forms import EditForm, FilterForm

NODE_TYPES = [("0", _("Device")), ("1", _("Gateway"))]
DATA_FORMATS = [("1", _("Alink JSON")), ("0", _("Custom, turned into Alink JSON by a script"))]
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
    ("secret", _("Device secret")),
    ("id2", _("Internet Device ID")),
    ("x509", _("X.509 certificate")),
]
VALIDATE_TYPES = [
    ("1", _("Weak: identifier and data type are checked")),
    ("2", _("None: all data is taken as it is")),
]

# QueryProduct tells the network by number.
NET_TYPES_BY_NUMBER = {
    "3": _("Wi-Fi"),
    "6": _("Cellular (2G to 5G)"),
    "7": _("Ethernet"),
    "8": _("Other"),
}


class ProductFilters(FilterForm):
    """The filters of the product list."""

    q = forms.CharField(label=_("Search products"), required=False, max_length=64)
    node = forms.ChoiceField(
        label=_("Node type"),
        required=False,
        choices=[("", _("Any")), ("device", _("Device")), ("gateway", _("Gateway"))],
    )
    model = forms.ChoiceField(
        label=_("Thing model"),
        required=False,
        choices=[("", _("With or without")), ("yes", _("With")), ("no", _("Without"))],
    )

    def wanted(self) -> ProductFilter:
        """What the address asks for."""
        values = self.values
        return ProductFilter(
            text=values.get("q", ""),
            gateway={"gateway": True, "device": False}.get(values.get("node", "")),
            thing_model={"yes": True, "no": False}.get(values.get("model", "")),
        )


def _name_field() -> forms.CharField:
    return forms.CharField(
        label=_("Name"),
        help_text=_(
            "4 to 30 letters, digits and underscores; a Chinese character counts as two. One of a kind in the account."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def _description_field() -> forms.CharField:
    return forms.CharField(
        label=_("Description"), required=False, max_length=100, widget=forms.Textarea(attrs={"rows": 2})
    )


class ProductForm(forms.Form):
    """A new product. Fields that do not apply to what is chosen so far are not there, and what they held is not sent.

    What applies, as CreateProduct has it: a data format, validation, category and network only with a thing model; a gateway
    protocol instead of the network for devices behind a gateway; a join permission only for LoRaWAN, which goes without
    ID² and certificates.
    """

    product_name = _name_field()
    description = _description_field()
    node_type = forms.ChoiceField(
        label=_("Node type"),
        choices=NODE_TYPES,
        initial="0",
        widget=forms.RadioSelect,
        help_text=_("A gateway connects other devices, its sub-devices. This cannot be changed later."),
    )
    thing_model = forms.BooleanField(
        label=_("Describe its data with a thing model"),
        required=False,
        initial=True,
        help_text=_("Properties, events and services with types. This cannot be changed later."),
    )
    behind_gateway = forms.BooleanField(
        label=_("Connects through a gateway"),
        required=False,
        help_text=_("Its devices are sub-devices: they reach the platform only through a gateway."),
    )
    protocol_type = forms.ChoiceField(label=_("Protocol between gateway and device"), choices=PROTOCOLS)
    net_type = forms.ChoiceField(label=_("Network"), choices=NET_TYPES, initial="WIFI")
    join_permission_id = forms.CharField(
        label=_("Network access credential"), help_text=_("The ID of the LoRaWAN join permission.")
    )
    data_format = forms.ChoiceField(label=_("Data format"), choices=DATA_FORMATS, initial="1")
    validate_type = forms.ChoiceField(
        label=_("Data validation"),
        choices=VALIDATE_TYPES,
        initial="1",
        help_text=_("Data that fails it is forwarded too, and marked."),
    )
    category_key = forms.CharField(
        label=_("Category"),
        required=False,
        max_length=64,
        help_text=_(
            "The key of a standard category, such as Lighting: the product starts with its thing model."
        ),
    )
    publish_auto = forms.BooleanField(
        label=_("Publish the category's thing model at once"), required=False, initial=True
    )
    auth_type = forms.ChoiceField(
        label=_("Authentication"),
        choices=AUTH_TYPES,
        initial="secret",
        help_text=_("ID² and certificates exist only in the region China (Shanghai)."),
    )
    resource_group_id = forms.CharField(
        label=_("Resource group"),
        required=False,
        max_length=64,
        help_text=_("The ID of a resource group, as rg-…"),
    )

    template_name = "products/_product_fields.html"
    # A change of one of these changes which fields there are.
    shaping = ("node_type", "thing_model", "behind_gateway", "net_type", "category_key")

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, draft: Mapping[str, Any] | None = None
    ) -> None:
        """`data` is what was sent to be saved; `draft` what was typed so far, shown again without being judged."""
        super().__init__(data)
        if draft is not None:
            self.initial = {
                name: name in draft
                if isinstance(field, forms.BooleanField)
                else draft.get(name, field.initial)
                for name, field in self.fields.items()
            }
        for name in self._out_of_place():
            del self.fields[name]
        for name in self.shaping:
            if name in self.fields:
                self.fields[name].widget.attrs["data-shaping"] = ""
        if "net_type" in self.fields and self._chosen("net_type") == "LORA":
            self.fields["auth_type"].choices = AUTH_TYPES[:1]  # type: ignore[attr-defined]

    def _chosen(self, name: str) -> Any:
        """What a field holds now: sent, drafted or from the start."""
        if self.is_bound:
            return self.data.get(name) or (False if isinstance(self.fields[name], forms.BooleanField) else "")
        return self.get_initial_for_field(self.fields[name], name)

    def _out_of_place(self) -> set[str]:
        gateway, modelled = self._chosen("node_type") == "1", bool(self._chosen("thing_model"))
        behind = modelled and not gateway and bool(self._chosen("behind_gateway"))
        left_out = set()
        if not modelled:
            left_out |= {"behind_gateway", "net_type", "data_format", "validate_type", "category_key"}
        if gateway:
            left_out.add("behind_gateway")
        left_out.add("net_type" if behind else "protocol_type")
        if behind or not modelled or self._chosen("net_type") != "LORA":
            left_out.add("join_permission_id")
        if not modelled or not self._chosen("category_key"):
            left_out.add("publish_auto")
        return left_out

    @property
    def shown(self) -> str:
        """The names of the fields there are, to be sent along with a draft."""
        return " ".join(self.fields)

    def params(self) -> dict[str, Any]:
        """The parameters of CreateProduct."""
        values = self.cleaned_data
        return NewProduct(
            name=values["product_name"],
            description=values["description"],
            gateway=values["node_type"] == "1",
            thing_model=values["thing_model"],
            net_type=values.get("net_type") or "",
            protocol=values.get("protocol_type") or "",
            join_permission_id=values.get("join_permission_id") or "",
            data_format=_number(values.get("data_format")),
            validate_type=_number(values.get("validate_type")),
            category_key=values.get("category_key") or "",
            publish_auto=values.get("publish_auto"),
            auth_type=values["auth_type"],
            resource_group_id=values["resource_group_id"],
        ).params()


class ProductEditForm(EditForm):
    """What of a product can be changed: its name and description."""

    product_name = _name_field()
    description = _description_field()

    @classmethod
    def of(cls, found: ProductDetail, data: QueryDict | None = None) -> ProductEditForm:
        """The form of a product as it is now."""
        return cls(
            data, present={"product_name": found.product.name, "description": found.product.description}
        )

    def params(self) -> dict[str, Any]:
        """The parameters of UpdateProduct besides the key. An empty description is sent: it empties the old one."""
        return {
            "ProductName": self.cleaned_data["product_name"],
            "Description": self.cleaned_data["description"],
        }


class TagForm(forms.Form):
    """A tag to add, or to give another value."""

    tag_key = forms.CharField(
        label=_("Key"),
        max_length=30,
        help_text=_("1 to 30 English letters, digits and periods."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    tag_value = forms.CharField(
        label=_("Value"),
        max_length=128,
        help_text=_("1 to 128 letters, digits, underscores and hyphens."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    PARAMETERS = {"ProductTag.N.TagKey": "tag_key", "ProductTag.N.TagValue": "tag_value"}  # noqa: RUF012

    def tag(self) -> Tag:
        """The tag."""
        return Tag(self.cleaned_data["tag_key"], self.cleaned_data["tag_value"])


def _number(text: str | None) -> int | None:
    return int(text) if text else None
