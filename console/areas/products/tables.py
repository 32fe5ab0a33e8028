"""The table of products, for the page and the export."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.products.api import Product
from console.areas.products.forms import AUTH_TYPES, DATA_FORMATS, NODE_TYPES
from console.ui.links import connection_url
from console.ui.tables import Column, Table

_AUTH_TYPE_LABELS = dict(AUTH_TYPES)
_DATA_FORMAT_LABELS = dict(DATA_FORMATS) | {"1": _("Alink JSON"), "0": _("Custom")}
_NODE_TYPE_LABELS = dict(NODE_TYPES)

PRODUCTS: Table[Product] = Table(
    id="products",
    caption=_("Products"),
    columns=[
        Column(
            "name",
            _("Name"),
            primary=True,
            sort=True,
            link=lambda request, product: connection_url(request, "products:detail", product.key),
        ),
        Column("key", _("ProductKey"), kind="code", copy=True),
        Column(
            "node", _("Node type"), value=lambda product: _NODE_TYPE_LABELS["1" if product.gateway else "0"]
        ),
        Column("devices", _("Devices"), kind="number", sort=True),
        Column(
            "data_format",
            _("Data format"),
            value=lambda product: _DATA_FORMAT_LABELS.get(str(product.data_format), ""),
            narrow=False,
        ),
        Column(
            "auth_type",
            _("Authentication"),
            value=lambda product: _AUTH_TYPE_LABELS.get(product.auth_type, product.auth_type),
            hidden=True,
        ),
        Column("description", _("Description"), hidden=True),
        Column("created", _("Created"), kind="time", sort=True, narrow=False),
    ],
    key=lambda product: product.key,
    menu=lambda request, product: connection_url(request, "products:menu", product.key),
    export=True,
    unit=_("products"),
)
