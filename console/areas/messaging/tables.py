"""The tables of topics."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from console.areas.messaging.api import Route, TopicCategory, parse_topic
from console.areas.products.api import Product
from console.ui.links import connection_url
from console.ui.tables import Column, Table

PRODUCTS: Table[Product] = Table(
    id="topic-products",
    caption=_("Products"),
    columns=[
        Column(
            "name",
            _("Product"),
            primary=True,
            link=lambda request, product: connection_url(request, "messaging:topics", product.key),
        ),
        Column("key", _("ProductKey"), kind="code", copy=True),
        Column("devices", _("Devices"), kind="number"),
    ],
)

_PERMISSION: Column[TopicCategory] = Column(
    "permission", _("Permission"), kind="status", status="topic", sort=True
)
_DESCRIPTION: Column[TopicCategory] = Column("description", _("Description"), kind="phrase", sort=True)

CATEGORIES: Table[TopicCategory] = Table(
    id="topics",
    caption=_("Topic categories"),
    columns=[
        Column("short_name", _("Name"), primary=True, sort=True),
        Column("topic", _("Topic"), kind="path", copy=True, sort=True),
        _PERMISSION,
        _DESCRIPTION,
        Column("id", _("ID"), kind="code", copy=True, hidden=True),
    ],
    key=lambda category: category.key,
)


def build_device_table(name: str) -> Table[TopicCategory]:
    """Return the table of the topics of a device. Each links to its routes."""
    columns: list[Column[TopicCategory]] = [
        Column(
            "short_name",
            _("Name"),
            primary=True,
            link=lambda request, category: build_routes_url(request, category.topic_of(name)),
            sort=True,
        ),
        Column(
            "topic",
            _("Topic"),
            value=lambda category: category.topic_of(name),
            kind="path",
            copy=True,
            sort=True,
        ),
        _PERMISSION,
        _DESCRIPTION,
    ]
    return Table(id="device-topics", caption=_("Topics"), columns=columns)


def _build_route_table(end: str, label: str | Promise, caption: str | Promise) -> Table[Route]:
    """Return a table of routes that shows one end of each: "source" or "target"."""
    topic: Callable[[Route], str] = lambda route: getattr(route, end)  # noqa: E731
    device: Callable[[Route], tuple[str, str]] = lambda route: parse_topic(topic(route)) or ("", "")  # noqa: E731
    columns: list[Column[Route]] = [
        Column(
            end,
            label,
            kind="path",
            primary=True,
            link=lambda request, route: build_routes_url(request, topic(route)),
        ),
        Column(
            "device",
            _("Device"),
            value=lambda route: device(route)[1],
            link=lambda request, route: connection_url(request, "devices:detail", *device(route)),
        ),
    ]
    return Table(
        id=f"{end}s", caption=caption, columns=columns, key=lambda route: route.key, scope=("topic",)
    )


TARGETS = _build_route_table("target", _("Target topic"), _("Target topics"))
SOURCES = _build_route_table("source", _("Source topic"), _("Source topics"))


def build_routes_url(request: HttpRequest, topic: str) -> str:
    """Return the URL of the routes of a topic."""
    return f"{connection_url(request, 'messaging:routes')}?{urlencode({'topic': topic})}"
