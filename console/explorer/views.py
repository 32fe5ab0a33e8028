"""Pages of the explorer: find an operation, fill in its form, send it, view the response, copy the call as code."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms as django_forms
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.devices import lists as device_lists
from console.areas.devices.records import DeviceFilter
from console.areas.groups import api as groups_api
from console.areas.products import api as products_api
from console.audit.masking import may_record
from console.connections.gateway import PermissionRefused
from console.connections.http import CloudRequest
from console.explorer import descriptions, search
from console.explorer.call_input import CallInput
from console.explorer.code import LANGUAGES, CodeCall, Language, drop_invalid_params, find_language
from console.explorer.forms import CallForm
from console.explorer.models import ExplorerCall
from console.explorer.sending import SentCall, send_call
from console.explorer.tables import CALLS
from console.sign_in.reauthentication import ReauthenticationNeeded
from console.ui.forms import FORM_REFUSED, FilterForm
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty
from iot_client import catalogue
from iot_client.catalogue import Access, Operation, UnknownOperation
from iot_client.client import normalize_endpoint
from iot_client.errors import CloudError, NotFound
from iot_client.text import Sentence

LANGUAGE_COOKIE = "explorer-language"
MAX_SUGGESTIONS = 50
_MAX_QUERY_LENGTH = 2000  # characters


# -- search ------------------------------------------------------------------------------------------------------------


@require_safe
def index(request: CloudRequest) -> HttpResponseBase:
    """List all operations, or those that match `?q=`. `?go=1` redirects to the best match."""
    text = request.GET.get("q", "")[:100]
    area = request.GET.get("area", "")
    if request.GET.get("go") and (match := search.find_best_match(text)) is not None:
        return redirect(connection_url(request, "explorer:operation", match.name))
    sections = search.find_sections(request.gateway.allows, text, area if area in descriptions.AREAS else "")
    context = {
        "q": text,
        "area": area,
        "areas": descriptions.AREAS.items(),
        "sections": sections,
        "total": sum(len(section.operations) for section in sections),
        "recent": _recent_operations(request),
    }
    return render(request, "explorer/index.html", context)


def _recent_operations(request: CloudRequest) -> list[str]:
    """Return the operations that the user called last, without duplicates."""
    user_calls = ExplorerCall.objects.for_user(request.membership.user, request.connection)
    return list(dict.fromkeys(user_calls.values_list("operation", flat=True)[:40]))[:6]


# -- one operation -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def call(request: CloudRequest, operation: str) -> HttpResponseBase:
    """Show an operation as a form. GET only fills it in. POST sends the call, adds or removes a row, or sets the language."""
    try:
        catalogued = catalogue.operation(operation)
    except UnknownOperation:
        raise Http404 from None
    if request.method != "POST":
        return _show_form(request, catalogued)
    response = _handle_post(request, catalogued)
    add_never_cache_headers(response)
    return response


def _show_form(request: CloudRequest, operation: Operation) -> HttpResponseBase:
    """Show the form, filled in from the address or from a call of the user's history (`?repeat=`)."""
    omitted: list[str] = []
    call_input = CallInput.from_query(operation, request.GET)
    repeat = request.GET.get("repeat", "")
    if repeat:
        recorded = get_object_or_404(
            ExplorerCall.objects.for_user(request.membership.user, request.connection),
            pk=int(repeat) if repeat.isascii() and repeat.isdigit() and len(repeat) < 19 else 0,
            operation=operation.name,
        )
        call_input = CallInput.from_params(operation, recorded.parameters)
        omitted = recorded.omitted_parameters
    form = CallForm(call_input, instance_id=request.connection.instance_id, omitted=omitted)
    return _render_form(request, form)


def _handle_post(request: CloudRequest, operation: Operation) -> HttpResponseBase:
    call_input = CallInput.from_query(operation, request.POST)
    instance = request.connection.instance_id
    if "add_row" in request.POST:
        base = request.POST["add_row"]
        number = call_input.add_row(base)
        fields = CallForm(call_input, instance_id=instance).fields
        first = next((n for n in fields if f"{n}.".startswith(f"{base}.{number}.")), "")
        return _render_form(request, CallForm(call_input, instance_id=instance, focus=first))
    if "remove_row" in request.POST:
        base, _dot, number_text = request.POST["remove_row"].rpartition(".")
        call_input.remove_row(
            base, int(number_text) if number_text.isascii() and number_text.isdigit() else 0
        )
        return _render_form(request, CallForm(call_input, instance_id=instance), focused_list=base)
    if "code" in request.POST:
        response = _render_form(request, CallForm(call_input, instance_id=instance))
        slug = find_language(request.POST["code"]).slug
        response.set_cookie(
            LANGUAGE_COOKIE, slug, max_age=31_536_000, samesite="Lax", secure=request.is_secure()
        )
        return response
    return _send(request, operation, call_input)


