"""Pages of many devices: the list, its export, search, what is done to several, and registering one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.cloud.errors import CloudError
from console.cloud.quota import Lane
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form, status_of
from console.connections.gateway import Gateway, OutOfScope
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.devices import api, forms, sql
from console.devices.records import Device, DeviceFilter, DevicePage, Secrets, split_key
from console.devices.tables import LABELS, device_table, product_table
from console.products import api as products_api
from console.ui.format import number
from console.ui.forms import ConfirmForm
from console.ui.links import curl, with_query
from console.ui.paging import Page, TokenPage, page_number, page_size, page_token
from console.ui.tables import Empty, Selection, Table

MANY = api.PAGE
"""Devices that one bulk action takes."""
SHOWN = 6
"""Names of them that the question shows."""


# -- the list ----------------------------------------------------------------------------------------------------------


@require_GET
def device_list(request: CloudRequest) -> HttpResponseBase:
    """The devices of a product, or those found in all of them; with nothing to look for, the products to choose from.

    `?part=1` answers htmx the rows alone, for the pages of other rooms.
    """
    products: list[products_api.Product] = []
    error: CloudError | None = None
    try:
        products = products_api.choices(request.gateway)
    except CloudError as raised:
        error = raised
    filters = forms.DeviceFilters(request, products)
    wanted = filters.wanted()
    known = {product.key: product for product in products}
    of_product = known.get(wanted.product_key)
    table = device_table(
        {key: product.name for key, product in known.items()}, one_product=bool(wanted.product_key)
    )
    asked = bool(wanted.product_key or wanted.text or wanted.status)
    context: dict[str, Any] = {
        "filters": filters,
        "products": products,
        "product": of_product,
        "product_key": wanted.product_key,
        "asked": asked,
        "may_register": request.gateway.allows("RegisterDevice"),
        "bad_text": " ".join(str(line) for line in filters.errors.get("q", [])),
    }
    limits = request.gateway.limits
    if limits is not None and asked and not wanted.product_key and not context["bad_text"]:
        context["bad_text"] = _(
            "Your access here is limited to %(limits)s. Choose a product to search in."
        ) % {"limits": limits.summary}
    if not asked and not context["bad_text"] and error is None:
        context["table"] = product_table().bind(request, products)
        return render(request, "devices/_choose.html" if request.htmx else "devices/choose.html", context)
    total = of_product.devices if of_product else None
    if request.GET.get("format") == "csv":
        return _export(request, table, wanted, total)
    found = DevicePage([], 0)
    page: Page | TokenPage = Page(1, page_size(request), 0)
    if error is None and not context["bad_text"]:
        try:
            found, page = _found(request, wanted, total)
        except CloudError as raised:
            error = raised
    bound = table.bind(request, found.devices, page=page, empty=_nothing(request, wanted))
    context |= {"table": bound, "error": error, "found": found, "looked_at": api.NEWEST, "existing": total}
    template = "devices/list.html"
    if request.htmx:
        template = "devices/_part.html" if "part" in request.GET else "devices/_list.html"
    status = 200 if error is None or request.htmx else status_of(error)
    return render(request, template, context, status=status)


def _found(
    request: CloudRequest, wanted: DeviceFilter, total: int | None
) -> tuple[DevicePage, Page | TokenPage]:
    """What the address asks for and where in the list it is: by number, and past the reach of numbers by token."""
    size = page_size(request)
    token = page_token(request)
    number_text, _dot, cloud_token = token.partition(".")
    by_token = bool(cloud_token) and number_text.isascii() and number_text.isdigit()
    here = int(number_text[:9]) if by_token else page_number(request)
    if not by_token:
        here = min(here, api.NUMBERED // size)
    found = api.list_devices(
        request.gateway,
        wanted,
        page=here,
        size=size,
        token=cloud_token if by_token else "",
        known_total=total,
    )
    last = found.paging_limit // size if found.paging_limit else None
    leads_on = found.next_token and last is not None and here >= last
    if not by_token and not leads_on:
        return found, Page(here, size, found.total, last=last)
    # Here the address must not hold a number any more, or "first" would lead back to it.
    query = request.GET.copy()
    query.pop("page", None)
    request.GET = query  # type: ignore[assignment]
    following = f"{here + 1}.{found.next_token}" if found.next_token else None
    return found, TokenPage(size, len(found.devices), token or "1", following, found.total)


def _nothing(request: CloudRequest, wanted: DeviceFilter) -> Empty:
    may = request.gateway.allows("RegisterDevice")
    return Empty(
        title=gettext_lazy("No devices yet"),
        text=gettext_lazy("Register one, or many at once from a CSV file."),
        icon="cpu",
        url=f"{curl(request, 'devices:create')}?{_query(product=wanted.product_key)}" if may else "",
        action=gettext_lazy("Register a device"),
    )


def _query(**values: str) -> str:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in values.items() if value})
    return query.urlencode()


# -- the export --------------------------------------------------------------------------------------------------------


def _export(
    request: CloudRequest, table: Table[Device], wanted: DeviceFilter, total: int | None
) -> HttpResponseBase:
    """All that match as CSV, page by page as the browser takes it. People's clicks go before it."""
    gateway = Gateway(
        actor=request.gateway.actor,
        membership=request.gateway.membership,
        connection=request.gateway.connection,
        lane=Lane.BACKGROUND,
        origin=request.gateway.origin,
    )
    name = f"devices-{wanted.product_key}.csv" if wanted.product_key else "devices.csv"
    try:
        return table.csv_response(api.every_device(gateway, wanted, known_total=total), name)
    except api.TooManyError as refused:
        messages.warning(
            request,
            _(
                "%(count)s devices match, and the platform hands out at most %(most)s of a search. Narrow it down."
            )
            % {"count": number(refused.count), "most": number(sql.REACH)},
        )
        return redirect(with_query(request, format=None))


