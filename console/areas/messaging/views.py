"""The views of topics that no declaration can say: the tabs on the pages of a product and of a device, and the routes of a topic."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.devices import api as devices_api
from console.areas.messaging import api
from console.areas.messaging.actions import (
    CATEGORY_BULK,
    CREATE,
    CREATE_ROUTES,
    DELETE,
    EDIT,
    ROUTE_BULK,
)
from console.areas.messaging.tables import CATEGORIES, SOURCES, TARGETS, build_device_table
from console.areas.products import api as products_api
from console.connections.errors import http_status
from console.connections.http import CloudRequest
from console.pages.detail import find_detail
from console.ui.links import connection_url
from console.ui.tables import Empty
from iot_client.errors import CloudError

TEMPLATE = "areas/messaging/topics.html"


@require_safe
def product_topics(request: CloudRequest, product_key: str) -> HttpResponse:
    """Show the topic categories of a product, as a tab of its page. 2 calls."""
    product = products_api.get_product(request.gateway, product_key)
    categories = api.list_categories(request.gateway, product_key)
    allows = request.gateway.allows
    may_edit, may_delete = allows(EDIT.operation), allows(DELETE.operation)
    may_create = allows(CREATE.operation) and len(categories) < api.MAX_CATEGORIES
    create_url = connection_url(request, "messaging:create", product_key) if may_create else ""
    table = replace(
        CATEGORIES,
        actions=CATEGORY_BULK.buttons(product_key=product_key),
        row_template="areas/messaging/category_actions.html" if may_edit or may_delete else "",
    )
    empty = Empty(_("No topic categories"), "", "message", create_url, CREATE.label, dialog=True)
    return find_detail("products:detail").render(
        request,
        product,
        "topics",
        TEMPLATE,
        table=table.bind(request, categories, empty=empty),
        product_key=product_key,
        limit=api.MAX_CATEGORIES,
        create_url=create_url,
        may_edit=may_edit,
        may_delete=may_delete,
    )


@require_safe
def device_topics(request: CloudRequest, product_key: str, name: str) -> HttpResponse:
    """Show the topics of a device, as a tab of its page. 2 or 3 calls."""
    device = devices_api.get_device(request.gateway, product_key, name)
    categories = api.list_categories(request.gateway, product_key)
    table = build_device_table(name).bind(request, categories, empty=Empty(_("No topics"), icon="message"))
    return find_detail("devices:detail").render(
        request, device, "topics", TEMPLATE, table=table, product_key=product_key
    )


@require_safe
def routes(request: CloudRequest) -> HttpResponse:
    """Show the topics to which the topic `?topic=` sends its messages, and those that send theirs to it. 2 calls."""
    topic = request.GET.get("topic", "").strip()
    problem = next((text for _name, text in api.check_routes(topic, ())), "") if topic else ""
    targets: list[api.Route] = []
    sources: list[api.Route] = []
    error: CloudError | None = None
    try:
        if topic and not problem:
            targets, sources = api.list_routes(request.gateway, topic)
    except CloudError as raised:
        error = raised
    may_create = request.gateway.allows(CREATE_ROUTES.operation)
    none = Empty(
        _("No routes"),
        _("A route forwards the messages of a topic to another topic."),
        "share",
        f"{connection_url(request, 'messaging:create-routes')}?{urlencode({'topic': topic})}"
        if may_create
        else "",
        _("Create routes"),
        dialog=True,
    )
    context = {
        "topic": topic,
        "problem": problem,
        "error": error,
        "device": None if error else api.parse_topic(topic),
        "targets": replace(TARGETS, actions=ROUTE_BULK.buttons()).bind(request, targets, empty=none),
        "sources": replace(SOURCES, actions=ROUTE_BULK.buttons()).bind(request, sources, empty=none),
        "may_create": may_create,
    }
    return render(
        request, "areas/messaging/routes.html", context, status=http_status(error) if error else 200
    )