def _send(request: CloudRequest, operation: Operation, call_input: CallInput) -> HttpResponseBase:
    params = call_input.to_params()
    reveal = request.POST.get("reveal") == "1" and bool(operation.secret_fields)
    xml = request.POST.get("format") == "XML"
    if not request.gateway.allows(operation.name) or (reveal and not request.gateway.reveals(operation.name)):
        send_call(
            request, operation, params, reveal=reveal, xml=xml
        )  # raises PermissionRefused and is recorded
    problems: dict[str, list[Sentence]] = catalogue.validate(operation, params)
    form = CallForm(call_input, instance_id=request.connection.instance_id, problems=problems)
    if reveal and not request.gateway.reauthenticated:
        raise ReauthenticationNeeded(_form_address(request))
    typed = request.POST.get("typed", "").strip()
    unconfirmed = operation.access is Access.DELETE and typed != operation.name
    if form.has_errors or unconfirmed:
        return _render_form(
            request, form, status=FORM_REFUSED, unconfirmed=unconfirmed and not form.has_errors, typed=typed
        )
    return _render_form(request, form, sent=send_call(request, operation, params, reveal=reveal, xml=xml))


def _form_address(request: CloudRequest) -> str:
    """Return the address of the posted form, with its input, so that the user can return to it.

    Parameters that may be secret are left out, since addresses are logged. A very long input is left out as a whole.
    """
    fields = request.POST.copy()
    for name in list(fields):
        parts = [part for part in name.split(".") if not part.isdecimal()]
        if name not in {"reveal", "format"} and not all(map(may_record, parts)):
            del fields[name]
    query = fields.urlencode()
    return f"{request.path}?{query}" if len(query) <= _MAX_QUERY_LENGTH else request.path


def _render_form(
    request: CloudRequest,
    form: CallForm,
    *,
    status: int = 200,
    sent: SentCall | None = None,
    **context: Any,
) -> HttpResponse:
    operation = form.operation
    query: QueryDict = request.POST if request.method == "POST" else request.GET
    language = find_language(query.get("code") or request.COOKIES.get(LANGUAGE_COOKIE, ""))
    role = request.membership.role
    area = descriptions.AREAS[operation.area]
    recent_calls = ExplorerCall.objects.for_user(request.membership.user, request.connection)
    context |= {
        "operation": operation,
        "form": form,
        "sent": sent,
        "area": area,
        "rules": descriptions.describe_rules(operation),
        "is_allowed": request.gateway.allows(operation.name),
        # If the call is not allowed although the role allows it, the access scope is the reason.
        "role_allows": role.allows(operation),
        "may_reveal": bool(operation.secret_fields) and request.gateway.reveals(operation.name),
        "reveal": query.get("reveal") == "1",
        "format": "XML" if query.get("format") == "XML" else "JSON",
        "role": role.label,
        "level": descriptions.LEVELS[operation.access],
        "languages": LANGUAGES,
        "language": language,
        "code": _write_code(request, form, language),
        "recent_calls": recent_calls.filter(operation=operation.name)[:5],
        "is_delete": operation.access is Access.DELETE,
    }
    return render(request, "explorer/operation.html", context, status=status)


def _write_code(request: CloudRequest, form: CallForm, language: Language) -> str:
    """Return the call in the form as code."""
    connection, operation = request.connection, form.operation
    params = drop_invalid_params(operation, form.call_input.to_params())
    if connection.instance_id and "IotInstanceId" in operation.parameters:
        params.setdefault("IotInstanceId", connection.instance_id)
    address = urlsplit(normalize_endpoint(connection.endpoint, connection.region))
    return language.write(
        CodeCall(
            operation,
            params,
            connection.region,
            host=address.netloc,
            scheme=address.scheme,
            has_token=bool(connection.security_token),
        )
    )