# -- search ------------------------------------------------------------------------------------------------------------


@require_GET
def search(request: CloudRequest) -> HttpResponse:
    """The search box of every page: a device of exactly that name or IotId is opened, else what begins so is listed."""
    text = request.GET.get("q", "").strip()[:128]
    context: dict[str, Any] = {"q": text, "searchable": sql.searchable(text), "prefix": sql.can_begin(text)}
    if not text:
        return render(request, "devices/search.html", context)
    products = products_api.choices(request.gateway)
    named = products_api.ProductFilter(text=text)
    context["products"] = product_table(counted=False).bind(request, filter(named.matches, products))
    if context["searchable"]:
        try:
            found = api.search(request.gateway, text)
        except OutOfScope as refused:
            context["refused"] = str(refused)
            return render(request, "devices/search.html", context)
        if len(found.exact) == 1:
            device = found.exact[0]
            return redirect(curl(request, "devices:detail", device.product_key, device.name))
        table = device_table({product.key: product.name for product in products}, one_product=False)
        context["table"] = table.bind(request, [*found.exact, *found.beginning])
        context["more"] = len(found.beginning) >= api.PAGE
    return render(request, "devices/search.html", context)


# -- several devices ---------------------------------------------------------------------------------------------------


@require_POST
def many(request: CloudRequest, action: str) -> HttpResponse:
    """Enable, disable or delete the ticked devices: first the question, then, once confirmed, what became of each."""
    if action not in api.ACTIONS:
        raise Http404
    request.gateway.require(api.ACTIONS[action])
    selection = Selection.of(request)
    keys = _selected(request, selection)
    back = curl(request, "devices:list") + (f"?{selection.query.urlencode()}" if selection.query else "")
    context: dict[str, Any] = {
        "action": action,
        "label": LABELS[action],
        "danger": action in {"delete", "disable"},
        "url": curl(request, "devices:many", action),
        "query": request.POST.get("query", ""),
        "back": back,
        "keys": keys,
        "first": [key.partition("/")[2] for key in keys[:SHOWN]],
        "others": max(0, len(keys) - SHOWN),
        "title": _title(action, len(keys)),
    }
    if not 0 < len(keys) <= MANY:
        context["refused"] = _(
            "This can be done to 1 to %(most)d devices at a time. Tick them on a page of the list."
        ) % {"most": MANY}
        return render(request, "devices/many.html", context, status=422)
    context["needs_approval"] = action == "delete" and needs_approval(
        request.gateway, api.ACTIONS[action], *[api.params_of(*split_key(key)) for key in keys]
    )
    sent = request.POST.get("confirmed") == "1"
    expected = split_key(keys[0])[1] if len(keys) == 1 else str(len(keys))
    label = _("Device name") if len(keys) == 1 else _("Number of devices")
    form = ConfirmForm(expected, request.POST if sent else None, label=label) if action == "delete" else None
    if not sent or (form is not None and not form.is_valid()):
        context["form"] = form
        return render(request, "devices/many.html", context, status=422 if sent else 200)
    outcomes = api.act_on(request.gateway, action, [split_key(key) for key in keys])
    failed = sum(outcome.error is not None for outcome in outcomes)
    context |= {"outcomes": outcomes, "failed": failed, "done": len(outcomes) - failed}
    response = render(request, "devices/many.html", context)
    response["HX-Trigger"] = "devices-changed"  # the list under the dialog asks again
    return response


