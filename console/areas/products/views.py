"""The views of products that no declaration can say: overview, devices tab, secret."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from console.areas.products import actions, api, forms
from console.areas.products.pages import PRODUCT, TAGS
from console.connections.http import CloudRequest
from console.device_counts.history import Kind, chart_response, record_if_due
from console.ui.pieces import DetailItem
from iot_client.errors import CloudError

MAX_SHOWN_CATEGORIES = 50


@require_safe
def find_category(request: CloudRequest) -> HttpResponse:
    """Return the standard categories whose name or key contains `?category_key=`, for the form of a product. 1 call."""
    found = api.find_categories(request.gateway, request.GET.get("category_key", "").strip()[:64])
    context = {
        "matches": [(each.key, each.name, each.key) for each in found[:MAX_SHOWN_CATEGORIES]],
        "empty": _("No category name contains this text."),
        "more": _("More results match. Enter more of the name.") if len(found) > MAX_SHOWN_CATEGORIES else "",
    }
    return render(request, "ui/matches.html", context)


@require_safe
def overview(request: CloudRequest, key: str) -> HttpResponse:
    """Show the overview: details, device counts, tags and deduplication rules."""
    product = api.get_overview(request.gateway, key)
    detail, counts, tags = product.detail, product.counts, product.tags
    if not isinstance(counts, CloudError):
        record_if_due(request.connection, Kind.PRODUCT, key, counts)
    may_set_rules = actions.DEDUPLICATE.is_available(detail) and request.gateway.allows(
        actions.DEDUPLICATE.operation
    )
    return PRODUCT.render(
        request,
        detail,
        "overview",
        "areas/products/overview.html",
        details=_build_details(detail),
        counts=None if isinstance(counts, CloudError) else counts,
        tag_card=None if isinstance(tags, CloudError) else TAGS.build_card(request, detail, tags),
        rules=_build_rules(request, detail),
        rules_url=PRODUCT.action_url(request, detail, actions.DEDUPLICATE) if may_set_rules else "",
        read_error=next((part for part in (counts, tags) if isinstance(part, CloudError)), None),
        may_reveal=request.gateway.reveals("QueryProduct"),
    )


def _build_details(detail: api.ProductDetail) -> list[DetailItem]:
    product = detail.product
    items = [
        DetailItem(_("Node type"), dict(forms.NODE_TYPES)["1" if product.gateway else "0"]),
        DetailItem(_("Authentication"), dict(forms.AUTH_TYPES).get(product.auth_type, product.auth_type)),
        DetailItem(_("Thing model"), _("Yes") if detail.thing_model else _("No")),
    ]
    if detail.thing_model:
        category = detail.category_name or detail.category_key
        validation = dict(forms.VALIDATE_TYPES).get(detail.validate_type, detail.validate_type)
        items += [DetailItem(_("Category"), category)] if category else []
        items += [
            DetailItem(_("Data format"), dict(forms.DATA_FORMATS).get(str(product.data_format), "")),
            DetailItem(_("Data validation"), validation),
        ]
    if detail.protocol:
        protocol = dict(forms.PROTOCOLS).get(detail.protocol, detail.protocol)
        items.append(DetailItem(_("Gateway protocol"), protocol))
    elif detail.net_type:
        network = forms.NET_TYPES_BY_NUMBER.get(detail.net_type, detail.net_type)
        items.append(DetailItem(_("Network"), network))
    return [
        *items,
        DetailItem(_("Created"), product.created, kind="time"),
        DetailItem(_("Description"), product.description),
    ]


def _build_rules(request: CloudRequest, detail: api.ProductDetail) -> list[DetailItem]:
    """Return the deduplication rules that the team last set, as far as the audit trail has them."""
    change = api.find_last_deduplication(request.gateway, detail.product.key)
    if change is None:
        return []
    text = forms.DEDUPLICATION[change.rules] if change.rules else _("Unknown: no response was received")
    return [
        DetailItem(_("Last set with this console"), text, wide=True),
        DetailItem(_("Time"), change.at, kind="time"),
    ]


@require_safe
def device_history(request: CloudRequest, key: str) -> JsonResponse:
    """Return the recorded device counts of the product as JSON, for the chart. No call."""
    request.gateway.require("QueryDeviceStatistics")
    return chart_response(request, request.connection, Kind.PRODUCT, [key])


@require_POST
@never_cache
def reveal_secret(request: CloudRequest, key: str) -> HttpResponse:
    """Show the ProductSecret. It is requested by POST, recorded in the audit trail, and not stored."""
    secret = api.reveal_secret(request.gateway, key)
    return render(request, "areas/products/secret.html", {"key": key, "secret": secret})