# -- suggestions -------------------------------------------------------------------------------------------------------


@require_safe
def suggest(request: CloudRequest, kind: str) -> HttpResponse:
    """Return the options of a field: products, groups whose name contains the text, or devices whose name starts with it. A
    product or group whose key is the text is always among them.

    `?field=` and `?product_field=` name the query parameters that contain the text and the ProductKey. The header X-Unavailable
    says that the platform gave no answer.
    """
    text = request.GET.get(request.GET.get("field", ""), "").strip()
    options: list[tuple[str, str]] = []
    is_unavailable = False
    try:
        if kind == "products":
            options = [
                (product.key, product.name) for product in products_api.list_newest_products(request.gateway)
            ]
            if _may_be_key(text, options):
                options.append((text, products_api.get_product(request.gateway, text).product.name))
        elif kind == "groups":
            groups = groups_api.list_groups(request.gateway, name=text, size=MAX_SUGGESTIONS).groups
            options = [(group.id, group.name) for group in groups]
            if _may_be_key(text, options):
                options.append((text, groups_api.get_group(request.gateway, text).name))
        elif kind == "devices":
            options = _list_devices(
                request, request.GET.get(request.GET.get("product_field", ""), "").strip(), text
            )
        else:
            raise Http404
    except NotFound:  # no product or group has this key
        pass
    except (CloudError, PermissionRefused):
        options = []  # suggestions are optional: without them the user enters the full name
        is_unavailable = True
    response = render(request, "explorer/_options.html", {"options": options})
    if is_unavailable:
        response["X-Unavailable"] = "1"
    return response


def _may_be_key(text: str, options: list[tuple[str, str]]) -> bool:
    """Return whether a text may be the key of an object that is not among the options, and no option contains it."""
    is_key = bool(re.fullmatch(r"[A-Za-z0-9_-]{8,64}", text))
    return is_key and not any(text in key or text.lower() in name.lower() for key, name in options)


def _list_devices(request: CloudRequest, product: str, text: str) -> list[tuple[str, str]]:
    if not product:
        return []
    page = device_lists.list_devices(
        request.gateway,
        DeviceFilter(product_key=product, text=text if len(text) > 3 else ""),
        size=MAX_SUGGESTIONS,
    )
    return [(device.name, device.nickname) for device in page.devices]


# -- the history -------------------------------------------------------------------------------------------------------


class HistoryFilters(FilterForm):
    """Filters of the call history."""

    operation = django_forms.ChoiceField(label=gettext_lazy("Operation"), required=False)
    outcome = django_forms.ChoiceField(label=gettext_lazy("Status"), required=False)

    def __init__(self, request: CloudRequest) -> None:
        user_calls = ExplorerCall.objects.for_user(request.membership.user, request.connection)
        names = sorted(set(user_calls.values_list("operation", flat=True)))
        outcomes = [
            choice for choice in ExplorerCall._meta.get_field("outcome").choices or () if choice[0] != "open"
        ]
        no_filter = ("", _("Any"))
        super().__init__(request)
        # Set on the fields of the instance: those of the class are shared by concurrent requests.
        self.fields["operation"].choices = [no_filter, *((name, name) for name in names)]  # type: ignore[attr-defined]
        self.fields["outcome"].choices = [no_filter, *outcomes]  # type: ignore[attr-defined]
        self.full_clean()


@require_safe
def calls(request: CloudRequest) -> HttpResponse:
    """List the user's own calls on this connection, newest first."""
    filters = HistoryFilters(request)
    user_calls = ExplorerCall.objects.for_user(request.membership.user, request.connection).filter(
        **filters.values
    )
    user_calls = user_calls.order_by(*CALLS.order_by(request, "-pk"))
    number, size = page_number(request), page_size(request)
    rows = list(user_calls[(number - 1) * size : number * size])
    empty = Empty(
        title=gettext_lazy("No calls yet"),
        text=gettext_lazy("Calls that you send from the explorer are listed here. Only you can see them."),
        icon="history",
        url=connection_url(request, "explorer:list"),
        action=gettext_lazy("Find operation"),
    )
    table = CALLS.bind(request, rows, page=Page(number, size, user_calls.count()), empty=empty)
    return render(request, "explorer/history.html", {"table": table, "filters": filters})