def _selected(request: CloudRequest, selection: Selection) -> list[str]:
    """The keys of the ticked devices; of "all that match", those of a page, and one more key when there are more."""
    if not selection.all_matching:
        return [key for key in selection.keys if _is_key(key)]
    values = selection.query
    wanted = DeviceFilter(
        product_key=values.get("product", ""),
        text=values.get("q", ""),
        field=values.get("field", "") or "name",
        status=values.get("status", ""),
    )
    if not (wanted.product_key or wanted.text or wanted.status) or (
        wanted.text and not sql.searchable(wanted.text)
    ):
        return []
    found = api.list_devices(request.gateway, wanted, size=MANY, fresh=True)
    keys = [device.key for device in found.devices]
    return keys if found.total <= MANY else [*keys, ""]


def _is_key(key: str) -> bool:
    try:
        split_key(key)
    except ValueError:
        return False
    return True


def _title(action: str, count: int) -> str:
    titles: Mapping[str, str] = {
        "enable": ngettext("Enable one device?", "Enable %(count)d devices?", count),
        "disable": ngettext("Disable one device?", "Disable %(count)d devices?", count),
        "delete": ngettext("Delete one device?", "Delete %(count)d devices?", count),
    }
    return titles[action] % {"count": count} if count > 1 else titles[action]


# -- registering one ---------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@never_cache
def create(request: CloudRequest) -> HttpResponse:
    """Register one device. The answer shows what it signs in with, to those who may see it: once, and only there."""
    request.gateway.require("RegisterDevice")
    chosen = request.POST.get("product_key", "") or request.GET.get("product", "")
    chosen = chosen if sql.searchable(chosen) else ""
    products = products_api.choices(request.gateway)
    error = None
    if request.method == "GET":
        initial = {"product_key": chosen, "token": new_token()}
        form = forms.RegisterForm(products, chosen=chosen, initial=initial)
        return render(request, "devices/create.html", {"form": form})
    form = forms.RegisterForm(products, request.POST, chosen=chosen)
    if form.is_valid():
        values = form.cleaned_data
        made: Secrets | None = None

        def make() -> str:
            nonlocal made
            made = api.register_device(
                request.gateway,
                values["product_key"],
                name=values["device_name"],
                nickname=values["nickname"],
            )
            return f"{made.product_key}/{made.name}"

        try:
            submit_once(request, values["token"] or new_token(), make)
        except AlreadySubmitted as earlier:
            return _registered_before(request, earlier.result)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
            if is_outcome_unknown(raised):
                form.data = request.POST.copy()
                form.data["token"] = new_token()
        else:
            return render(
                request, "devices/create.html", {"made": made, "reveals": bool(made and made.secret)}
            )
    return render(request, "devices/create.html", {"form": form, "error": error}, status=422)


def _registered_before(request: CloudRequest, made: str) -> HttpResponse:
    if made:
        messages.info(request, _("This form was sent already: here is the device that it registered."))
        return redirect(curl(request, "devices:detail", *split_key(made)))
    messages.warning(
        request,
        _("This form was sent already and has not been answered yet. Look for the device here in a moment."),
    )
    return redirect(curl(request, "devices:list"))
